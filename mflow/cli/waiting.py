"""Waiting for a state database that cannot be had for a moment: whoever sits before it is told what for."""

from collections.abc import Callable
from typing import TypeVar

from mflow.cli.boundary import tell
from mflow.core.errors import StoreUnavailable
from mflow.store import patience

Answer = TypeVar("Answer")


def patient(call: Callable[[], Answer]) -> Answer:
    """Call a method of a store until it succeeds, as `store.patience` does, but not long without a word."""
    return patience.patient(call, on_wait=tell_of_wait)


def tell_of_wait(error: StoreUnavailable, seconds: float) -> None:
    """What is waited for, and for how long at most."""
    tell(f"{error.message}: tried again, for {seconds:.0f} s more at most. {error.hint}".rstrip())
