"""Trying again, for short-lived commands: a supervisor never sleeps, its loop does the waiting."""

from collections.abc import Callable
from typing import TypeVar

from mflow.core.errors import StoreUnavailable

Answer = TypeVar("Answer")


def patient(call: Callable[[], Answer], patience_seconds: float = 30.0) -> Answer:
    """Call until it succeeds, waiting longer and longer between tries, at most so long in all.

    For every method of a store but `apply`: each of them may be repeated after a commit whose answer was
    lost. Raises the last StoreUnavailable, and at once everything else.
    """
    try:
        return call()
    except StoreUnavailable:
        return _insist(call, patience_seconds)


def _insist(call: Callable[[], Answer], patience_seconds: float) -> Answer:
    import tenacity  # it loads asyncio: only for those who must wait

    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(StoreUnavailable),
        wait=tenacity.wait_random_exponential(multiplier=0.05, max=2.0),
        stop=tenacity.stop_before_delay(patience_seconds),
        reraise=True,
    )
    return retrying(call)
