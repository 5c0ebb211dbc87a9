"""Trying again, for short-lived commands: a supervisor never sleeps, its loop does the waiting."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mflow.core.errors import StoreUnavailable

if TYPE_CHECKING:
    import tenacity

Answer = TypeVar("Answer")

PATIENCE_SECONDS = 30.0

QUIET_SECONDS = 3.0
"""How long is waited without a word."""

OnWait = Callable[[StoreUnavailable, float], None]
"""Told once what is waited for, and for how many seconds more at most."""


def patient(
    call: Callable[[], Answer], patience_seconds: float = PATIENCE_SECONDS, on_wait: OnWait | None = None
) -> Answer:
    """Call until it succeeds, waiting longer and longer between tries, at most so long in all.

    For every method of a store but `apply`: each of them may be repeated after a commit whose answer was
    lost. Raises the last StoreUnavailable, and at once everything else.
    """
    try:
        return call()
    except StoreUnavailable:
        return _insist(call, patience_seconds, on_wait)


def _insist(call: Callable[[], Answer], patience_seconds: float, on_wait: OnWait | None) -> Answer:
    import tenacity  # it loads asyncio: only for those who must wait

    said = False

    def before_sleep(state: "tenacity.RetryCallState") -> None:
        nonlocal said
        waited = state.seconds_since_start
        if said or on_wait is None or waited is None or waited < QUIET_SECONDS:
            return
        said = True
        error = state.outcome.exception() if state.outcome else None
        assert isinstance(error, StoreUnavailable)
        on_wait(error, patience_seconds - waited)

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StoreUnavailable),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2.0),
        stop=tenacity.stop_before_delay(patience_seconds),
        before_sleep=before_sleep,
        reraise=True,
    )
    return retrying(call)
