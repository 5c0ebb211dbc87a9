"""Whether, and after how long, an attempt that failed is tried again.

tenacity's strategies decide (stop, wait); the loop does the waiting. Which ends are tried again by default,
and what narrows them, is fixed by the protocol: EXITED non-zero, SIGNALLED, TIMED_OUT, ERROR and LOST are;
NOT_STARTED only if `on_errors` names it; CANCELLED, UNKNOWN and what would lock an account never.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from mflow.core.model import AttemptEnd, Backoff, RetryPolicy, TaskRow
from mflow.core.states import Outcome

if TYPE_CHECKING:
    from tenacity import RetryCallState
    from tenacity.stop import stop_base

RETRIED_BY_DEFAULT = frozenset(
    {Outcome.EXITED, Outcome.SIGNALLED, Outcome.TIMED_OUT, Outcome.ERROR, Outcome.LOST}
)
NEVER_RETRIED = frozenset({Outcome.CANCELLED, Outcome.UNKNOWN})

LOCKING = frozenset({"ORA-01017", "ORA-28000", "ORA-28001"})
"""Refused logins to Oracle: each further one may lock the account, whatever a policy says."""

LONGEST_WAIT_SECONDS = 7 * 24 * 3600.0
"""The longest wait where the user has set no `max_wait_seconds`; also the longest of those."""


def wait_before_retry(policy: RetryPolicy, end: AttemptEnd, tries: int, draw: float) -> float | None:
    """Seconds to wait before the next try after `tries` were used up, or None if there is none.

    The first wait is `wait_seconds`; an exponential one doubles with each try; the cap holds for all, jitter
    included. `draw` in [0, 1) is the randomness of the jitter, drawn by the caller so that a simulation replays.
    """
    if not _matches(policy, end) or policy.attempts <= 1:
        return None
    state = _call_state(tries)
    if _stop(policy)(state):
        return None
    return _wait(policy, draw, state)


def longest_wait(policy: RetryPolicy) -> float:
    """Seconds that no wait of this policy can exceed."""
    cap = LONGEST_WAIT_SECONDS
    if policy.max_wait_seconds is not None:
        cap = min(cap, policy.max_wait_seconds)
    doublings = max(0, min(policy.attempts - 2, 64)) if policy.backoff is Backoff.EXPONENTIAL else 0
    return float(min(policy.wait_seconds * 2**doublings + policy.jitter, cap))


def planned_wait(row: TaskRow, policy: RetryPolicy, now: datetime) -> tuple[float, str]:
    """Seconds until a try that another supervisor planned; and what is to be told if no policy can have meant that."""
    if row.not_before is None:
        return 0.0, ""
    wait, longest = (row.not_before - now).total_seconds(), longest_wait(policy)
    if wait <= longest:
        return wait, ""
    return longest, (
        f"{row.id}: its next try was planned for {row.not_before:%Y-%m-%d %H:%M:%S} UTC, later than its policy ever "
        f"waits (was the clock set back?): it starts within {longest:g} s"
    )


def _matches(policy: RetryPolicy, end: AttemptEnd) -> bool:
    if end.ok or end.outcome in NEVER_RETRIED or end.error in LOCKING:
        return False
    if end.outcome is Outcome.EXITED and policy.on_exit_codes is not None:
        return end.exit_code in policy.on_exit_codes
    if policy.on_errors is not None:
        said = {str(word).upper() for word in (end.outcome, end.signal, end.error) if word}
        return not said.isdisjoint(word.upper() for word in policy.on_errors)
    return end.outcome in RETRIED_BY_DEFAULT and end.retry_safe is not False


def _call_state(tries: int) -> RetryCallState:
    from tenacity import RetryCallState  # 0.05 s to import, and most runs retry nothing

    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = tries
    return state


def _stop(policy: RetryPolicy) -> stop_base:
    from tenacity import stop_after_attempt

    return stop_after_attempt(policy.attempts)


def _wait(policy: RetryPolicy, draw: float, state: RetryCallState) -> float:
    from tenacity import wait_exponential, wait_fixed

    cap = LONGEST_WAIT_SECONDS
    if policy.max_wait_seconds is not None:
        cap = min(cap, policy.max_wait_seconds)
    if policy.backoff is Backoff.EXPONENTIAL:
        base = wait_exponential(multiplier=policy.wait_seconds, max=cap)(state)
    else:
        base = wait_fixed(policy.wait_seconds)(state)
    return min(base + draw * policy.jitter, cap)
