"""The last lines of an attempt's log, made harmless: what a task printed may be anything."""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

from mflow.cli.wording import clean
from mflow.core.disks import is_full

_WINDOW = 16384
"""Bytes read at most from the end of a log: a line without end must not fill the screen or the memory."""

_WIDTH = 500

_ESCAPES = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)|[@-Z\\^_])")
"""Colours, cursor moves and titles: what ECMA-48 calls control sequences. They say nothing to a reader."""


def last_lines(path: str, count: int = 10, hide: Callable[[str], str] = str) -> list[str]:
    """The last `count` lines that are not empty at the end of the log. Raises OSError if it cannot be read.

    `hide` masks secrets: before lines are cut, so that none is shown in part.
    """
    text = hide(_window(path).decode("utf-8", "backslashreplace"))
    lines = [_harmless(line) for line in text.rstrip().split("\n")[-count:]]
    return [] if lines == [""] else lines


def disk_is_full(path: str) -> bool:
    """Whether the disk of a log has no room now: what a task printed may not have got there."""
    try:
        disk = os.statvfs(Path(path).parent)
    except OSError:
        return False
    return is_full(disk, as_root=os.geteuid() == 0)


def _window(path: str) -> bytes:
    # Without O_NONBLOCK a FIFO in the place of the log would hang the reader.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "not a regular file", path)
        return os.pread(handle, _WINDOW, max(0, status.st_size - _WINDOW))
    finally:
        os.close(handle)


def _harmless(line: str) -> str:
    """One line as a terminal would leave it standing: what a carriage return overwrites is left out."""
    plain = _ESCAPES.sub("", line).rstrip("\r")
    shown = clean(plain.rpartition("\r")[2].expandtabs())
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"
