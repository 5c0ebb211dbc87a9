"""Ending what an attempt has left when its worker is dead, also if it forks faster than one can look.

Two ways to meet it. Orphans of a worker land with its supervisor (a sub-reaper): whatever is killed there leaves its
own children there. Elsewhere, and after a resume, the attempt's token in the environment is what tells.

A process that forks and exits in a circle is another one at every look. So a look is quick (no psutil), takes the
newest processes first, and only several in a row that find nothing prove that nothing is left.

All that is seen is stopped before anything is killed: else a script would go on when its child had been killed, and a
worker of an inner mflow would take that for the task's own end, perhaps even for a good one.
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

from mflow.core.names import TOKENS_VARIABLE
from mflow.engine import tree
from mflow.engine.identity import signal_pidfd

VAIN_LOOKS = 5
"""So many looks in a row must find nothing."""

DYING_SECONDS = 0.05
"""How long a look waits for those that were just killed, unless they are gone at once."""

_TOKENS = f"{TOKENS_VARIABLE}=".encode()


class Hunt:
    """For one attempt: `token` is its own, `spare` are children of this process that are none of its."""

    def __init__(self, token: str, spare: frozenset[int]) -> None:
        self._token, self._spare = token.encode(), spare
        self._strangers = {os.getpid()}  # looked at before, and not of this attempt

    def until(self, seconds: float) -> tuple[int, ...]:
        """Kill until nothing is left, for at most so long; the pids that were still there in the end."""
        deadline, vain = time.monotonic() + seconds, 0
        while vain < VAIN_LOOKS:
            seen = self._shoot()
            if seen and time.monotonic() > deadline:
                return tuple(sorted(seen))
            vain = 0 if seen else vain + 1
        return ()

    def _shoot(self) -> set[int]:
        """KILL to all that is seen now; their pids."""
        orphans = set(self._orphans())
        tree.signal_children(orphans, signal.SIGKILL)
        with ExitStack() as stack:
            stopped = {pid: pidfd for pid in _newest_first() if (pidfd := self._stop(pid, stack)) is not None}
            for pidfd in stopped.values():
                _send(pidfd, signal.SIGKILL)
            for pidfd in stopped.values():
                _wait(pidfd)
        return orphans.union(stopped)

    def _orphans(self) -> Iterator[int]:
        """From the top down: what they leave is orphaned then."""
        return (pid for pid in tree.child_pids() if pid not in self._spare and _lives(pid))

    def _stop(self, pid: int, stack: ExitStack) -> int | None:
        """Stop this process if it bears the token. The descriptor is there before the last look, so that it is it."""
        if pid in self._strangers or not self._bears(pid):
            return None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        stack.callback(os.close, pidfd)
        if not self._bears(pid):
            return None
        _send(pidfd, signal.SIGSTOP)
        return pidfd

    def _bears(self, pid: int) -> bool:
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                block = file.read()
        except PermissionError:
            block = b"?"
        except OSError:
            return False
        if block and not self._is_named(block):  # without any, it is about to be another program, or dead
            self._strangers.add(pid)
            return False
        return bool(block) and _lives(pid)

    def _is_named(self, block: bytes) -> bool:
        """Whether the token is among those of an environment (which may name outer attempts, too)."""
        if self._token not in block:
            return False
        entries = (entry for entry in block.split(b"\0") if entry.startswith(_TOKENS))
        return any(self._token in entry[len(_TOKENS) :].split() for entry in entries)


def _newest_first() -> list[int]:
    return sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)


def _lives(pid: int) -> bool:
    """Whether there is such a process and it is no zombie (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def _send(pidfd: int, signum: int) -> None:
    with suppress(PermissionError):  # it runs as another user by now (sudo): it will be named
        signal_pidfd(pidfd, signum)


def _wait(pidfd: int) -> None:
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    ended.poll(DYING_SECONDS * 1000)
