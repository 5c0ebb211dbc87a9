"""What wakes the loop beside workers and the store: signals, through a descriptor, and named timers."""

import os
import signal
from collections.abc import Iterable

HANDLED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGCHLD)


class SignalPipe:
    """Turns signals into bytes that the loop reads; the handlers themselves do nothing.

    SIGTTOU is ignored, so that `stty tostop` cannot stop a run in the background. A SIGINT that whoever started
    us had ignored (a shell's `mflow &`) stays ignored. A stop that was held back until now is let in.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._before = {number: signal.getsignal(number) for number in (*HANDLED, signal.SIGTTOU)}
        self._wakeup_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in HANDLED:
            if number != signal.SIGINT or self._before[number] is not signal.SIG_IGN:
                signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HANDLED)

    def fileno(self) -> int:
        """Readable when a signal has come."""
        return self._read

    def take(self) -> Iterable[int]:
        """The numbers of the signals that have come, in their order."""
        try:
            return os.read(self._read, 512)
        except BlockingIOError:
            return ()

    def close(self) -> None:
        """Give the signals back as they were."""
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        os.close(self._read)
        os.close(self._write)


class Timers:
    """A handful of named points in time, on the supervisor's monotonic clock (seconds, `clock.now().mono`)."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def set(self, name: str, at: float) -> None:
        """Set or move a timer."""
        self._at[name] = at

    def cancel(self, name: str) -> None:
        """Forget a timer, if it is set."""
        self._at.pop(name, None)

    def is_set(self, name: str) -> bool:
        """Whether the timer still waits."""
        return name in self._at

    def due(self, now: float) -> list[str]:
        """The timers whose time has come, once each."""
        names = [name for name, at in self._at.items() if at <= now]
        for name in names:
            del self._at[name]
        return names

    def next_in(self, now: float) -> float | None:
        """Seconds until the next one, 0 if it is due; None without any."""
        return max(0.0, min(self._at.values()) - now) if self._at else None
