"""What keeps attempts from starting: a machine that lacks something for a moment, or for long."""

from mflow.core.machine import FLUSH_SECONDS, Stop
from mflow.core.model import AttemptEnd, Batch, GiveBack, Progress, RetryPolicy
from mflow.core.starts import (
    AGAIN_NEWS_SECONDS,
    CALM_SECONDS,
    FIRST_PAUSE_SECONDS,
    LACK_PATIENCE_SECONDS,
    LONGEST_PAUSE_SECONDS,
    Lack,
)
from mflow.core.states import Outcome, TaskState
from tests.core.driver import Driver, exited, worker

A, B = (0, 1), (1, 1)
WHAT = "no further process may be started"


def _wide(count: int) -> list[list[int]]:
    return [[] for _ in range(count)]


def _refuse_all(driver: Driver) -> list[str]:
    """Every claim is refused by its worker; what is told."""
    for number, attempts in driver.dispatched().items():
        for attempt in attempts:
            driver.machine.lacking(number, attempt, WHAT)
    return driver.machine.effects().notes


def _later(driver: Driver) -> Batch:
    """The next batch, when what it holds has waited for company."""
    driver.wait(FLUSH_SECONDS)
    return driver.batch()


# ------------------------------------------------------------------------------------------------ the lack


def test_a_lack_is_news_once_and_pauses_grow() -> None:
    lack = Lack()
    assert WHAT in lack.refused(A, WHAT, 0.0)
    assert lack.refused(B, WHAT, 0.0) == ""  # was under way before
    pauses, mono = [], 0.0
    for _ in range(10):
        wait = lack.again_in(mono)
        assert wait is not None
        pauses.append(wait)
        assert lack.room(mono) == 0
        mono += wait
        assert (lack.room(mono), lack.again_in(mono)) == (1, None)
        lack.claimed(A)
        assert lack.room(mono) == 0
        assert lack.refused(A, WHAT, mono) == ""
    assert pauses[:4] == [FIRST_PAUSE_SECONDS * 2**n for n in range(4)]
    assert pauses[-1] == LONGEST_PAUSE_SECONDS


def test_each_start_lets_one_more_be_tried_and_calm_ends_the_lack() -> None:
    lack = Lack()
    lack.refused(A, WHAT, 0.0)
    lack.claimed(A)
    assert "start again after 3 s" in lack.started(A, 3.0)
    assert lack.room(3.0) == 2
    lack.claimed(B)
    assert lack.started(B, CALM_SECONDS) == ""
    assert not lack.what
    assert lack.room(CALM_SECONDS) > 1000


def test_a_limit_that_is_always_too_low_is_told_once_but_a_second_standstill_is_news() -> None:
    lack = Lack()
    lack.refused(A, WHAT, 0.0)
    lack.claimed(A)
    assert lack.started(A, 1.0)
    lack.claimed(B)
    assert lack.refused(B, WHAT, 1.1) == ""
    lack.claimed(B)
    assert lack.refused(B, WHAT, 1.1 + AGAIN_NEWS_SECONDS)
    lack.claimed(B)
    assert "after 6 s" in lack.started(B, 7.0)


def test_what_was_neither_started_nor_refused_makes_room_after_a_pause() -> None:
    lack = Lack()
    lack.refused(A, WHAT, 0.0)
    lack.claimed(A)
    lack.dropped(A, 1.0)
    assert lack.again_in(1.0) == FIRST_PAUSE_SECONDS


# ---------------------------------------------------------------------------------------- in the machine


def test_no_try_is_used_up_and_one_claim_at_a_time_tries_again() -> None:
    driver = Driver(_wide(50), limit=8, policy=RetryPolicy(attempts=1))
    told = _refuse_all(driver)
    assert told == [f"{WHAT}: nothing new starts until that is over, running tasks go on"]
    batch = _later(driver)
    assert (len(batch.give_backs), batch.claims, batch.endings) == (8, (), ())
    driver.commit(batch)
    assert driver.offered() is None
    assert driver.machine.wake_in(driver.now) == FIRST_PAUSE_SECONDS - FLUSH_SECONDS
    for n in range(3):
        driver.wait(FIRST_PAUSE_SECONDS * 2**n)
        batch = driver.batch()
        assert [(claim.task_no, claim.attempt) for claim in batch.claims] == [A]
        [(number, attempt)] = driver.commit(batch).dispatch
        assert driver.offered() is None
        driver.machine.lacking(number, attempt, WHAT)
        assert not driver.machine.effects().notes


