"""What wakes a worker's loop beside its descriptors: signals, and its other threads."""

import os
import signal
from contextlib import suppress

END_SIGNAL = signal.SIGUSR1
"""Sent to a worker whose supervisor is gone: end your attempt. Again: within a second."""


class Wakeups:
    """A pipe that becomes readable when a signal has come or `wake` was called."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._asks = self._terms = 0
        self.heeds_children = False
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        signal.signal(END_SIGNAL, self._on_end_signal)
        signal.signal(signal.SIGTERM, self._on_term)

    def fileno(self) -> int:
        """Readable after a wake-up, until `clear`."""
        return self._read

    def wake(self) -> None:
        """Wake the loop, from any thread."""
        with suppress(BlockingIOError):  # full: a wake-up is on its way
            os.write(self._write, b"\0")

    def clear(self) -> None:
        """Before looking for what has happened."""
        with suppress(BlockingIOError):
            os.read(self._read, 4096)

    def take_asks(self) -> int:
        """How often `END_SIGNAL` has come since the last call, as far as the kernel tells repeated ones apart."""
        asks, self._asks = self._asks, 0
        return asks

    def take_terms(self) -> int:
        """The same of SIGTERM."""
        terms, self._terms = self._terms, 0
        return terms

    def heed_children(self, wanted: bool) -> None:
        """Wake at SIGCHLD, or do not: for a short attempt that would be a third of the worker's work."""
        if wanted != self.heeds_children:
            self.heeds_children = wanted
            signal.signal(signal.SIGCHLD, _on_child if wanted else signal.SIG_DFL)

    def _on_end_signal(self, *_: object) -> None:
        self._asks += 1

    def _on_term(self, *_: object) -> None:
        self._terms += 1


def _on_child(*_: object) -> None:
    """A handler whose only use is that the pipe is written to."""
