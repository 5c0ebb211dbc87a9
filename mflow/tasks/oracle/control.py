"""What the threads of one attempt know in common: how far it is, whether it is to stop, and its end.

::

    BEFORE ──begin──► RUNNING ──may_commit──► COMMITTING          settle: the first end counts, whoever tells it
      │ nothing of the task was sent             │ a cancel is of no use any more

The session's own thread asks before each step; the worker's thread and the one that ends the session may come between.
"""

import os
import threading
from enum import IntEnum

from mflow.core.contracts import StopStep
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle.log import Log
from mflow.tasks.oracle.session import SessionId


class Stage(IntEnum):
    """How far an attempt is."""

    BEFORE = 0
    RUNNING = 1
    COMMITTING = 2


class Control:
    """Shared state behind one lock. `fileno` is readable once there is an end."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.fileno = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.earlier: SessionId | None = (
            None  # a session that must be proven gone before this attempt may begin
        )
        self._changed = threading.Condition()
        self._stage = Stage.BEFORE
        self._step: StopStep | None = None
        self._end: AttemptEnd | None = None
        self._deferred = False

    # ------------------------------------------------------------------------------ the session's thread

    def begin(self) -> bool:
        """The task's first statement is about to be sent; false if it must not."""
        with self._changed:
            return self._enter(Stage.RUNNING)

    def may_go_on(self) -> bool:
        """Whether the next statement may be sent."""
        with self._changed:
            return self._step is None and self._end is None

    def may_commit(self) -> bool:
        """The commit is about to be sent; false if it must not. From then on nothing is cancelled any more."""
        with self._changed:
            return self._enter(Stage.COMMITTING)

    def defer(self) -> None:
        """This thread knows less than the one that ends the session: that shall tell how it ended."""
        with self._changed:
            self._deferred = True
            self._changed.notify_all()

    def _enter(self, stage: Stage) -> bool:
        if self._step is not None or self._end is not None:
            return False
        self._stage = stage
        return True

    # --------------------------------------------------------------------------------------- all threads

    @property
    def stage(self) -> Stage:
        """How far it is."""
        with self._changed:
            return self._stage

    @property
    def step(self) -> StopStep | None:
        """The last step of the ending; None if nobody asked for it."""
        with self._changed:
            return self._step

    @property
    def end(self) -> AttemptEnd | None:
        """How it ended; None until then."""
        with self._changed:
            return self._end

    def settle(self, end: AttemptEnd) -> bool:
        """This is the end, unless there was one before. Nothing is logged any more after it."""
        with self._changed:
            return self._settle(end)

    def stop(self, step: StopStep) -> bool:
        """Take a step of the ending. True if somebody must now see to the session."""
        with self._changed:
            first = self._step is None
            self._step = max(step, self._step or step)
            self._changed.notify_all()
            if self._stage is Stage.BEFORE:
                self._settle(_stopped_before(self.earlier))
            return first and self._end is None

    def await_step(self, step: StopStep, seconds: float | None = None) -> bool:
        """Wait for this step of the ending; false if the attempt has ended instead (or the time is over)."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or (self._step or 0) >= step, seconds)
            return self._end is None and (self._step or 0) >= step

    def rest(self, seconds: float) -> None:
        """Pause, at most until there is an end."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None, seconds)

    def await_own_thread(self, seconds: float) -> None:
        """Wait until the session's own thread has told the end, or has left that to others."""
        with self._changed:
            self._changed.wait_for(lambda: self._end is not None or self._deferred, seconds)

    def _settle(self, end: AttemptEnd) -> bool:
        if self._end is not None:
            return False
        message = self.log.masked(end.message) if end.message else end.message
        self._end = end._replace(message=message)
        self.log.close()
        self._changed.notify_all()
        os.eventfd_write(self.fileno, 1)
        return True


def _stopped_before(earlier: SessionId | None) -> AttemptEnd:
    """Nothing was sent; but an earlier attempt's session may still be at work, and that is not to be forgotten."""
    if earlier is not None:
        message = f"stopped before an earlier attempt's {earlier} was proven gone"
        return AttemptEnd(Outcome.UNKNOWN, message=message, retry_safe=False)
    return AttemptEnd(Outcome.CANCELLED, message="stopped before anything was sent to the database")