def test_it_goes_on_when_it_is_there_again() -> None:
    driver = Driver(_wide(50), limit=4)
    _refuse_all(driver)
    driver.commit(_later(driver))
    driver.wait(FIRST_PAUSE_SECONDS)
    driver.commit()
    driver.machine.began(0, 1, started_at=driver.now.wall)
    assert driver.machine.effects().notes == ["tasks start again after 0 s"]
    driver.machine.ended(0, 1, exited())
    seen = 1
    while seen < 50:
        driver.wait(FLUSH_SECONDS)
        for attempts in driver.dispatched().values():
            for attempt in attempts:
                seen += 1
                driver.machine.ended(*attempt, exited())
    assert driver.machine.counts[TaskState.SUCCESS] == 50


def test_what_waits_elsewhere_is_asked_back_and_what_is_being_committed_is_not_dispatched() -> None:
    driver = Driver(_wide(9), limit=3)
    [(first, attempt), *_] = driver.commit().dispatch
    driver.machine.ended(1, 1, exited())
    batch = driver.batch()
    assert [claim.task_no for claim in batch.claims] == [3]
    driver.machine.lacking(first, attempt, WHAT)
    assert not driver.commit(batch).dispatch
    assert GiveBack(3, 1) in _later(driver).give_backs


def test_idle_workers_make_room_and_no_more_are_wanted_than_can_be_busy() -> None:
    driver = Driver(_wide(50), limit=8)
    for number, attempts in driver.dispatched().items():
        driver.machine.lacking(number, attempts[0], WHAT)
    leaving = driver.machine.effects().let_go
    assert leaving == [1, 2, 3, 4, 5, 6, 7]
    for number in leaving:
        driver.machine.worker_gone(number)
    assert driver.machine.workers_wanted() == 1
    driver.machine.stop(Stop.SIGNAL)
    assert driver.machine.workers_wanted() == 0


def test_after_minutes_it_is_a_failure_of_the_task_that_says_so() -> None:
    driver = Driver(_wide(2), limit=1)
    _refuse_all(driver)
    driver.commit(_later(driver))
    driver.wait(LACK_PATIENCE_SECONDS)
    [(number, attempt)] = driver.commit().dispatch
    driver.machine.lacking(number, attempt, WHAT)
    batch = _later(driver)
    [ending] = batch.endings
    assert (ending.to, ending.end.outcome) == (TaskState.FAILED, Outcome.NOT_STARTED)
    assert ending.end.message == f"cannot start: {WHAT}, for 5 minutes now"


def test_a_number_whose_log_could_not_be_removed_is_not_used_again() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.lacking(0, A, WHAT, spent=True)
    batch = _later(driver)
    [ending] = batch.endings
    assert (ending.to, ending.tries, batch.give_backs) == (TaskState.PENDING, 0, ())
    assert ending.end == AttemptEnd(Outcome.NOT_STARTED, message=f"cannot start: {WHAT}")
    driver.commit(batch)
    driver.wait(FIRST_PAUSE_SECONDS)
    assert [claim.attempt for claim in driver.batch().claims] == [2]


def test_what_a_worker_says_of_what_another_holds_is_no_lack() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.worker_ready(1, worker(1))
    driver.machine.lacking(1, A, WHAT)
    assert driver.machine.holds(0, A)
    assert not driver.machine.effects().notes


def test_progress_of_an_attempt_that_was_given_back_does_not_hold_up_the_batch() -> None:
    driver = Driver([[]], limit=1)
    driver.commit()
    driver.machine.began(0, 1, facts={"tag": "x"})
    driver.machine.lacking(0, A, WHAT)
    batch = _later(driver)
    assert batch.progress == (Progress(0, 1, facts={"tag": "x"}),)
    assert batch.give_backs == (GiveBack(0, 1),)
