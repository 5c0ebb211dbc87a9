"""The master log `<log_directory>/mflow.log`: one line an event, of every run that uses the folder.

Many processes append to one file, so a line is never split over two writes. It holds no commands and no
environment. A disk that is full or a folder that has gone must not stop a run: it is said once. So it is where
somebody has put something else in the file's place, by which our lines would end in another file: no link is
followed, and no FIFO waited for.
"""

import errno
import os
import stat
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from mflow.engine.provenance import user, writers

FILE_NAME = "mflow.log"

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class MasterLog:
    """Appends the events of one run."""

    def __init__(self, log_directory: str, run_id: int, complain: Callable[[str], None]) -> None:
        """`complain` is told once if the log cannot be written, and once more after it could be again."""
        self._path = Path(log_directory) / FILE_NAME
        self._run_id = run_id
        self._complain = complain
        self._fd: int | None = None
        self._complained = False
        self._lines: list[str] = []

    def add(self, at: datetime, event: str, task_id: str = "-", attempt: int | None = None) -> None:
        """One line: time, run, task, attempt, event; kept until `flush`.

        The time is this machine's, as in all that a person is shown, with its offset from UTC.
        """
        when = at.astimezone().isoformat(timespec="milliseconds")
        line = f"{when} run={self._run_id} task={task_id} attempt={attempt or '-'} {event}"
        self._lines.append((line if line.isprintable() else _one_line(line)) + "\n")

    def flush(self) -> None:
        """Write what was added, in one append."""
        if not self._lines:
            return
        text, self._lines = "".join(self._lines), []
        try:
            if self._fd is None:
                self._fd = self._open()
            os.write(self._fd, text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            self._failed(error)
        else:
            self._complained = False

    def reopen(self) -> None:
        """After a rotation: go on in the file that now has the name."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def reopen_if_rotated(self) -> None:
        """One stat: whether the name still leads to the file that is open."""
        if self._fd is None:
            return
        try:
            there = os.lstat(self._path)
        except OSError:
            self.reopen()
            return
        mine = os.fstat(self._fd)
        if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            self.reopen()

    def _open(self) -> int:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(self._path, _FLAGS, 0o644)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO):
                raise OSError(error.errno, "it is a symbolic link or a FIFO, which is not followed") from None
            raise
        try:
            self._require_a_log(os.fstat(descriptor))
        except OSError:
            os.close(descriptor)
            raise
        return descriptor

    def _require_a_log(self, found: os.stat_result) -> None:
        """A file with other names, or of another user where everybody may make one, may be anything."""
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        if found.st_nlink > 1:
            raise OSError(errno.EMLINK, "it is a hard link: its other name may be anybody's file")
        everybodys = self._path.parent.stat().st_mode & stat.S_IWOTH
        if everybodys and found.st_uid not in writers(str(self._path.parent)):
            raise OSError(
                errno.EPERM, f"it belongs to {user(found.st_uid)}, and everybody may write to its folder"
            )

    def _failed(self, error: OSError) -> None:
        self.reopen()
        if not self._complained:
            self._complained = True
            self._complain(
                f"the master log {self._path} cannot be written: {error.strerror}; the run goes on"
            )


def _one_line(text: str) -> str:
    """What cannot be printed becomes a question mark: an id or message must not forge a line."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
