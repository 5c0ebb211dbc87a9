"""What is written into an attempt's log: mflow's own lines, the database's output, rows of a query as a table."""

import os
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from mflow.core.secrets import mask

CELL_CHARACTERS = 100
"""A longer value is cut in a table."""


class Log:
    """The log's descriptor, for threads that may outlive the attempt: after `close` nothing is written any more."""

    def __init__(self, descriptor: int, secrets: Iterable[str] = ()) -> None:
        self._descriptor: int | None = descriptor
        self._secrets = frozenset(secrets)
        self._lock = threading.Lock()

    def hide(self, secrets: Iterable[str]) -> None:
        """These are never written from now on."""
        self._secrets |= frozenset(secrets)

    def masked(self, text: str) -> str:
        """The text without secrets."""
        return mask(text, self._secrets)

    def say(self, text: str) -> None:
        """A word of mflow's own, of one or more lines."""
        self.put("".join(f"mflow: {line}\n" for line in text.splitlines() or [""]))

    def put(self, text: str) -> None:
        """Output as it is. A full disk must not end the work in the database."""
        self._write(self.masked(text))

    def mark(self, text: str, *, durably: bool = True) -> bool:
        """A word of mflow's own without secrets that a later attempt reads; false if it may not find it.

        `durably`: even if the machine dies.
        """
        if not self._write(f"mflow: {text}\n"):
            return False
        if not durably:
            return True
        with self._lock, suppress(OSError):
            if self._descriptor is not None:
                os.fsync(self._descriptor)
                return True
        return False

    def _write(self, text: str) -> bool:
        data = memoryview(text.encode(errors="backslashreplace"))
        with self._lock, suppress(OSError):
            while data and self._descriptor is not None:
                data = data[os.write(self._descriptor, data) :]
        return not data

    def close(self) -> None:
        """Let go of the descriptor, which is about to be closed and its number used again."""
        with self._lock:
            self._descriptor = None


def table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under their columns' names, as wide as they need."""
    widths = [max(map(len, column)) for column in zip(names, *rows, strict=True)]
    lines = [names, ["-" * width for width in widths], *rows]
    return "".join(f"{_row(line, widths)}\n" for line in lines)


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def cell(value: Any) -> str:
    """A value in one line: cut, without control characters; NULL is empty, as in SQL*Plus."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        text = value[:CELL_CHARACTERS].hex().upper()
    elif isinstance(value, datetime):
        text = value.isoformat(" ")
    elif isinstance(value, date):
        text = value.isoformat()
    else:
        text = str(value)
    line = "".join(sign if sign.isprintable() else " " for sign in text[: CELL_CHARACTERS + 1])
    return line if len(line) <= CELL_CHARACTERS else f"{line[: CELL_CHARACTERS - 3]}..."
