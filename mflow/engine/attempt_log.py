"""The file of an attempt's output: created before anything starts, and never one that was there.

It is also what tells later, when its worker is dead, whether something of the attempt lives. The worker locks it
(flock(2)) and leaves the attempt's processes a descriptor of it beside stdout and stderr: so the kernel keeps the lock
as long as one of them lives that has not closed it, whatever became of its environment, session and output. And an
extended attribute names the attempt and its first process: it stays with the file when that is renamed,
moved or deleted, and is read through whoever has it open.

Neither is tried on a network file system, where a lock or an attribute is a message to a server, which may not answer.
"""

import fcntl
import functools
import os
import re
import resource
import time
from contextlib import suppress
from typing import NamedTuple

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine.lacks import is_lack
from mflow.engine.outcome_file import fallback_path
from mflow.engine.procfs import TICKS_PER_SECOND, origin, unless_spent
from mflow.engine.provenance import make_folder_like

WITNESS = 187
"""The descriptor that an attempt's processes inherit: shells use 10 to 63 and 255, scripts 3 to 9, 99, 100 and 200."""

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
_LOOK = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_LEADER = "user.mflow.leader"
_LEADER_VALUE = re.compile(rb"(\d{1,9}) (\d{1,19}) (\S{1,40})(?: (\S{1,80}))?")
_REMOTE = re.compile(r"nfs|cifs|smb|9p$|ceph|lustre|gpfs|afs|fuse|glusterfs|beegfs|ocfs2|gfs2")


class Leader(NamedTuple):
    """The first process of an attempt. One of that pid that started later is another."""

    pid: int
    not_after: int  # clock ticks since the boot
    origin: bytes  # of its worker; see `procfs.origin`
    token: bytes = b""  # of the attempt


def create_log(log: str, fallback_folder: str) -> tuple[int, str]:
    """Create the log, its folder too if that has vanished, or else one in the fallback folder; and lock it.

    Returns a descriptor open for appending, and the path. Raises FileExistsError if the name is taken, be it by a
    link to nowhere: then the attempt has begun before, or somebody made sure that it never will. Raises OSError if
    the log can be had in neither place; its `errno` is that of a lack if waiting may help in either.
    """
    try:
        return _create(log), log
    except FileExistsError:
        raise
    except OSError as error:
        first = error
    if _make_folder(os.path.dirname(log)):
        with suppress(PermissionError, FileNotFoundError):
            return _create(log), log
    try:
        return _create_in_fallback(log, fallback_folder)
    except FileExistsError:
        raise
    except OSError as error:
        number = first.errno if is_lack(first) else error.errno
        said = f"no log: {log}: {first.strerror}; {fallback_folder}: {error.strerror or error}"
        raise OSError(number, said) from None


def without_log(log: str, error: OSError) -> AttemptEnd:
    """The end of an attempt whose log could not be created."""
    if isinstance(error, FileExistsError):
        message = (
            f"cannot start: the log {log} is there already: nothing may run under another attempt's name"
        )
    else:
        message = f"cannot start: {error.strerror}"
    return AttemptEnd(Outcome.NOT_STARTED, message=message)


def remove_log(log: str) -> bool:
    """Remove a log whose attempt has not begun after all: its number may be used again. False if it is still there."""
    try:
        os.unlink(log)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


@functools.cache
def witness() -> int | None:
    """The number of the descriptor that an attempt's processes inherit; None if they may have too few."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = WITNESS if not 0 <= limit <= WITNESS else limit - 1
    return number if number > 20 else None


def note_leader(log_fd: int, log: str, pid: int, token: str) -> None:
    """Leave on the log whose it is, and which process was started just now; some microseconds."""
    if _is_local(os.path.dirname(log)):
        with suppress(OSError):  # a file system without attributes, or without room for one
            instant = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
            os.setxattr(log_fd, _LEADER, b"%d %d %s %s" % (pid, instant, _own_origin(), token.encode()))


def noted_leader(log: str) -> Leader | None:
    """What `note_leader` has left, if anything."""
    return _read_leader(log, follow=False)


def noted_token(pid: int, descriptor: int | str, path: str) -> bytes | None:
    """Whose log a process has open at that number, wherever the file is now; `path`: what /proc says of it."""
    if not path.startswith("/") or path.startswith("/dev/") or not _is_local_place(os.path.dirname(path)):
        return None
    noted = _read_leader(f"/proc/{pid}/fd/{descriptor}", follow=True)
    return noted.token if noted and noted.token else None


def _read_leader(path: str, *, follow: bool) -> Leader | None:
    try:
        value = os.getxattr(path, _LEADER, follow_symlinks=follow)
    except OSError:
        return None
    found = _LEADER_VALUE.fullmatch(value)
    if found is None:
        return None
    return Leader(int(found[1]), int(found[2]) * TICKS_PER_SECOND // 1_000_000_000, found[3], found[4] or b"")


def is_locked(log: str) -> bool:
    """Whether the worker lives, or a process of the attempt that has inherited the log."""
    if not _is_local(os.path.dirname(log)):
        return False
    try:
        descriptor = os.open(log, _LOOK)
    except OSError as error:
        unless_spent(error)
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


def _create_in_fallback(log: str, fallback_folder: str) -> tuple[int, str]:
    path = fallback_path(log, make_folder_like(fallback_folder))
    return _create(path), path


def _create(path: str) -> int:
    descriptor = os.open(path, _FLAGS, 0o666)
    if _is_local(os.path.dirname(path)):
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return descriptor


def _make_folder(folder: str) -> bool:
    with suppress(OSError):
        os.makedirs(folder, mode=0o755, exist_ok=True)
        return True
    return False


@functools.cache
def _own_origin() -> bytes:
    return origin()


@functools.lru_cache(256)  # asked twice for every task
def _is_local(folder: str) -> bool:
    return _is_local_place(os.path.realpath(folder))


@functools.lru_cache(256)
def _is_local_place(folder: str) -> bool:
    """Whether the folder (free of links) is known to be on a file system of this machine."""
    place = f"{folder.rstrip('/')}/"
    kind = ""
    longest = 0
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as file:
            for words in map(str.split, file):  # proc_pid_mountinfo(5); of equal points the last one counts
                point = words[4].rstrip("/") + "/"
                if place.startswith(point) and len(point) >= longest:
                    kind, longest = words[words.index("-") + 1], len(point)
    except (OSError, ValueError, IndexError):
        return False
    return bool(kind) and not _REMOTE.match(kind)
