"""Every rule of the protocol that the machine decides, one test each."""

from datetime import timedelta

import pytest

from mflow.core.ahead import AHEAD_SECONDS, MOST_AHEAD, low_water
from mflow.core.decisions import Now
from mflow.core.machine import FLUSH_SECONDS, MOST_FALSE_STARTS, Machine, Stop
from mflow.core.model import AttemptEnd, Batch, Ending, GiveBack, Progress, Reset, RetryPolicy, Settle
from mflow.core.states import Outcome, RunState, TaskState
from tests.core.driver import EPOCH, Driver, exited, row, worker

CANCELLED = AttemptEnd(Outcome.CANCELLED)
LOST = AttemptEnd(Outcome.LOST)
UNKNOWN = AttemptEnd(Outcome.UNKNOWN)
TWICE = RetryPolicy(attempts=2)

P, R, S, F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED


def _only_ending(batch: Batch) -> Ending:
    (ending,) = batch.endings
    return ending


def _wide(tasks: int) -> list[list[int]]:
    return [[] for _ in range(tasks)]


# ---------------------------------------------------------------------------- persisting comes before doing


def test_a_claim_is_dispatched_only_once_it_is_committed() -> None:
    driver = Driver([[]], limit=1)
    batch = driver.batch()
    (claim,) = batch.claims
    assert (claim.task_no, claim.attempt, claim.worker, claim.log) == (0, 1, worker(0), "/logs/0.1.log")
    assert not driver.machine.effects().dispatch
    assert driver.commit(batch).dispatch == [(0, (0, 1))]


def test_a_dependent_is_claimed_only_after_its_upstream_succeeded_and_both_are_in_one_batch() -> None:
    driver = Driver([[], [0]], limit=1)
    driver.commit()
    assert driver.offered() is None
    driver.machine.ended(0, 1, exited())
    batch = driver.batch()
    assert _only_ending(batch).to is S
    assert [claim.task_no for claim in batch.claims] == [1]


def test_a_task_with_two_upstream_waits_for_both() -> None:
    driver = Driver([[], [], [0, 1]])
    driver.commit()
    driver.machine.ended(0, 1, exited())
    driver.wait(FLUSH_SECONDS)
    assert not driver.batch().claims


def test_an_outcome_is_acknowledged_when_it_is_committed() -> None:
    driver = Driver([[], []], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited())
    batch = driver.batch()
    assert not driver.machine.effects().acknowledge
    effects = driver.commit(batch)
    assert effects.acknowledge == [(0, (0, 1))]
    assert effects.endings == list(batch.endings)


def test_an_end_waits_a_moment_for_company_but_not_when_a_worker_could_go_on() -> None:
    driver = Driver([[], [], [0]])
    driver.commit()
    driver.machine.ended(1, 1, exited())
    assert driver.offered() is None
    assert driver.machine.wake_in(driver.now) == pytest.approx(FLUSH_SECONDS)
    driver.machine.ended(0, 1, exited())
    batch = driver.batch()
    assert [ending.task_no for ending in batch.endings] == [1, 0]
    assert [claim.task_no for claim in batch.claims] == [2]


def test_what_a_worker_says_of_a_live_attempt_is_kept_with_the_next_batch() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.began(0, 1, pid=77, started_at=EPOCH)
    driver.machine.began(0, 2, pid=78)  # no such attempt: an old word
    driver.wait(FLUSH_SECONDS)
    assert driver.batch().progress == (Progress(0, 1, EPOCH, 77, None),)


def test_no_batch_while_there_is_nothing_to_persist() -> None:
    driver = Driver([[], [0]], limit=2)
    driver.commit()
    assert driver.offered() is None
    assert driver.machine.wake_in(driver.now) is None


def test_batches_are_numbered_from_one() -> None:
    driver = Driver([[], [0]], limit=1)
    first = driver.batch()
    driver.commit(first)
    driver.machine.ended(0, 1, exited())
    assert (first.number, driver.batch().number) == (1, 2)


def test_a_second_batch_is_never_made_while_one_is_under_way() -> None:
    driver = Driver([[], []], limit=1)
    driver.batch()
    with pytest.raises(AssertionError):
        driver.offered()


def test_nothing_needs_a_timer_while_a_batch_is_under_way() -> None:
    """An outage may last for hours: a timer that is due but cannot be served would spin all that time."""
    driver = Driver([[], []], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited())
    driver.batch()
    driver.machine.began(1, 1, pid=5)
    driver.wait(3600)
    assert driver.machine.wake_in(driver.now) is None


