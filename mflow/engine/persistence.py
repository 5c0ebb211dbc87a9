"""Getting batches committed, whatever the database does: waits, patience, the lease.

::

    idle ──submit──► under way ──committed──► idle
                        │   ▲
             unavailable│   │ timer "retry" (tenacity's wait)
                        ▼   │
                      waiting ──patience over──► given up

While a request is under way or waits for its next try no batch is taken from the machine, so nothing is
dispatched; running attempts go on and their workers keep their outcomes.
"""

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from mflow.core.contracts import LEASE_SECONDS
from mflow.core.errors import StoreUnavailable
from mflow.core.model import Batch
from mflow.engine.alarms import Timers
from mflow.engine.clock import boot_seconds
from mflow.engine.writer import Answer, Beat, Request, Writer

if TYPE_CHECKING:
    from tenacity import RetryCallState

BEAT_SECONDS = LEASE_SECONDS / 3
"""A lease is renewed by every batch, and every so long by a heartbeat, which also sees that a cancel was asked for."""

FIRST_BEAT_SECONDS = 1.0
"""A cancel that was asked for before the supervisor could be woken is seen so long after its start."""

FRESH_SECONDS = LEASE_SECONDS * 2 / 3
"""Without a renewal for so long (suspended time counts) nothing is dispatched until one succeeds."""


OVERDUE_SECONDS = 60.0
"""A request without an answer for so long (a file on a server that hangs) is an outage like any other."""


class _State(Enum):
    IDLE = "idle"
    UNDER_WAY = "under way"
    WAITING = "waiting"


class Persistence:
    """The loop's side of the writer."""

    def __init__(
        self, writer: Writer, timers: Timers, patience_seconds: float, note: Callable[[str], None]
    ) -> None:
        """`note` is told when the database goes and when it is back."""
        self._writer, self._timers, self._note = writer, timers, note
        self._patience_seconds = patience_seconds
        self._state = _State.IDLE
        self._request: Request | None = None
        self._submitted_at = self._renewed_at = boot_seconds()
        self._seen_under_way_at: float | None = None
        self._failures = 0
        self._failing_since = 0.0
        self._beat_wanted = False
        self._plan_beat(FIRST_BEAT_SECONDS)

    def fileno(self) -> int:
        """Readable when the writer has answered."""
        return self._writer.fileno()

    @property
    def idle(self) -> bool:
        """Whether a batch may be submitted."""
        return self._state is _State.IDLE

    @property
    def failing(self) -> bool:
        """Whether the database cannot be reached at present."""
        return self._failures > 0

    @property
    def lease_is_fresh(self) -> bool:
        """Whether the run is ours beyond doubt, by our own clock."""
        return boot_seconds() - self._renewed_at < FRESH_SECONDS

    def submit(self, batch: Batch) -> None:
        """Have a batch committed; `idle` is true."""
        self._start(batch)

    def want_beat(self) -> None:
        """Look at the run's row as soon as nothing else is under way."""
        self._beat_wanted = True
        if self.idle:
            self._start(Beat())

    def retry(self) -> None:
        """The timer "retry" has come."""
        if self._state is _State.WAITING and self._request is not None:
            self._start(self._request)

    def look_at_the_clock(self) -> None:
        """See whether the answer to the request under way is overdue. Raises StoreUnavailable: patience is over."""
        if self._state is not _State.UNDER_WAY:
            return
        now = time.monotonic()
        if self._seen_under_way_at is None:  # not when it was submitted: we may have been stopped since
            self._seen_under_way_at = now
        waited = now - self._seen_under_way_at
        if waited < OVERDUE_SECONDS:
            return
        message = f"the database has not answered for {waited:.0f} s"
        self._begin_outage(message, waited)
        self._failures = max(1, self._failures)
        self._be_patient(message, hint="look whether what it is stored on still answers")

    def take_answer(self) -> Answer | None:
        """A committed request, or None. Raises what ends the supervisor: Superseded, StoreError, a defect."""
        answer = self._writer.take_answer()
        if answer is None:
            return None
        if answer.error is not None:
            self._failed(answer.error)
            return None
        self._succeeded(answer.request)
        return answer

    def _start(self, request: Request) -> None:
        if isinstance(request, Beat):
            self._beat_wanted = False
        self._request = request
        self._state = _State.UNDER_WAY
        self._submitted_at = boot_seconds()
        self._seen_under_way_at = None
        self._writer.submit(request)

    def _succeeded(self, request: Request) -> None:
        if self._failures:
            outage = time.monotonic() - self._failing_since
            self._note(f"the database is back after {outage:.0f} s; the run goes on")
        self._failures = 0
        self._state = _State.IDLE
        self._request = None
        self._renewed_at = self._submitted_at
        if isinstance(request, Beat):
            self._plan_beat(BEAT_SECONDS)
        if self._beat_wanted:
            self._start(Beat())

    def _failed(self, error: BaseException) -> None:
        if not isinstance(error, StoreUnavailable):
            raise error
        self._begin_outage(error.message)
        self._failures += 1
        self._state = _State.WAITING
        self._be_patient(error.message, hint=error.hint)
        self._timers.set("retry", boot_seconds() + _wait_seconds(self._failures))

    def _begin_outage(self, message: str, seconds_ago: float = 0.0) -> None:
        if not self._failures:
            self._failing_since = time.monotonic() - seconds_ago
            self._note(f"{message}; nothing new starts until it is back, running tasks go on")

    def _be_patient(self, message: str, hint: str) -> None:
        if time.monotonic() - self._failing_since > self._patience_seconds:
            raise _PatienceOver(message, hint=hint)

    def _plan_beat(self, seconds: float) -> None:
        self._timers.set("beat", boot_seconds() + seconds)


class _PatienceOver(StoreUnavailable):
    """The database was away for longer than `database_patience_seconds`."""


def _wait_seconds(failures: int) -> float:
    """tenacity's wait before the next try: short at first, since most locks are, 5 s at most."""
    from tenacity import wait_exponential, wait_random

    strategy = wait_exponential(multiplier=0.05, max=5.0) + wait_random(0, 0.05)
    return strategy(_call_state(failures))


def _call_state(failures: int) -> "RetryCallState":
    from tenacity import RetryCallState

    state = RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
    state.attempt_number = failures
    return state
