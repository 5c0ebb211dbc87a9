"""Thousands of whole lives of runs, each drawn from its seed. What happens in one: `life`.

MFLOW_SIMULATION_LIVES=100000    a longer search: seeds 0 to 99999
MFLOW_SIMULATION_SEED=4711       one life again; if a promise is broken in it, with what happened before
"""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from mflow.core.model import TaskRow
from mflow.core.recovery import Decision, Evidence, LogTrace, Swept, decide
from tests.simulation import evidence
from tests.simulation.life import POINTS, Life, live
from tests.simulation.world import Broken

LIVES = int(os.environ.get("MFLOW_SIMULATION_LIVES", "4000"))
SEED = os.environ.get("MFLOW_SIMULATION_SEED")
ENOUGH = 2000
"""With so many lives everything of `MUST_HAPPEN` is there many times over."""

MUST_HAPPEN = (
    *(f"crash: {point}" for point in POINTS),
    "a worker died: about to begin",
    "a worker died: executing",
    "a worker died: idle",
    "a worker died: with an outcome",
    "a worker found its log's name taken",
    "a claim was given back",
    "claims waited behind a short attempt",
    "claims were asked back",
    "a commit was refused",
    "a commit's answer was lost",
    "a dead supervisor's commit arrived",
    "a dead supervisor's commit was fenced off",
    "a live supervisor was taken over",
    "a resume lost the race",
    "a supervisor found itself superseded",
    "a resume carried an order out",
    "a start was refused for a lack",
    "a stale lease held dispatches back",
    "dispatches were held back for a turn",
    "a resume decided Adopt",
    "a resume decided NotBegun",
    "a resume took EXITED",
    "a resume took CANCELLED",
    "a resume took LOST",
    "a resume took UNKNOWN",
    "a sweep left something",
    "a failed row led to Again",
    "a failed row led to Settled",
    "a failed row led to Stays",
    "run again on an operator's word",
    "a task was edited out",
    "no try was used up",
    *(f"operator: {deed}" for deed in ("cancel", "change_limit", "exhaust", "set_clock", "freeze")),
    *(
        f"operator: {deed}"
        for deed in ("reboot", "rename", "stop", "delete_folder", "delete_logs", "kill_all")
    ),
)
"""A proof that never met these would prove little."""


@pytest.mark.timeout(0)
def test_every_promise_is_kept_in_every_life() -> None:
    seen: Counter[str] = Counter()
    for seed in range(LIVES) if SEED is None else (int(SEED),):
        seen.update(live(seed).seen)
    if SEED is None and LIVES >= ENOUGH:
        assert [what for what in MUST_HAPPEN if not seen[what]] == []


def test_a_life_is_the_same_whenever_it_is_lived() -> None:
    for seed in (1, 77, 3141):
        once, again = live(seed), live(seed)
        assert list(map(str, once.trace)) == list(map(str, again.trace))


def _believing_a_missing_log(row: TaskRow, seen: Evidence) -> Decision:
    """A dead worker without a log has begun nothing: without a sweep."""
    missing = seen.log is LogTrace.ABSENT and row.started_at is None and not seen.worker_alive
    swept = seen.swept or (Swept() if missing else None)
    return decide(row, replace(seen, swept=swept))


def _believing_a_secured_name(row: TaskRow, seen: Evidence) -> Decision:
    """Whoever could take a log's name has proven that nothing had begun."""
    return decide(row, replace(seen, holds_log=False if seen.worker_alive else None))


def _believing_a_blind_sweep(row: TaskRow, seen: Evidence) -> Decision:
    """What cannot be told is nothing."""
    known = replace(seen.swept, doubtful=(), held=False) if seen.swept else None
    return decide(row, replace(seen, swept=known))


def _live_all() -> None:
    for seed in range(LIVES):
        live(seed)


@pytest.mark.parametrize(
    "credulous", [_believing_a_missing_log, _believing_a_secured_name, _believing_a_blind_sweep]
)
def test_who_believes_too_much_is_found_out(
    credulous: Callable[[TaskRow, Evidence], Decision], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "decide", credulous)
    monkeypatch.setattr(Life, "_change_limit", Life._delete_logs)  # the more often
    with pytest.raises(Broken):
        _live_all()