def test_a_run_that_was_pending_is_announced_before_anything_starts() -> None:
    driver = Driver([[]], limit=1, run_state=RunState.PENDING)
    batch = driver.batch()
    assert batch.run_state is RunState.RUNNING
    assert not batch.claims
    driver.commit(batch)
    assert driver.batch().claims


# ----------------------------------------------------------------------------------- how many at once


def test_no_more_than_the_limit_execute_at_once() -> None:
    driver = Driver(_wide(5), limit=2, workers=5)
    assert len(driver.dispatched()) == 2
    driver.wait(1)
    assert driver.offered() is None
    driver.machine.ended(0, 1, exited())
    assert len(driver.dispatched()) == 1


def test_adopted_attempts_count_against_the_limit() -> None:
    driver = Driver(_wide(3), limit=2, workers=0, rows=[row(0, R, attempts=1), row(1), row(2)])
    driver.machine.adopt(0, 1, 9, worker(9))
    assert driver.machine.workers_wanted() == 1
    driver.machine.worker_ready(0, worker(0))
    driver.machine.worker_ready(1, worker(1))
    assert len(driver.dispatched()) == 1
    driver.machine.ended(0, 1, exited())
    driver.machine.worker_gone(9)
    assert driver.machine.workers_wanted() == 2


def test_two_attempts_adopted_in_one_worker_are_one_against_the_limit() -> None:
    driver = Driver(_wide(3), limit=2, workers=0, rows=[row(0, R, attempts=1), row(1, R, attempts=4), row(2)])
    driver.machine.adopt(0, 1, 9, worker(9))
    driver.machine.adopt(1, 4, 9, worker(9))
    assert driver.machine.held_by(9) == [(0, 1), (1, 4)]
    assert driver.machine.workers_wanted() == 1
    driver.machine.stop(Stop.SIGNAL)
    assert driver.machine.effects().end == [(9, (0, 1)), (9, (1, 4))]


def test_a_lower_limit_ends_nothing_and_nothing_starts_until_below_it() -> None:
    driver = Driver(_wide(6), limit=3)
    assert len(driver.dispatched()) == 3
    driver.machine.set_limit(1)
    assert not driver.machine.effects().end
    for task_no in (0, 1):
        driver.machine.ended(task_no, 1, exited())
        driver.wait(FLUSH_SECONDS)
        assert not driver.commit().dispatch
    driver.machine.ended(2, 1, exited())
    assert len(driver.dispatched()) == 1


def test_workers_beyond_a_lower_limit_may_go_when_they_hold_and_owe_nothing() -> None:
    driver = Driver(_wide(3), limit=3, workers=3)
    assert set(driver.dispatched()) == {0, 1, 2}
    driver.machine.set_limit(1)
    assert driver.machine.effects().let_go == []
    leaving = []
    for task_no in range(3):
        driver.machine.ended(task_no, 1, exited())
        assert driver.machine.effects().let_go == []  # its outcome is not committed
        driver.wait(FLUSH_SECONDS)
        leaving += driver.commit().let_go
    assert len(leaving) == 2


def test_idle_workers_beyond_a_lower_limit_may_go_at_once_and_those_that_leave_already_count() -> None:
    driver = Driver([[]], limit=3, workers=3)
    driver.machine.set_limit(2)
    assert len(driver.machine.effects().let_go) == 1
    driver.machine.set_limit(1)
    assert len(driver.machine.effects().let_go) == 1
    assert len(driver.dispatched()) == 1


def test_a_worker_that_comes_after_the_limit_was_lowered_may_go_at_once() -> None:
    driver = Driver(_wide(3), limit=2, workers=1)
    driver.machine.set_limit(1)
    driver.machine.worker_ready(1, worker(1))
    assert driver.machine.effects().let_go == [1]


def test_a_claim_that_was_being_committed_when_the_limit_fell_is_given_back_instead_of_begun() -> None:
    driver = Driver(_wide(3), limit=3, workers=3)
    batch = driver.batch()
    driver.machine.set_limit(1)
    assert not driver.commit(batch).dispatch
    second = driver.batch()
    assert len(second.give_backs) == 3
    assert len(second.claims) == 1


def test_a_raised_limit_is_used_at_once() -> None:
    driver = Driver(_wide(4), limit=1, workers=4)
    assert len(driver.dispatched()) == 1
    driver.machine.set_limit(3)
    driver.machine.worker_ready(7, worker(7))
    driver.machine.worker_ready(8, worker(8))
    assert len(driver.dispatched()) == 2


def test_only_as_many_workers_as_there_is_work_for_are_wanted() -> None:
    driver = Driver([[], [], [0, 1]], limit=5, workers=0)
    assert driver.machine.workers_wanted() == 2


