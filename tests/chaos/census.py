"""Every process that a test has started, however it was re-parented or renamed: found by a mark in its environment."""

import os
import select
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mflow.core.names import TOKENS_VARIABLE

MARK = "PYTHON_MFLOW_TEST_MARK"
"""The variable that all processes of one test carry, with a value of that test's own.

It bears such a name as the fork server, and so the workers, are started with.
"""

LOOKS = 5

_FORKED = 0x40  # PF_FORKNOEXEC, <linux/sched.h>


@dataclass(frozen=True, slots=True)
class Process:
    """A living process as /proc shows it."""

    pid: int
    ppid: int
    session: int
    command: str  # its words, blanks between
    tokens: tuple[str, ...]  # the attempts it belongs to, the outermost first
    is_forked: bool = False  # and executes what its parent did

    @property
    def role(self) -> str:
        """What it is to mflow: supervisor, inner (a supervisor within a task), forkserver, worker, tracker or task."""
        if "multiprocessing.resource_tracker" in self.command:
            return "tracker"
        if "multiprocessing.forkserver" in self.command:
            return "worker" if self.is_forked else "forkserver"
        if " -m mflow " in f"{self.command} ":
            return "inner" if self.tokens else "supervisor"
        return "task"


def census(mark: str) -> list[Process]:
    """All living processes that carry the mark; zombies have no environment and are none.

    What forks and exits in a circle is missed by some looks: so only several of them that find nothing do count.
    """
    for _ in range(LOOKS):
        if found := [process for pid in _pids() if (process := _read(pid, mark)) is not None]:
            return found
    return []


def of_role(mark: str, *roles: str) -> list[Process]:
    """Those of these roles."""
    return [process for process in census(mark) if process.role in roles]


def kill(pid: int, signum: int = signal.SIGKILL) -> bool:
    """Send a signal; false if the process has gone."""
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return False
    return True


def wait_gone(pids: Iterable[int], seconds: float = 20.0) -> list[int]:
    """Wait until these processes have ended (a zombie has); those that have not within so long."""
    until = time.monotonic() + seconds
    return [pid for pid in pids if not _ended(pid, until)]


def is_forked(pid: int) -> bool:
    """Whether a process has been forked and not executed another program since. Raises OSError if it has gone."""
    return bool(int(_stat(pid)[6]) & _FORKED)


def end_all(mark: str) -> None:
    """After a test that failed: leave nothing behind."""
    while found := census(mark):
        for process in found:
            kill(process.pid)
        wait_gone([process.pid for process in found])


def _ended(pid: int, until: float) -> bool:
    try:
        pidfd = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        return bool(poll.poll(max(0.0, until - time.monotonic()) * 1000))
    finally:
        os.close(pidfd)


def _pids() -> list[int]:
    """The newest first: they may not live for long."""
    return sorted(
        (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()), reverse=True
    )


def _read(pid: int, mark: str) -> Process | None:
    with suppress(OSError):
        environ = _variables(Path(f"/proc/{pid}/environ").read_bytes())
        if environ.get(MARK) != mark:
            return None
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        state, ppid, _, session, *_ = _stat(pid)
        if state not in "ZX":
            tokens = tuple(environ.get(TOKENS_VARIABLE, "").split())
            return Process(pid, int(ppid), int(session), command, tokens, is_forked(pid))
    return None


def _variables(block: bytes) -> dict[str, str]:
    pairs = (one.partition("=") for one in block.decode(errors="replace").split("\0"))
    return {name: value for name, _, value in pairs}


def _stat(pid: int) -> list[str]:
    """State, ppid, process group, session, terminal, its group, the kernel's flags ... (proc_pid_stat(5))."""
    text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    return text.rpartition(")")[2].split()
