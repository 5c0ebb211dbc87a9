"""Being a parent: orphans of a killed worker land here, where they can be named, and must be reaped."""

import ctypes
import os
from contextlib import suppress
from pathlib import Path

from mflow.engine.pool import own_servers

_PR_SET_CHILD_SUBREAPER = 36  # prctl(2)


def become_subreaper() -> None:
    """Have orphaned descendants re-parented to this process instead of init."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def reap_orphans() -> None:
    """Take the exit status of dead orphans; multiprocessing's own servers are left to it."""
    for pid in _children() - own_servers():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _children() -> frozenset[int]:
    """Direct children, zombies included (proc_pid_task_children of the main thread; proc(5))."""
    try:
        return frozenset(map(int, Path(f"/proc/self/task/{os.getpid()}/children").read_text("ascii").split()))
    except OSError:
        return frozenset()