def test_a_retiring_worker_is_given_nothing_not_even_what_was_being_committed() -> None:
    driver = Driver(_wide(2), limit=1)
    batch = driver.batch()
    driver.machine.worker_retires(0)
    effects = driver.commit(batch)
    assert not effects.dispatch
    assert effects.let_go == [0]
    driver.machine.worker_gone(0)
    driver.machine.worker_ready(1, worker(1))
    assert driver.batch().give_backs == (GiveBack(0, 1),)


# ------------------------------------------------------------------------------------------ claim-ahead


def test_nothing_is_claimed_ahead_before_attempts_are_known_to_be_short() -> None:
    driver = Driver(_wide(9), limit=1)
    assert len(driver.batch().claims) == 1


def test_nothing_is_claimed_ahead_while_recent_attempts_are_long() -> None:
    driver = Driver(_wide(99), limit=1)
    for task_no in range(30):
        driver.commit()
        driver.machine.ended(task_no, 1, exited(took=AHEAD_SECONDS))
        driver.wait(AHEAD_SECONDS)
    assert len(driver.batch().claims) == 1


def test_a_few_are_claimed_ahead_while_recent_attempts_are_short() -> None:
    driver = Driver(_wide(99), limit=1)
    driver.make_short()
    assert 1 < len(driver.batch().claims) <= 1 + MOST_AHEAD


def test_with_claims_ahead_a_commit_happens_when_a_worker_is_about_to_run_dry_not_per_task() -> None:
    driver = Driver(_wide(99), limit=1)
    driver.make_short()
    driver.commit()
    held = driver.machine.held_by(0)
    batch = None
    while batch is None:
        driver.machine.ended(*driver.machine.held_by(0)[0], exited(took=0.001))
        batch = driver.offered()
    left = [attempt for attempt in held if attempt in driver.machine.held_by(0)]
    assert 1 <= len(left) <= low_water(MOST_AHEAD)
    assert len(batch.endings) == len(held) - len(left) > len(held) / 2
    assert len(batch.claims) > 1


def test_one_long_attempt_ends_claiming_ahead() -> None:
    driver = Driver(_wide(99), limit=1)
    driver.make_short()
    driver.commit()
    for task_no, attempt in driver.machine.held_by(0):
        driver.machine.ended(task_no, attempt, exited(took=1.0))
    assert len(driver.batch().claims) == 1


def _with_claims_behind_a_long_one() -> tuple[Driver, list[tuple[int, int]]]:
    """Two workers with claims ahead; what the first one holds."""
    driver = Driver(_wide(200), limit=2)
    driver.make_short()
    driver.commit()
    return driver, driver.machine.held_by(0)


def test_claims_behind_an_attempt_that_turns_out_long_are_asked_back_once() -> None:
    driver, held = _with_claims_behind_a_long_one()
    assert driver.machine.wake_in(driver.now) == pytest.approx(AHEAD_SECONDS)
    driver.wait(AHEAD_SECONDS)
    driver.offered()
    asked = dict(driver.machine.effects().ask_back)
    assert asked[0] == held[1:]
    assert driver.machine.wake_in(driver.now) != 0.0
    driver.offered()
    assert not driver.machine.effects().ask_back


def test_claims_given_back_go_to_another_worker_and_not_behind_the_long_one_again() -> None:
    driver, held = _with_claims_behind_a_long_one()
    other = driver.machine.held_by(1)
    driver.wait(AHEAD_SECONDS)
    driver.offered()
    driver.machine.returned(0, held[1:])
    for task_no, attempt in other:
        driver.machine.ended(task_no, attempt, exited(took=0.001))
    driver.machine.returned(1, [])
    batch = driver.batch()
    assert {(one.task_no, one.attempt) for one in batch.give_backs} == set(held[1:])
    assert {claim.worker for claim in batch.claims} == {worker(1)}
    assert driver.machine.held_by(0) == held[:1]


def test_a_worker_that_was_asked_gets_no_more_before_it_has_answered() -> None:
    driver, held = _with_claims_behind_a_long_one()
    driver.wait(AHEAD_SECONDS)
    driver.offered()
    driver.machine.ended(*held[0], exited(took=AHEAD_SECONDS))
    driver.wait(FLUSH_SECONDS)
    assert worker(0) not in {claim.worker for claim in driver.batch().claims}


def test_a_given_back_attempt_uses_its_number_again() -> None:
    driver, held = _with_claims_behind_a_long_one()
    driver.wait(AHEAD_SECONDS)
    driver.offered()
    driver.machine.returned(0, held[1:])
    for task_no, attempt in driver.machine.held_by(1):
        driver.machine.ended(task_no, attempt, exited(took=0.001))
    driver.machine.returned(1, [])
    claimed = {claim.task_no: claim.attempt for claim in driver.batch().claims}
    assert claimed[held[1][0]] == held[1][1]


