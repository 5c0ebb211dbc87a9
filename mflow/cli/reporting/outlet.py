"""A stream that can never hold up or end a run: it may be slow, stopped, full or gone."""

import errno
import os
import select
import stat

_PIECE = select.PIPE_BUF
"""A pipe that poll calls writable takes at least so much without blocking (pipe(7))."""

_MOST_WAITING = 1_000_000
"""Bytes kept for a reader that does not read; what comes then is left out, and that is said."""

_LEFT_OUT = b"mflow: (lines left out here: nobody had read those before)\n"


class Outlet:
    """Writes text to a file descriptor as far as that is possible at once, and keeps the rest for the next time."""

    def __init__(self, descriptor: int, encoding: str = "utf-8") -> None:
        self.descriptor = descriptor
        self._encoding = encoding
        self._waiting = bytearray()
        self._overflowed = False
        self._gone = False
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLOUT)
        self._piece = 1 << 20 if _never_blocks(descriptor) else _PIECE

    def write(self, text: str) -> None:
        """Write the text, or keep it until there is room. Never blocks, never raises."""
        self.put(text)
        self.flush()

    def put(self, text: str) -> None:
        """Keep the text for the next `flush`."""
        self._keep(text.encode(self._encoding, "backslashreplace"))

    def flush(self, patience_seconds: float = 0.0) -> None:
        """Write what waits; wait up to `patience_seconds` each time that the reader is slow."""
        while self._waiting and not self._gone and self._ready(patience_seconds):
            self._write_piece()
        if self._overflowed and not self._waiting:
            self._overflowed = False
            self._keep(_LEFT_OUT)

    def _keep(self, data: bytes) -> None:
        if self._gone or not data:
            return
        if self._overflowed or (self._waiting and len(self._waiting) + len(data) > _MOST_WAITING):
            self._overflowed = True
            return
        self._waiting += data

    def _ready(self, patience_seconds: float) -> bool:
        return bool(self._poll.poll(patience_seconds * 1000))

    def _write_piece(self) -> None:
        """Whole lines as far as possible: what others write to the same place shall not come in between."""
        whole = self._waiting.rfind(b"\n", 0, self._piece) + 1
        try:
            written = os.write(self.descriptor, self._waiting[: whole or self._piece])
        except BlockingIOError:  # somebody made the descriptor non-blocking
            written = 0
        except OSError as error:
            self._drop(for_good=not _passes(error))
            return
        del self._waiting[:written]

    def _drop(self, *, for_good: bool) -> None:
        """The terminal or reader has gone, or the disk under the file is full."""
        self._gone = for_good
        self._waiting.clear()


def _never_blocks(descriptor: int) -> bool:
    """Whether poll's answer holds for a write of any size."""
    return stat.S_ISREG(os.fstat(descriptor).st_mode)


def _passes(error: OSError) -> bool:
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
