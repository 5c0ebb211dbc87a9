"""Which ends are tried again, and after how long."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.model import AttemptEnd, Backoff, RetryPolicy, TaskRow
from mflow.core.retry import (
    LOCKING,
    LONGEST_WAIT_SECONDS,
    NEVER_RETRIED,
    RETRIED_BY_DEFAULT,
    longest_wait,
    planned_wait,
    wait_before_retry,
)
from mflow.core.states import Outcome, TaskState
from tests.core.driver import EPOCH

_SECONDS = st.floats(0, 1e12)
_DRAWS = st.floats(0, 1, exclude_max=True)
_POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 50),
    wait_seconds=_SECONDS,
    backoff=st.sampled_from(Backoff),
    max_wait_seconds=st.none() | _SECONDS,
    jitter=_SECONDS,
    on_exit_codes=st.none() | st.lists(st.integers(0, 4), max_size=3).map(tuple),
    on_errors=st.none()
    | st.lists(st.sampled_from([*Outcome, "SIGKILL", "sigterm", "ORA-00060"]), max_size=3).map(tuple),
)
_ENDS = st.builds(
    AttemptEnd,
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 4),
    signal=st.none() | st.sampled_from(["SIGKILL", "SIGTERM"]),
    error=st.none() | st.sampled_from(["ORA-00060", "ORA-01403"]),
    retry_safe=st.none() | st.booleans(),
)

TEN_TIMES = RetryPolicy(attempts=10, wait_seconds=2.0)
FAILURE = AttemptEnd(Outcome.EXITED, 1)


def _wait(policy: RetryPolicy, end: AttemptEnd = FAILURE, tries: int = 1, draw: float = 0.0) -> float | None:
    return wait_before_retry(policy, end, tries, draw)


# ---------------------------------------------------------------------------------------- which are tried again


def test_every_outcome_is_either_retried_by_default_or_not() -> None:
    for outcome in Outcome:
        wait = _wait(TEN_TIMES, AttemptEnd(outcome, exit_code=1))
        assert (wait is not None) == (outcome in RETRIED_BY_DEFAULT), outcome


def test_what_cannot_be_proven_or_was_asked_for_is_never_retried_even_if_named() -> None:
    for outcome in NEVER_RETRIED:
        policy = replace(TEN_TIMES, on_errors=(outcome.value,))
        assert _wait(policy, AttemptEnd(outcome)) is None


def test_success_is_not_retried() -> None:
    assert _wait(TEN_TIMES, AttemptEnd(Outcome.EXITED, 0)) is None
    assert _wait(replace(TEN_TIMES, on_exit_codes=(0,)), AttemptEnd(Outcome.EXITED, 0)) is None


def test_exit_codes_narrow_what_exited_and_nothing_else() -> None:
    policy = replace(TEN_TIMES, on_exit_codes=(75, 2))
    assert _wait(policy, AttemptEnd(Outcome.EXITED, 75)) is not None
    assert _wait(policy, AttemptEnd(Outcome.EXITED, 1)) is None
    assert _wait(policy, AttemptEnd(Outcome.SIGNALLED, signal="SIGKILL")) is not None
    assert _wait(replace(policy, on_exit_codes=()), AttemptEnd(Outcome.EXITED, 1)) is None


@pytest.mark.parametrize("word", ["SIGKILL", "sigkill", "SIGNALLED"])
def test_errors_name_signals_and_outcomes_in_any_case(word: str) -> None:
    policy = replace(TEN_TIMES, on_errors=(word,))
    assert _wait(policy, AttemptEnd(Outcome.SIGNALLED, signal="SIGKILL")) is not None
    assert _wait(policy, FAILURE) is None


def test_errors_name_codes_of_a_database() -> None:
    policy = replace(TEN_TIMES, on_errors=("ORA-00060",))
    assert _wait(policy, AttemptEnd(Outcome.ERROR, error="ORA-00060")) is not None
    assert _wait(policy, AttemptEnd(Outcome.ERROR, error="ORA-01403")) is None


def test_what_could_not_start_is_retried_only_if_named() -> None:
    end = AttemptEnd(Outcome.NOT_STARTED)
    assert _wait(TEN_TIMES, end) is None
    assert _wait(replace(TEN_TIMES, on_errors=("NOT_STARTED",)), end) is not None


def test_exit_codes_and_errors_together_each_speak_for_their_own() -> None:
    policy = replace(TEN_TIMES, on_exit_codes=(75,), on_errors=("SIGKILL",))
    assert _wait(policy, AttemptEnd(Outcome.EXITED, 75)) is not None
    assert _wait(policy, AttemptEnd(Outcome.SIGNALLED, signal="SIGKILL")) is not None
    assert _wait(policy, AttemptEnd(Outcome.SIGNALLED, signal="SIGTERM")) is None
    assert _wait(policy, AttemptEnd(Outcome.TIMED_OUT)) is None


def test_a_task_type_may_say_that_a_further_try_is_not_safe_unless_the_user_named_the_error() -> None:
    end = AttemptEnd(Outcome.ERROR, error="ORA-03113", retry_safe=False)
    assert _wait(TEN_TIMES, end) is None
    assert _wait(replace(TEN_TIMES, on_errors=("ORA-03113",)), end) is not None


def test_one_attempt_is_one() -> None:
    assert _wait(RetryPolicy(), FAILURE) is None


def test_attempts_count_all_tries() -> None:
    policy = RetryPolicy(attempts=4)  # retries: 3
    assert [_wait(policy, tries=tries) is not None for tries in (1, 2, 3, 4, 5)] == [True] * 3 + [False] * 2


# ------------------------------------------------------------------------------------------- after how long


def test_a_fixed_wait_stays() -> None:
    assert [_wait(TEN_TIMES, tries=tries) for tries in (1, 2, 9)] == [2.0, 2.0, 2.0]


def test_an_exponential_wait_begins_with_itself_and_doubles() -> None:
    policy = replace(TEN_TIMES, backoff=Backoff.EXPONENTIAL)
    assert [_wait(policy, tries=tries) for tries in (1, 2, 3, 4)] == [2.0, 4.0, 8.0, 16.0]


@pytest.mark.parametrize("backoff", Backoff)
def test_the_cap_holds_for_every_backoff_and_for_the_jitter(backoff: Backoff) -> None:
    policy = replace(TEN_TIMES, backoff=backoff, wait_seconds=40.0, max_wait_seconds=50.0, jitter=30.0)
    assert _wait(policy, tries=1, draw=0.1) == pytest.approx(43.0)
    assert _wait(policy, tries=1, draw=0.9) == 50.0
    assert _wait(replace(policy, max_wait_seconds=5.0), tries=9) == 5.0


def test_the_jitter_is_the_draw_and_nothing_else() -> None:
    policy = replace(TEN_TIMES, jitter=10.0)
    assert _wait(policy, draw=0.0) == 2.0
    assert _wait(policy, draw=0.25) == 4.5
    assert _wait(policy, draw=0.25) == _wait(policy, draw=0.25)


@given(_POLICIES, _ENDS, st.integers(1, 10_000), _DRAWS)
def test_a_wait_is_always_within_its_bounds(
    policy: RetryPolicy, end: AttemptEnd, tries: int, draw: float
) -> None:
    wait = wait_before_retry(policy, end, tries, draw)
    if wait is None:
        return
    assert tries < policy.attempts
    assert not end.ok
    assert end.outcome not in NEVER_RETRIED
    assert 0 <= wait <= LONGEST_WAIT_SECONDS
    assert policy.max_wait_seconds is None or wait <= policy.max_wait_seconds


@given(_POLICIES, _ENDS, _DRAWS, st.integers(1, 40))
def test_whether_to_try_again_depends_on_the_tries_only_by_their_limit(
    policy: RetryPolicy, end: AttemptEnd, draw: float, tries: int
) -> None:
    first = wait_before_retry(replace(policy, attempts=1000), end, 1, draw)
    later = wait_before_retry(policy, end, tries, draw)
    assert (later is not None) == (first is not None and tries < policy.attempts)


@given(_POLICIES, _DRAWS, st.integers(1, 200))
def test_waits_never_shrink_with_the_tries(policy: RetryPolicy, draw: float, tries: int) -> None:
    policy = replace(policy, attempts=1000, on_exit_codes=None, on_errors=None)
    sooner, later = _wait(policy, tries=tries, draw=draw), _wait(policy, tries=tries + 1, draw=draw)
    assert sooner is not None
    assert later is not None
    assert sooner <= later


@pytest.mark.parametrize("code", sorted(LOCKING))
def test_a_refused_login_is_never_tried_again(code: str) -> None:
    end = AttemptEnd(Outcome.ERROR, error=code)
    for words in (None, ("ERROR",), (code,)):
        assert _wait(replace(TEN_TIMES, on_errors=words), end) is None


def test_a_plan_that_no_policy_can_have_made_is_questioned() -> None:
    policy = RetryPolicy(attempts=4, wait_seconds=3, backoff=Backoff.EXPONENTIAL, jitter=1)
    assert longest_wait(policy) == 13
    row = TaskRow(0, "load", "bash", TaskState.PENDING, 1, not_before=EPOCH + timedelta(seconds=13))
    assert planned_wait(row, policy, EPOCH) == (13.0, "")
    wait, told = planned_wait(row, policy, EPOCH - timedelta(hours=1))
    assert wait == 13.0
    assert told.startswith("load: its next try was planned for 2024-01-01 00:00:13 UTC")
    assert planned_wait(TaskRow(0, "load", "bash", TaskState.PENDING), policy, EPOCH) == (0.0, "")


@given(_POLICIES, st.integers(1, 60), _DRAWS)
def test_no_wait_is_longer_than_the_longest(policy: RetryPolicy, tries: int, draw: float) -> None:
    for outcome in RETRIED_BY_DEFAULT:
        wait = wait_before_retry(policy, AttemptEnd(outcome), tries, draw)
        assert wait is None or wait <= longest_wait(policy)