def test_no_claims_ahead_while_more_than_a_lowered_limit_execute() -> None:
    driver, _ = _with_claims_behind_a_long_one()
    driver.machine.set_limit(1)
    asked = dict(driver.machine.effects().ask_back)
    assert set(asked) == {0, 1}  # the one that stays must not begin its next either
    for number in (0, 1):
        driver.machine.returned(number, asked[number])
    driver.wait(FLUSH_SECONDS)
    assert not driver.batch().claims


# ------------------------------------------------------------------------------- what follows from an end


def test_a_failure_is_final_without_a_try_left_and_what_is_behind_it_stays_pending() -> None:
    driver = Driver([[], [0]], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    batch = driver.batch()
    ending = _only_ending(batch)
    assert (ending.to, ending.tries) == (F, 1)
    assert (batch.run_state, batch.release) == (RunState.FAILED, True)
    assert driver.machine.state(1) is P


def test_a_retry_waits_for_its_instant_which_is_persisted() -> None:
    driver = Driver([[]], limit=1, policy=RetryPolicy(attempts=2, wait_seconds=10, jitter=4))
    driver.commit()
    driver.machine.ended(0, 1, exited(1), draw=0.5)
    driver.wait(FLUSH_SECONDS)
    batch = driver.batch()
    ending = _only_ending(batch)
    assert (ending.to, ending.tries, ending.not_before) == (P, 1, EPOCH + timedelta(seconds=12))
    assert not batch.claims
    driver.commit(batch)
    assert driver.machine.wake_in(driver.now) == pytest.approx(12 - FLUSH_SECONDS)
    driver.wait(12 - FLUSH_SECONDS - 0.001)
    assert driver.offered() is None
    driver.wait(0.001)
    (claim,) = driver.batch().claims
    assert (claim.task_no, claim.attempt) == (0, 2)


def test_a_retry_without_a_wait_is_claimed_in_the_batch_that_persists_its_end() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    batch = driver.batch()
    assert [ending.to for ending in batch.endings] == [P]
    assert [(claim.task_no, claim.attempt) for claim in batch.claims] == [(0, 2)]


def test_tries_end_with_the_policy() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    driver.commit()
    driver.machine.ended(0, 2, exited(1))
    ending = _only_ending(driver.batch())
    assert (ending.to, ending.tries) == (F, 2)


def test_a_lost_attempt_uses_a_try_and_the_policy_speaks_in_a_live_run() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.ended(0, 1, LOST)
    assert [(one.to, one.tries) for one in driver.batch().endings] == [(P, 1)]


def test_survivors_forbid_a_retry_because_the_attempt_is_not_over() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.ended(0, 1, AttemptEnd(Outcome.TIMED_OUT, survivors=(7,)))
    assert _only_ending(driver.batch()).to is F


def test_unknown_is_never_retried_by_itself() -> None:
    driver = Driver([[]], limit=1, policy=RetryPolicy(attempts=9, on_errors=("UNKNOWN",)))
    driver.commit()
    driver.machine.ended(0, 1, UNKNOWN)
    assert _only_ending(driver.batch()).to is F


def test_what_could_not_start_is_a_failure_with_its_message() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    end = AttemptEnd(Outcome.NOT_STARTED, message="no such folder: /nowhere")
    driver.machine.ended(0, 1, end)
    ending = _only_ending(driver.batch())
    assert (ending.to, ending.end) == (F, end)


# ------------------------------------------------------------------------------------ what never began


def test_what_never_began_goes_back_without_a_try_used() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.not_begun(0, 1)
    driver.machine.worker_gone(0)
    driver.machine.worker_ready(1, worker(1))
    batch = driver.batch()
    assert batch.give_backs == (GiveBack(0, 1),)
    assert [(claim.attempt, claim.worker) for claim in batch.claims] == [(1, worker(1))]


def _worker_dies_at_the_start(driver: Driver, number: int) -> None:
    driver.machine.not_begun(0, 1)
    driver.machine.worker_gone(number)


def test_a_task_whose_workers_die_at_its_start_fails_at_last() -> None:
    driver = Driver([[]], limit=1, workers=0)
    for number in range(MOST_FALSE_STARTS):
        driver.machine.worker_ready(number, worker(number))
        driver.commit()
        _worker_dies_at_the_start(driver, number)
    ending = _only_ending(driver.batch())
    assert (ending.to, ending.end.outcome, ending.tries) == (F, Outcome.NOT_STARTED, 1)


def test_a_try_that_began_forgives_earlier_false_starts() -> None:
    driver = Driver([[]], limit=1, workers=0, policy=RetryPolicy(attempts=9))
    for number in range(MOST_FALSE_STARTS - 1):
        driver.machine.worker_ready(number, worker(number))
        driver.commit()
        _worker_dies_at_the_start(driver, number)
    driver.machine.worker_ready(50, worker(50))
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    driver.commit()
    driver.machine.not_begun(0, 2)
    driver.wait(FLUSH_SECONDS)
    assert driver.batch().give_backs == (GiveBack(0, 2),)


def test_claims_behind_the_attempt_whose_worker_died_are_not_to_blame() -> None:
    driver = Driver(_wide(200), limit=1)
    driver.make_short()
    driver.commit()
    head, victim, *others = driver.machine.held_by(0)
    driver.machine.ended(*head, LOST)
    for attempt in (victim, *others):
        driver.machine.not_begun(*attempt)
    driver.machine.worker_gone(0)
    for number in range(1, MOST_FALSE_STARTS):
        driver.machine.worker_ready(number, worker(number))
        driver.commit()
        first, *behind = driver.machine.held_by(number)
        assert first == victim
        for attempt in (first, *behind):
            driver.machine.not_begun(*attempt)
        driver.machine.worker_gone(number)
    driver.wait(FLUSH_SECONDS)
    assert GiveBack(*victim) in driver.batch().give_backs


def test_a_claim_whose_worker_died_during_the_commit_is_not_dispatched() -> None:
    driver = Driver([[]], limit=1)
    batch = driver.batch()
    driver.machine.not_begun(0, 1)
    driver.machine.worker_gone(0)
    driver.machine.worker_ready(1, worker(1))
    assert not driver.commit(batch).dispatch
    second = driver.batch()
    assert second.give_backs == (GiveBack(0, 1),)
    assert driver.commit(second).dispatch == [(1, (0, 1))]


def test_a_claim_given_back_before_it_was_handed_over_goes_only_to_who_holds_its_number_now() -> None:
    driver = Driver([[]], limit=1)
    batch = driver.batch()
    driver.machine.committed(batch, driver.now)  # handed over later: the run was not ours beyond doubt
    assert driver.machine.has_to_hand_over
    driver.machine.not_begun(0, 1)
    driver.machine.worker_gone(0)
    driver.machine.worker_ready(1, worker(1))
    second = driver.batch()
    assert (second.give_backs, [claim.attempt for claim in second.claims]) == ((GiveBack(0, 1),), [1])
    driver.machine.hand_over()
    assert not driver.machine.effects().dispatch, "its second claim is not committed"
    assert driver.commit(second).dispatch == [(1, (0, 1))]


def test_what_a_worker_says_of_an_attempt_that_another_holds_by_now_counts_for_nothing() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.not_begun(0, 1)
    driver.machine.worker_gone(0)
    for number in (1, 2):
        driver.machine.worker_ready(number, worker(number))
    driver.commit()
    assert [driver.machine.holds(number, (0, 1)) for number in (1, 2)] == [True, False]
    driver.machine.returned(2, [(0, 1), (7, 1)])
    assert driver.machine.holds(1, (0, 1))
    assert not driver.machine.holds(1, (0, 2))


def test_a_stop_puts_back_what_was_committed_but_not_handed_over() -> None:
    driver = Driver([[]], limit=1)
    driver.machine.committed(driver.batch(), driver.now)
    driver.machine.stop(Stop.SIGNAL)
    driver.machine.hand_over()
    effects = driver.machine.effects()
    assert (effects.dispatch, effects.end, effects.ask_back) == ([], [], [])
    assert driver.batch().give_backs == (GiveBack(0, 1),)


def test_an_attempt_number_whose_log_is_taken_is_not_used_again() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=3, tries=1)])
    driver.machine.not_begun(0, 3, spent=True)
    batch = driver.batch()
    ending = _only_ending(batch)
    assert (ending.to, ending.tries, ending.end.outcome) == (P, 1, Outcome.NOT_STARTED)
    assert [claim.attempt for claim in batch.claims] == [4]


