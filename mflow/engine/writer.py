"""The one thread that talks to the state database, so that the loop never waits for it.

::

    loop ──submit(Batch | Beat)──►  writer thread  ──apply / heartbeat──►  store
      ▲                                  │
      └── eventfd readable ◄── Answer ◄──┘

One request at a time. The store makes one bounded attempt; whether and when to try again is the loop's to say,
by submitting the same request again. A commit whose answer was lost is looked up first then, never guessed.
"""

import os
import queue
import threading
from collections import deque
from dataclasses import dataclass

from mflow.core.contracts import Pulse, Store
from mflow.core.errors import StoreUnavailable
from mflow.core.model import Batch
from mflow.engine.assignment import OpenStore


@dataclass(frozen=True, slots=True)
class Beat:
    """Renew the lease, and see whether somebody asked for the run's end."""


Request = Batch | Beat


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a request: `error` None means that it is committed."""

    request: Request
    error: BaseException | None = None
    pulse: Pulse | None = None


class Writer:
    """Persists one request at a time under one fence."""

    def __init__(self, open_store: OpenStore, run_id: int, fence: int) -> None:
        self._open_store = open_store
        self._run_id, self._fence = run_id, fence
        self._store: Store | None = None
        self._in_doubt: Batch | None = None
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._answers: deque[Answer] = deque()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._serve, name="mflow-writer", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """Readable when an answer is there."""
        return self._bell

    def submit(self, request: Request) -> None:
        """Have it persisted. The answer to the request before must have been taken."""
        self._requests.put(request)

    def take_answer(self) -> Answer | None:
        """The answer, once, if it has come."""
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            pass
        return self._answers.popleft() if self._answers else None

    def close(self, timeout_seconds: float) -> None:
        """Let go of the database; waits for the thread at most so long."""
        self._requests.put(None)
        self._thread.join(timeout_seconds)

    def _serve(self) -> None:
        while (request := self._requests.get()) is not None:
            self._answers.append(self._answer(request))
            os.eventfd_write(self._bell, 1)
        if self._store is not None:
            self._store.close()

    def _answer(self, request: Request) -> Answer:
        try:
            return Answer(request, pulse=self._perform(request))
        except StoreUnavailable as error:
            if error.applied_unknown and isinstance(request, Batch):
                self._in_doubt = request
            return Answer(request, error)
        except BaseException as error:  # noqa: BLE001  (the loop raises it again in its own thread)
            return Answer(request, error)

    def _perform(self, request: Request) -> Pulse | None:
        if self._store is None:
            self._store = self._open_store()
        if isinstance(request, Beat):
            return self._store.heartbeat(self._run_id, self._fence)
        if not self._was_applied(request):
            self._store.apply(self._run_id, self._fence, request)
        return None

    def _was_applied(self, batch: Batch) -> bool:
        """Whether an earlier try of this batch had reached the database although its answer was lost."""
        if self._in_doubt is not batch:
            return False
        assert self._store is not None
        applied = self._store.was_applied(self._run_id, self._fence, batch.number)
        self._in_doubt = None
        return applied


def is_worth_waiting(error: BaseException) -> bool:
    """True if the same request may succeed later."""
    return isinstance(error, StoreUnavailable)
