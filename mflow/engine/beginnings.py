"""When the beginning of an attempt is told: once, and not while it only waits in its worker."""

from collections.abc import Callable
from datetime import datetime

from mflow.core.holders import Attempt


class Beginnings:
    """Attempts that were handed to a worker behind another one: it may still give them back."""

    def __init__(self, tell: Callable[[Attempt, datetime, str], None]) -> None:
        self._tell = tell
        self._waiting: set[Attempt] = set()

    def dispatched(self, attempt: Attempt, at: datetime, *, behind_another: bool) -> None:
        """A worker has got it, and begins it at once unless it is `behind_another`."""
        if behind_another:
            self._waiting.add(attempt)
        else:
            self._waiting.discard(attempt)  # of an earlier dispatch, given back
            self._tell(attempt, at, "started")

    def began(self, attempt: Attempt, at: datetime | None) -> None:
        """Its worker says when it began, or (None) that it never did."""
        if attempt in self._waiting:
            self._waiting.discard(attempt)
            if at is not None:
                self._tell(attempt, at, "started")

    def adopted(self, attempt: Attempt, at: datetime) -> None:
        """It goes on in the worker of a dead supervisor."""
        self._tell(attempt, at, "adopted")