def test_a_worker_must_not_be_gone_with_something_in_its_hands() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    with pytest.raises(AssertionError):
        driver.machine.worker_gone(0)


# ---------------------------------------------------------------------------------------- recovery


def test_nothing_is_claimed_before_every_running_row_is_decided() -> None:
    driver = Driver(_wide(3), limit=2, rows=[row(0, R, attempts=1), row(1, R, attempts=2), row(2)])
    assert driver.machine.undecided() == [(0, 1), (1, 2)]
    driver.machine.ended(0, 1, exited(), recovered=True)
    driver.wait(FLUSH_SECONDS)
    assert not driver.batch().claims
    assert driver.machine.undecided() == [(1, 2)]


def test_an_outcome_found_at_a_resume_is_taken_as_if_nothing_had_happened() -> None:
    driver = Driver([[], [0]], limit=1, rows=[row(0, R, attempts=1), row(1)])
    driver.machine.ended(0, 1, exited(), recovered=True)
    batch = driver.batch()
    assert _only_ending(batch).to is S
    assert [claim.task_no for claim in batch.claims] == [1]


def test_an_interrupted_budget_of_tries_goes_on() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=5, tries=1)], policy=TWICE)
    driver.machine.ended(0, 5, exited(1), recovered=True)
    ending = _only_ending(driver.batch())
    assert (ending.to, ending.tries) == (F, 2)


