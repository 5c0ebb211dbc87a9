"""Messages over one end of a stream socket pair, never blocking in either direction."""

import socket
import struct
from typing import Any

from mflow.engine.wire import from_bytes, to_bytes

_LENGTH = struct.Struct("=I")
_CHUNK = 1 << 16


class Channel:
    """One end of a conversation between two processes that trust each other.

    Sending never blocks: what the socket does not take waits in memory until `flush` is called, which the loop does
    when the socket can be written (`wants_write`). Small messages cost one system call each way; those that were
    queued together, one for all.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._unsent = bytearray()
        self._received = bytearray()

    def fileno(self) -> int:
        """The socket, for epoll."""
        return self._sock.fileno()

    @property
    def wants_write(self) -> bool:
        """True while something waits for the socket to take it."""
        return bool(self._unsent)

    def send(self, message: Any) -> None:
        """Send a message, behind those that wait. If the other end is gone: see `flush`."""
        waited = bool(self._unsent)
        self.queue(message)
        if not waited:
            self.flush()

    def queue(self, message: Any) -> None:
        """Have a message sent by the next `flush`."""
        body = to_bytes(message)
        self._unsent += _LENGTH.pack(len(body)) + body

    def flush(self) -> bool:
        """Send as much of what waits as the socket takes now; true if nothing waits any more.

        If the other end is gone all of it is dropped: `receive` is where that is learned.
        """
        while self._unsent:
            try:
                sent = self._sock.send(self._unsent)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:  # nobody is there to read it
                sent = len(self._unsent)
            del self._unsent[:sent]
        return True

    def receive(self) -> list[Any]:
        """All whole messages that have come. Raises EOFError once the other end is gone and all was delivered."""
        ended = self._drain()
        messages = self._take_messages()
        if ended and not messages:
            raise EOFError("the other end of the channel is closed")
        return messages

    def _drain(self) -> bool:
        """Read what is there; true at the end of the stream."""
        while True:
            try:
                chunk = self._sock.recv(_CHUNK)
            except (BlockingIOError, InterruptedError):
                return False
            except OSError:
                return True
            self._received += chunk
            if len(chunk) < _CHUNK:
                return not chunk

    def _take_messages(self) -> list[Any]:
        """Cut the whole messages off what was received."""
        messages: list[Any] = []
        data, at = self._received, 0
        while len(data) - at >= _LENGTH.size:
            start = at + _LENGTH.size
            end = start + _LENGTH.unpack_from(data, at)[0]
            if len(data) < end:
                break
            messages.append(from_bytes(data[start:end]))
            at = end
        del data[:at]
        return messages

    def close(self) -> None:
        """Let go of the socket; what was not sent is lost."""
        self._unsent.clear()
        self._sock.close()
