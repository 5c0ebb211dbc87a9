"""What a resume does before its loop: decide about every attempt that nobody watches."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from mflow.core.machine import Stop
from mflow.core.model import TaskRow
from mflow.core.recovery import Adopt, Again, NotBegun, Settled, Stays, Take, is_unproven
from mflow.core.states import TaskState
from tests.simulation.evidence import settle
from tests.simulation.world import expect

if TYPE_CHECKING:
    from tests.simulation.supervisor import SimulatedSupervisor

Steps = Generator[str, None, None]


def recover(supervisor: SimulatedSupervisor) -> Steps:
    """Every RUNNING row first, then what FAILED."""
    rows = supervisor.store.read_tasks()
    yield "after rows are read"
    supervisor.world.limit_is(supervisor.world.plan.limit)
    supervisor.machine = supervisor.make_machine(rows)
    if supervisor.cancel:
        supervisor.store.request_cancel()
    if supervisor.store.ordered:
        supervisor.machine.stop(Stop.CANCEL)
    for row in rows:
        if row.state is TaskState.RUNNING:
            yield from _recover_running(supervisor, row)
        elif row.state is TaskState.FAILED and not supervisor.machine.stopping:
            yield from _recover_failed(supervisor, row)


def _recover_running(supervisor: SimulatedSupervisor, row: TaskRow) -> Steps:
    attempt = (row.task_no, row.attempts)
    while True:
        decision = yield from settle(supervisor.world, supervisor.host, supervisor.identity, row)
        supervisor.world.seen[f"a resume decided {type(decision).__name__}"] += 1
        if not isinstance(decision, Adopt):
            break
        if supervisor.adopt(row):
            return
    match decision:
        case NotBegun(spent=spent):
            supervisor.machine.not_begun(*attempt, spent=spent)
        case Take(end=end):
            supervisor.world.seen[f"a resume took {end.outcome}"] += 1
            supervisor.machine.ended(*attempt, end, draw=supervisor.world.rng.random(), recovered=True)
        case _:
            expect(False, "no decision", row, decision)


def _recover_failed(supervisor: SimulatedSupervisor, row: TaskRow) -> Steps:
    if not is_unproven(row):
        supervisor.machine.reset(row.task_no)
        return
    decision = yield from settle(supervisor.world, supervisor.host, supervisor.identity, row)
    supervisor.world.seen[f"a failed row led to {type(decision).__name__}"] += 1
    match decision:
        case Settled(end=end):
            supervisor.machine.settle(row.task_no, row.attempts, end)
        case Again():
            supervisor.machine.reset(row.task_no)
        case Stays():
            pass
        case _:
            expect(False, "no decision", row, decision)
