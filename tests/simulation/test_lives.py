"""Thousands of whole lives of runs, each drawn from its seed. What happens in one: `life`.

MFLOW_SIMULATION_LIVES=100000    a longer search: seeds 0 to 99999
MFLOW_SIMULATION_SEED=4711       one life again; if a promise is broken in it, with what happened before
"""

import os
from collections import Counter

import pytest

from tests.simulation.life import POINTS, live

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
    "a failed row led to Again",
    "a failed row led to Settled",
    "a failed row led to Stays",
    "run again on an operator's word",
    "a task was edited out",
    "no try was used up",
    *(
        f"operator: {deed}"
        for deed in (
            "cancel",
            "change_limit",
            "delete_folder",
            "exhaust",
            "set_clock",
            "freeze",
            "reboot",
            "rename",
            "stop",
        )
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
