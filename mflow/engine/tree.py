"""All processes below one, and how to signal them without ever hitting another.

The worker is the sub-reaper of what it starts: whatever forks, calls setsid, is orphaned or changes its name stays
its descendant. So the kernel itself says when nothing is left: then the worker has no child to wait for.
psutil is imported only when there is something to look at.
"""

import ctypes
import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from mflow.engine.identity import signal_pidfd

if TYPE_CHECKING:
    import psutil


_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>


def become_subreaper() -> None:
    """Let orphans below this process become its children (prctl(2)). Not inherited by a fork. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_CHILD_SUBREAPER): {os.strerror(number)}")


def descendants(pid: int | None = None) -> "list[psutil.Process]":
    """Everything alive below a process (this one by default); nothing if it is gone.

    One look at a moving thing: what forks meanwhile is seen by the next look.
    """
    import psutil

    try:
        found = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in found if _alive(process)]


def children() -> "list[psutil.Process]":
    """The living direct children of this process: the roots of what is below it."""
    import psutil

    return [process for process in psutil.Process().children() if _alive(process)]


def child_pids() -> list[int]:
    """Pids of the direct children of this process, dead ones that were not waited for included.

    Cheap enough for a chase (/proc/PID/task/TID/children, proc(5)); one look may miss some. Until they are waited
    for, by this process alone, their pids cannot be used again: signal them with `os.kill`.
    """
    found: list[int] = []
    try:
        for thread in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{thread}/children", encoding="ascii") as file:
                found += map(int, file.read().split())
    except OSError:  # a kernel without that file
        return [child.pid for child in children()]
    return found


def signal_children(pids: Iterable[int], signum: int) -> None:
    """Send a signal to direct children of this process that were not waited for. TERM as in `signal_all`."""
    for pid in pids:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
            if signum == signal.SIGTERM:
                os.kill(pid, signal.SIGCONT)


def signal_all(processes: "Iterable[psutil.Process]", signum: int) -> int:
    """Send a signal to each that is still what it was when it was found; how many there were.

    TERM is followed by CONT, since a stopped process would hear it only then.
    """
    return sum(_signal_one(process, signum) for process in processes)


def pids(processes: "Iterable[psutil.Process]") -> tuple[int, ...]:
    """Their numbers, ascending."""
    return tuple(sorted([process.pid for process in processes]))


def session(pid: int) -> int:
    """The session a process is in; 0 if it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def describe(processes: "Sequence[psutil.Process]", most: int = 5) -> str:
    """Names and numbers for a message, e.g. `sleep (pid 4711), java (pid 4712)`."""
    shown = ", ".join(f"{_name(process)} (pid {process.pid})" for process in processes[:most])
    return shown if len(processes) <= most else f"{shown} and {len(processes) - most} more"


def _signal_one(process: "psutil.Process", signum: int) -> bool:
    """The pidfd is opened before `is_running` compares start times: so a pid used again is never signalled."""
    try:
        pidfd = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if not process.is_running() or not signal_pidfd(pidfd, signum):
            return False
        if signum == signal.SIGTERM:
            signal_pidfd(pidfd, signal.SIGCONT)
    except PermissionError:
        return False  # it runs as another user by now (sudo): it will be named among the survivors
    finally:
        os.close(pidfd)
    return True


def _alive(process: "psutil.Process") -> bool:
    import psutil

    try:
        return bool(process.status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD))
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True


def _name(process: "psutil.Process") -> str:
    import psutil

    try:
        return process.name()
    except psutil.Error:
        return "?"
