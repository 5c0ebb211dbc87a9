"""What follows from an end, whoever saw it and whatever is being stopped."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.ends import Next, Stop, Witness, what_follows
from mflow.core.model import AttemptEnd, RetryPolicy
from mflow.core.states import Outcome, TaskState
from tests.core.driver import EPOCH, exited

P, S, F = TaskState.PENDING, TaskState.SUCCESS, TaskState.FAILED
FIVE = RetryPolicy(attempts=5, wait_seconds=3.0)

_ENDS = st.builds(
    AttemptEnd,
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 2),
    survivors=st.sampled_from([(), (), (7,)]),
)
_STOPS = st.none() | st.sampled_from(Stop)


def _next(
    end: AttemptEnd,
    *,
    tries: int = 1,
    policy: RetryPolicy = FIVE,
    stopping: Stop | None = None,
    witness: Witness = Witness.OWNER,
) -> Next:
    return what_follows(
        end, tries=tries, policy=policy, draw=0.0, stopping=stopping, witness=witness, now=EPOCH
    )


@given(_STOPS, st.sampled_from(Witness))
def test_what_ended_well_is_success_whatever_else(stopping: Stop | None, witness: Witness) -> None:
    assert _next(exited(0), stopping=stopping, witness=witness) == Next(S, 2)


@given(_ENDS, _STOPS, st.sampled_from(Witness), st.integers(0, 9))
def test_only_what_ended_well_is_success_and_nothing_unproven_is_tried_again(
    end: AttemptEnd, stopping: Stop | None, witness: Witness, tries: int
) -> None:
    following = _next(end, tries=tries, stopping=stopping, witness=witness)
    assert (following.to is S) == end.ok
    if end.outcome is Outcome.UNKNOWN or (end.survivors and not end.ok):
        assert following.to is F
    if following.to is not P:
        assert following.tries == tries + 1
        assert following.not_before is None


@given(_ENDS, st.sampled_from(Witness))
def test_after_a_cancel_nothing_goes_back(end: AttemptEnd, witness: Witness) -> None:
    assert _next(end, stopping=Stop.CANCEL, witness=witness).to in (S, F)


def test_a_retry_has_its_instant() -> None:
    assert _next(exited(1)) == Next(P, 2, EPOCH + timedelta(seconds=3), 3.0)
    assert _next(exited(1), tries=4) == Next(F, 5)


def test_cancelled_by_a_stop_uses_no_try() -> None:
    assert _next(AttemptEnd(Outcome.CANCELLED), stopping=Stop.SIGNAL) == Next(P, 1)


@pytest.mark.parametrize("witness", [Witness.ADOPTER, Witness.FINDER])
def test_cancelled_by_an_earlier_supervisors_stop_uses_no_try(witness: Witness) -> None:
    assert _next(AttemptEnd(Outcome.CANCELLED), witness=witness) == Next(P, 1)


def test_cancelled_out_of_nowhere_is_a_failure() -> None:
    assert _next(AttemptEnd(Outcome.CANCELLED)) == Next(F, 2)


def test_lost_speaks_to_the_policy_but_at_a_resume_the_budget_is_new() -> None:
    lost = AttemptEnd(Outcome.LOST)
    assert _next(lost, policy=RetryPolicy()) == Next(F, 2)
    assert _next(lost, witness=Witness.ADOPTER).tries == 2
    assert _next(lost, policy=RetryPolicy(), witness=Witness.FINDER) == Next(P, 0)
