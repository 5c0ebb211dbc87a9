"""Finding out what became of an attempt that nobody watched, look by look: `yield` is where the looker may die."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from mflow.core.model import Identity, TaskRow
from mflow.core.recovery import Decision, Evidence, LogTrace, Secure, Sweep, decide
from tests.simulation.world import BEGUN, SECURED, Host, World


def settle(
    world: World, host: Host, here: Identity, row: TaskRow, *, adopted: bool = False
) -> Generator[str, None, Decision]:
    """Look, decide, do what the decision asks for, and look again."""
    attempt = (row.task_no, row.attempts)
    evidence = yield from _look(world, host, here, row, adopted)
    while True:
        decision = decide(row, evidence)
        if isinstance(decision, Secure):
            host.logs.setdefault(attempt, SECURED)
            world.note("SECURED", attempt)
            yield "a resume after a log was secured"
            evidence = yield from _look(world, host, here, row, adopted)
        elif isinstance(decision, Sweep):
            evidence = replace(evidence, swept=world.sweep(attempt, host))
            yield "a resume after a sweep"
        else:
            return decision


def _look(
    world: World, host: Host, here: Identity, row: TaskRow, adopted: bool
) -> Generator[str, None, Evidence]:
    """In the order that recovery demands."""
    attempt = (row.task_no, row.attempts)
    alive = None
    if row.worker is not None and row.worker.same_kernel(here):
        alive = world.is_alive(row.worker)
    yield "a resume after it looked at a worker"
    holds = world.holds_log(row.worker, attempt) if alive and row.worker is not None else None
    yield "a resume after it asked what a worker holds"
    found = host.outcomes.get(attempt)
    outcome = found[1] if found is not None and found[0] == row.worker else None
    yield "a resume after it looked for an outcome"
    return Evidence(here, alive, outcome, _trace(host, row), holds, adopted=adopted)


def _trace(host: Host, row: TaskRow) -> LogTrace:
    attempt = (row.task_no, row.attempts)
    log = host.logs.get(attempt)
    if log == SECURED:
        return LogTrace.SECURED
    if log == BEGUN or attempt in host.outcomes:
        return LogTrace.FOUND
    return LogTrace.ABSENT if host.intact else LogTrace.UNPROVEN