def test_lost_at_a_resume_goes_back_with_a_new_budget_like_failed() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1, tries=1)], policy=TWICE)
    driver.machine.ended(0, 1, LOST, recovered=True)
    batch = driver.batch()
    assert [(one.to, one.tries) for one in batch.endings] == [(P, 0)]
    assert [claim.attempt for claim in batch.claims] == [2]


def test_cancelled_found_at_a_resume_was_the_stop_of_an_earlier_supervisor() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    driver.machine.ended(0, 1, CANCELLED, recovered=True)
    assert [(one.to, one.tries) for one in driver.batch().endings] == [(P, 0)]


def test_an_adopted_attempt_that_an_earlier_supervisor_had_told_to_end_goes_back() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    driver.machine.adopt(0, 1, 9, worker(9))
    driver.machine.ended(0, 1, CANCELLED)
    assert [(one.to, one.tries) for one in driver.batch().endings] == [(P, 0)]


def test_an_adopted_attempt_that_is_lost_later_is_judged_like_one_of_our_own() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    driver.machine.adopt(0, 1, 9, worker(9))
    driver.machine.ended(0, 1, LOST)
    assert _only_ending(driver.batch()).to is F


def test_unknown_at_a_resume_fails_and_what_does_not_depend_on_it_goes_on() -> None:
    driver = Driver([[], [0], []], limit=1, rows=[row(0, R, attempts=1), row(1), row(2)])
    driver.machine.ended(0, 1, UNKNOWN, recovered=True)
    batch = driver.batch()
    assert _only_ending(batch).to is F
    assert [claim.task_no for claim in batch.claims] == [2]


def test_a_reset_gives_a_failed_task_a_new_budget_and_its_next_number() -> None:
    driver = Driver([[], [0]], limit=1, rows=[row(0, F, attempts=2, tries=2), row(1)], policy=TWICE)
    driver.machine.reset(0)
    batch = driver.batch()
    assert batch.resets == (Reset(0),)
    assert [claim.attempt for claim in batch.claims] == [3]
    driver.commit(batch)
    driver.machine.ended(0, 3, exited(1))
    assert [(one.to, one.tries) for one in driver.batch().endings] == [(P, 1)]


@pytest.mark.parametrize("state", [R, S])
def test_only_what_is_failed_or_pending_can_be_reset(state: TaskState) -> None:
    driver = Driver([[]], limit=1, rows=[row(0, state, attempts=1)])
    with pytest.raises(AssertionError):
        driver.machine.reset(0)


def test_a_failed_task_that_is_proven_to_have_ended_well_lets_the_next_ones_start() -> None:
    driver = Driver([[], [0]], limit=1, rows=[row(0, F, attempts=1), row(1)])
    driver.machine.settle(0, 1, exited())
    batch = driver.batch()
    assert batch.settles == (Settle(0, 1, exited()),)
    assert [claim.task_no for claim in batch.claims] == [1]


def test_only_what_is_failed_can_be_settled() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    with pytest.raises(AssertionError):
        driver.machine.settle(0, 1, exited())


def test_a_resume_waits_on_for_a_retry_that_has_its_time() -> None:
    not_before = EPOCH + timedelta(seconds=30)
    driver = Driver(
        [[]],
        limit=1,
        rows=[row(0, P, attempts=1, tries=1, not_before=not_before)],
        policy=RetryPolicy(attempts=2, wait_seconds=30),
    )
    assert driver.offered() is None
    assert driver.machine.wake_in(driver.now) == pytest.approx(30)
    driver.wait(30)
    assert [claim.attempt for claim in driver.batch().claims] == [2]


def test_numbers_that_no_task_has_any_more_are_nobody() -> None:
    driver = Driver([[], [], [0]], limit=1, rows=[row(0, S, attempts=1), row(2)])
    assert [claim.task_no for claim in driver.batch().claims] == [2]
    assert driver.machine.counts == {P: 0, R: 1, S: 1, F: 0}


# ------------------------------------------------------------------------------------------- stopping


