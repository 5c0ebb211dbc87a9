"""Who holds what, counted."""

import pytest

from mflow.core.holders import Holder, Holders
from tests.core.driver import worker


def _with(*numbers: int, adopted: bool = False) -> Holders:
    holders = Holders()
    for number in numbers:
        holders.add(Holder(number, worker(number), adopted=adopted, retiring=adopted))
    return holders


def test_a_worker_is_busy_from_its_first_attempt_to_its_last() -> None:
    holders = _with(1, 2)
    holders.hold(holders[1], 10, 1)
    holders.hold(holders[1], 11, 1)
    assert holders.busy == 1
    holders.drop(10, 1, mono=5.0)
    assert (holders.busy, holders[1].head_since) == (1, 5.0)
    holders.drop(11, 1, mono=6.0)
    assert holders.busy == 0
    assert holders.live_tasks == {}


def test_the_time_of_the_head_is_untouched_when_something_behind_it_goes() -> None:
    holders = _with(1)
    holders.hold(holders[1], 10, 1)
    holders.hold(holders[1], 11, 1)
    holders.drop(11, 1, mono=5.0)
    assert (list(holders[1].held), holders[1].head_since) == ([(10, 1)], 0.0)


def test_an_undecided_attempt_is_nobodys_until_it_is_adopted_or_over() -> None:
    holders = _with(1, adopted=True)
    holders.leave_undecided(10)
    holders.leave_undecided(11)
    undecided = [holders.undecided]
    holders.hold(holders[1], 10, 1)
    undecided.append(holders.undecided)
    assert holders.drop(11, 1, mono=0.0) is None
    undecided.append(holders.undecided)
    assert undecided == [2, 1, 0]


def test_adopted_workers_do_not_stay() -> None:
    holders = _with(1, adopted=True)
    holders.add(Holder(2, worker(2)))
    assert (holders.adopted, holders.staying, len(holders)) == (1, 1, 2)
    holders.remove(1)
    assert (holders.adopted, len(holders)) == (0, 1)


def test_only_what_can_be_asked_back_is_ahead() -> None:
    holders = _with(1)
    holders.hold(holders[1], 10, 1)
    ahead = [holders[1].ahead]
    holders.hold(holders[1], 11, 1)
    ahead.append(holders[1].ahead)
    holders[1].asked = True
    ahead.append(holders[1].ahead)
    assert ahead == [False, True, False]


def test_nobody_goes_with_something_in_its_hands_or_comes_twice() -> None:
    holders = _with(1)
    holders.hold(holders[1], 10, 1)
    with pytest.raises(AssertionError):
        holders.remove(1)
    with pytest.raises(AssertionError):
        holders.add(Holder(1, worker(1)))
