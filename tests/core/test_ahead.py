"""How much workers are given ahead, and who takes it."""

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.ahead import AHEAD_SECONDS, MOST_AHEAD, Pace, is_hungry, late, takers
from mflow.core.holders import Holder, Holders
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from tests.core.driver import exited, worker


def _depth_after(*seconds: float) -> int:
    pace = Pace()
    for took in seconds:
        pace.learn(exited(took=took))
    return pace.depth


def _holders(*held: int, since: float = 0.0) -> Holders:
    """One worker for each number of attempts in hand."""
    holders = Holders()
    for number, count in enumerate(held):
        holder = Holder(number, worker(number), head_since=since)
        holders.add(holder)
        for task in range(count):
            holders.hold(holder, 100 * number + task, 1)
    return holders


def _given(holders: Holders, depth: int, limit: int, mono: float = 0.0) -> list[int]:
    numbers = []
    for task_no, holder in enumerate(takers(holders, depth, limit, mono), start=10_000):
        holders.hold(holder, task_no, 1)
        numbers.append(holder.number)
    return numbers


def test_nothing_ahead_until_attempts_have_proven_short() -> None:
    assert _depth_after() == 0
    assert _depth_after(0.001) == 0
    assert 0 < _depth_after(*[0.001] * 8) <= MOST_AHEAD
    assert _depth_after(*[0.0001] * 50) == MOST_AHEAD


def test_one_long_attempt_is_believed_at_once() -> None:
    assert _depth_after(*[0.001] * 50, 0.1) == 0


def test_an_end_without_times_teaches_nothing() -> None:
    pace = Pace()
    for _ in range(50):
        pace.learn(AttemptEnd(Outcome.LOST))
    assert pace.depth == 0


@given(st.lists(st.floats(0, 10), max_size=60))
def test_the_depth_is_within_its_bounds(seconds: list[float]) -> None:
    assert 0 <= _depth_after(*seconds) <= MOST_AHEAD


def test_idle_workers_come_first_then_all_evenly() -> None:
    assert _given(_holders(1, 0), depth=2, limit=2) == [1, 0, 1, 0, 1]


def test_without_depth_only_idle_workers_take() -> None:
    assert _given(_holders(1, 0, 0), depth=0, limit=3) == [1, 2]


def test_the_limit_bounds_the_busy_ones() -> None:
    assert _given(_holders(0, 0, 0), depth=0, limit=2) == [0, 1]
    assert _given(_holders(1, 1, 0), depth=0, limit=1) == []
    assert _given(_holders(1, 1), depth=3, limit=1) == []


def test_who_retires_or_was_asked_takes_nothing() -> None:
    holders = _holders(0, 0, 0)
    holders[0].retiring = holders[1].asked = True
    assert _given(holders, depth=0, limit=3) == [2]


def test_nothing_goes_behind_an_attempt_that_has_turned_out_long() -> None:
    assert _given(_holders(1, since=0.0), depth=1, limit=1, mono=AHEAD_SECONDS) == []
    assert _given(_holders(1, since=0.0), depth=1, limit=1, mono=AHEAD_SECONDS / 2) == [0]


def test_claims_are_late_from_their_time_on() -> None:
    holders = _holders(2, 1)
    assert late(holders, AHEAD_SECONDS / 2) == []
    assert late(holders, AHEAD_SECONDS) == [holders[0]]


@given(st.lists(st.integers(0, 4), max_size=5), st.integers(0, 3), st.integers(0, 4))
def test_hunger_means_that_somebody_takes(held: list[int], depth: int, limit: int) -> None:
    hungry = is_hungry(_holders(*held), depth, limit, mono=0.0)
    given_to = _given(_holders(*held), depth, limit)
    if hungry:
        assert given_to