def test_a_stop_by_signal_ends_what_runs_and_uses_no_try() -> None:
    driver = Driver([[], []], limit=1)
    driver.commit()
    driver.machine.stop(Stop.SIGNAL)
    assert driver.machine.effects().end == [(0, (0, 1))]
    assert driver.machine.workers_wanted() == 0
    driver.machine.ended(0, 1, CANCELLED)
    batch = driver.batch()
    assert [(one.to, one.tries) for one in batch.endings] == [(P, 0)]
    assert (batch.run_state, batch.release) == (None, True)  # resumable: the run stays RUNNING
    assert driver.commit(batch).released
    assert driver.machine.released
    assert driver.offered() is None


def test_a_supervisor_that_stops_starts_no_retry_but_keeps_it_for_the_resume() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.stop(Stop.SIGNAL)
    driver.machine.ended(0, 1, exited(1))
    batch = driver.batch()
    assert [(one.to, one.tries) for one in batch.endings] == [(P, 1)]
    assert not batch.claims
    assert (batch.run_state, batch.release) == (None, True)


def test_a_stop_after_which_a_resume_would_find_nothing_to_do_ends_the_run() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.stop(Stop.SIGNAL)
    driver.machine.ended(0, 1, exited(0))
    assert driver.batch().run_state is RunState.SUCCESS


def test_a_cancel_fails_what_runs_leaves_the_rest_pending_and_fails_the_run() -> None:
    driver = Driver([[], []], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.stop(Stop.CANCEL)
    assert driver.machine.effects().end == [(0, (0, 1))]
    driver.machine.ended(0, 1, CANCELLED)
    batch = driver.batch()
    assert [(one.to, one.end.outcome) for one in batch.endings] == [(F, Outcome.CANCELLED)]
    assert (batch.run_state, batch.release) == (RunState.FAILED, True)
    assert driver.machine.state(1) is P


def test_no_retry_follows_a_cancel() -> None:
    driver = Driver([[]], limit=1, policy=TWICE)
    driver.commit()
    driver.machine.stop(Stop.CANCEL)
    driver.machine.ended(0, 1, exited(1))
    assert _only_ending(driver.batch()).to is F


def test_what_ended_well_before_the_cancel_reached_it_is_a_success() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.stop(Stop.CANCEL)
    driver.machine.ended(0, 1, exited(0))
    assert driver.batch().run_state is RunState.SUCCESS


def test_a_cancel_beats_a_signal_in_either_order() -> None:
    driver = Driver([[]], limit=1)
    driver.machine.stop(Stop.CANCEL)
    driver.machine.stop(Stop.SIGNAL)
    assert driver.machine.stopping is Stop.CANCEL
    other = Driver([[]], limit=1)
    other.machine.stop(Stop.SIGNAL)
    other.machine.stop(Stop.CANCEL)
    assert other.machine.stopping is Stop.CANCEL


def test_a_claim_that_was_being_committed_when_the_stop_came_is_given_back() -> None:
    driver = Driver([[]], limit=1)
    batch = driver.batch()
    driver.machine.stop(Stop.SIGNAL)
    assert not driver.machine.effects().end  # its worker knows nothing of it
    assert not driver.commit(batch).dispatch
    last = driver.batch()
    assert last.give_backs == (GiveBack(0, 1),)
    assert last.release


def test_a_stop_asks_claims_back_and_ends_those_that_were_begun_meanwhile() -> None:
    driver, held = _with_claims_behind_a_long_one()
    driver.machine.stop(Stop.CANCEL)
    effects = driver.machine.effects()
    assert dict(effects.ask_back)[0] == held[1:]
    assert (0, held[0]) in effects.end
    driver.machine.ended(*held[0], exited(0))  # by itself, before the word reached its worker
    driver.machine.returned(0, held[2:])  # and so the next one was begun
    assert (0, held[1]) in driver.machine.effects().end
    driver.machine.ended(*held[1], CANCELLED)
    assert driver.machine.held_by(0) == []


def test_claims_dispatched_after_the_worker_was_asked_are_asked_back_at_its_answer_when_stopping() -> None:
    driver, held = _with_claims_behind_a_long_one()
    for task_no, attempt in held[:-2]:
        driver.machine.ended(task_no, attempt, exited(took=0.001))
    driver.machine.ended(*held[-2], exited(took=0.001))
    batch = driver.batch()  # more claims for worker 0 are being committed
    assert worker(0) in {claim.worker for claim in batch.claims}
    driver.machine.stop(Stop.SIGNAL)
    assert 0 not in dict(driver.machine.effects().ask_back)  # it has only what it executes
    driver.commit(batch)
    assert driver.machine.held_by(0) == held[-1:]


def test_an_attempt_adopted_while_stopping_is_ended_at_once() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    driver.machine.stop(Stop.CANCEL)
    driver.machine.adopt(0, 1, 9, worker(9))
    assert driver.machine.effects().end == [(9, (0, 1))]


def test_a_stop_waits_for_every_running_row_to_be_decided() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, R, attempts=1)])
    driver.machine.stop(Stop.SIGNAL)
    assert driver.offered() is None
    driver.machine.not_begun(0, 1)
    batch = driver.batch()
    assert batch.give_backs == (GiveBack(0, 1),)
    assert batch.release


