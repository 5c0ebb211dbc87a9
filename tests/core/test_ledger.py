"""Where every task is, and what is noted for the next batch."""

import pytest

from mflow.core.ledger import Ledger
from mflow.core.model import AttemptEnd, Ending, GiveBack, Reset, Settle
from mflow.core.states import RunState, TaskState
from tests.core.driver import exited, row

P, R, S, F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED

GRAPH: dict[int, tuple[int, ...]] = {0: (), 1: (), 2: (0, 1), 4: (2,)}
BEHIND: dict[int, tuple[int, ...]] = {0: (2,), 1: (2,), 2: (4,), 4: ()}


def _ledger(**states: TaskState) -> Ledger:
    """Tasks 0, 1, 2 and 4; `t2=S` says where one is."""
    rows = [row(no, states.get(f"t{no}", P), attempts=no, tries=no) for no in GRAPH]
    return Ledger(rows, GRAPH.__getitem__, BEHIND.__getitem__)


def _end(task_no: int, attempt: int, to: TaskState, tries: int = 1) -> Ending:
    return Ending(task_no, attempt, to, tries, exited(0 if to is S else 1))


def test_it_begins_with_what_the_rows_say() -> None:
    ledger = _ledger(t0=S, t1=F)
    assert ledger.counts() == {P: 2, R: 0, S: 1, F: 1}
    assert (ledger.state(1), ledger.attempts[4], ledger.tries[4]) == (F, 4, 4)
    assert not ledger.dirty


def test_a_task_may_start_when_all_before_it_are_success() -> None:
    assert [no for no in GRAPH if _ledger().may_start(no)] == [0, 1]
    assert _ledger(t0=S, t1=S).may_start(2)
    assert not _ledger(t0=S, t1=F).may_start(2)


def test_the_last_success_releases_what_is_behind() -> None:
    ledger = _ledger()
    for task_no, released in ((0, []), (1, [2])):
        ledger.end(_end(task_no, ledger.claim(task_no), S))
        assert ledger.release_downstream(task_no) == released


def test_a_number_is_given_back_with_its_claim() -> None:
    ledger = _ledger()
    assert ledger.claim(1) == 2
    ledger.give_back(1, 2)
    assert ledger.claim(1) == 2


def test_a_batch_takes_all_that_was_noted_and_leaves_nothing() -> None:
    ledger = _ledger(t1=F, t2=F)
    ledger.claim(0)
    ending = _end(0, 1, F)
    ledger.end(ending)
    ledger.claim(4)
    ledger.give_back(4, 5)
    ledger.reset(1)
    ledger.settle(2, 2, exited(0))
    before = ledger.dirty
    batch = ledger.take(3, (), RunState.RUNNING, release=False)
    assert (batch.number, batch.run_state, batch.endings) == (3, RunState.RUNNING, (ending,))
    assert (batch.give_backs, batch.resets) == ((GiveBack(4, 5),), (Reset(1),))
    assert batch.settles == (Settle(2, 2, exited(0)),)
    assert (before, ledger.dirty) == (True, False)
    assert ledger.take(4, (), None, release=False).empty


def test_a_reset_makes_the_budget_new_of_failed_and_pending_alike() -> None:
    ledger = _ledger(t1=F)
    for task_no in (1, 2):
        ledger.reset(task_no)
        assert (ledger.state(task_no), ledger.tries[task_no], ledger.attempts[task_no]) == (P, 0, task_no)


def test_an_illegal_transition_is_a_defect() -> None:
    ledger = _ledger(t0=S)
    with pytest.raises(AssertionError, match="no task goes from SUCCESS to RUNNING"):
        ledger.claim(0)
    with pytest.raises(AssertionError):
        ledger.end(_end(1, 1, S))
    with pytest.raises(AssertionError):
        ledger.settle(1, 1, AttemptEnd(exited(0).outcome, 0))


def test_all_succeeded_means_all() -> None:
    assert not _ledger(t0=S, t1=S, t2=S).all_succeeded()
    assert _ledger(t0=S, t1=S, t2=S, t4=S).all_succeeded()