# ------------------------------------------------------------------------------------------ the run's end


def test_a_run_is_success_when_every_task_is_and_the_same_batch_lets_go_of_it() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited())
    batch = driver.batch()
    assert (batch.run_state, batch.release) == (RunState.SUCCESS, True)
    effects = driver.commit(batch)
    assert effects.released
    assert effects.acknowledge == [(0, (0, 1))]
    assert driver.machine.wake_in(driver.now) is None


def test_a_run_without_tasks_is_a_success() -> None:
    assert Driver([], limit=1).batch().run_state is RunState.SUCCESS


def test_a_resume_of_a_finished_run_says_so_and_lets_go_of_it() -> None:
    driver = Driver([[]], limit=1, rows=[row(0, S, attempts=1)], run_state=RunState.SUCCESS)
    first = driver.batch()
    assert (first.run_state, first.release) == (RunState.RUNNING, False)
    driver.commit(first)
    last = driver.batch()
    assert (last.run_state, last.release) == (RunState.SUCCESS, True)


def test_independent_tasks_go_on_after_a_failure_and_the_run_fails_in_the_end() -> None:
    driver = Driver([[], []], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    batch = driver.batch()
    assert [claim.task_no for claim in batch.claims] == [1]
    driver.commit(batch)
    driver.machine.ended(1, 1, exited())
    last = driver.batch()
    assert (last.run_state, last.release) == (RunState.FAILED, True)


def test_a_waiting_retry_keeps_the_run_alive() -> None:
    driver = Driver([[]], limit=1, policy=RetryPolicy(attempts=2, wait_seconds=5))
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    driver.wait(FLUSH_SECONDS)
    batch = driver.batch()
    assert not batch.release


# ----------------------------------------------------------------------------------- what it must refuse


def test_an_end_is_taken_once() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.ended(0, 1, exited())
    assert not driver.machine.is_live(0, 1)
    with pytest.raises(AssertionError):
        driver.machine.ended(0, 1, exited())


def test_a_worker_number_is_one_worker() -> None:
    machine: Machine = Driver([[]], limit=1).machine
    with pytest.raises(AssertionError):
        machine.worker_ready(0, worker(0))


def test_the_order_in_which_ready_tasks_start_is_a_rule_that_can_be_replaced() -> None:
    class LastFirst:
        def __init__(self) -> None:
            self.tasks: list[int] = []

        def add(self, task_no: int) -> None:
            self.tasks.append(task_no)

        def take(self) -> int:
            return self.tasks.pop()

        def __len__(self) -> int:
            return len(self.tasks)

    driver = Driver(_wide(3), limit=1, rule=LastFirst())
    assert [claim.task_no for claim in driver.batch().claims] == [2]


@pytest.mark.parametrize("hours", [-1, 24])
def test_a_wait_is_as_long_as_it_was_planned_however_the_wall_clock_is_set(hours: int) -> None:
    driver = Driver([[]], limit=1, policy=RetryPolicy(attempts=2, wait_seconds=3))
    driver.commit()
    driver.machine.ended(0, 1, exited(1))
    driver.wait(FLUSH_SECONDS)
    driver.commit()

    def later(seconds: float) -> Now:
        return Now(driver.now.wall + timedelta(hours=hours, seconds=seconds), driver.now.mono + seconds)

    driver.machine.tick(later(0.0))
    assert driver.machine.wake_in(later(0.0)) == 3 - FLUSH_SECONDS
    assert driver.machine.next_batch(later(0.0)) is None
    driver.machine.tick(later(3.0))
    batch = driver.machine.next_batch(later(3.0))
    assert batch is not None
    assert [claim.attempt for claim in batch.claims] == [2]


def test_a_resume_after_the_clock_was_set_back_waits_as_long_as_the_policy_at_most_and_says_so() -> None:
    rows = [row(0, attempts=1, tries=1, not_before=EPOCH + timedelta(hours=1))]
    driver = Driver([[]], limit=1, rows=rows, policy=RetryPolicy(attempts=2, wait_seconds=3))
    assert driver.machine.wake_in(driver.now) == 3.0
    [told] = driver.machine.effects().notes
    assert told.startswith("t0: its next try was planned for 2024-01-01 01:00:00 UTC")
