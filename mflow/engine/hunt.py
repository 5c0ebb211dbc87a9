"""Ending what an attempt has left when its worker is dead, also if it forks faster than one can look.

Two ways to meet it. Orphans of a worker land with its supervisor (a sub-reaper): whatever is killed there leaves its
own children there. Elsewhere, and after a resume, three things tell: the attempt's token in the environment, its log
open for writing (`env -i` and `sudo -i` drop the token), and a parent that is told so.

A process that forks and exits in a circle is another one at every look. So a look is quick (no psutil), takes the
newest processes first, and only several in a row that find nothing prove that nothing is left.

All that is seen is stopped before anything is killed: else a script would go on when its child had been killed, and a
worker of an inner mflow would take that for the task's own end, perhaps even for a good one. And what is found by
its parent alone is killed before that: whoever hunts may be killed, too, and another must find what is left.
"""

import os
import select
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
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
    """For one attempt: `token` and `logs` are its own, `spare` are children of this process that are none of its."""

    def __init__(self, token: str, spare: frozenset[int], logs: Iterable[str] = ()) -> None:
        self._token, self._spare = token.encode(), spare
        paths = [os.path.realpath(log) for log in logs]
        self._logs = {*paths, *(f"{path} (deleted)" for path in paths)}  # as /proc/PID/fd names them
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
        tree.signal_children(orphans, signal.SIGSTOP)
        with ExitStack() as stack:
            stopped = self._stop_all(lambda pid: pid in orphans or self._is_of_it(pid), stack)
            while found := self._stop_children(stopped, stack):
                stopped |= found
            for pidfd in reversed(stopped.values()):  # children first
                _send(pidfd, signal.SIGKILL)
            tree.signal_children(orphans, signal.SIGKILL)  # also if there was no descriptor to be had
            for pidfd in stopped.values():
                _wait(pidfd)
        return orphans.union(stopped)

    def _orphans(self) -> Iterator[int]:
        """What a dead worker has left to us."""
        return (pid for pid in tree.child_pids() if pid not in self._spare and _lives(pid))

    def _stop_children(self, stopped: Mapping[int, int], stack: ExitStack) -> dict[int, int]:
        return self._stop_all(lambda pid: pid not in stopped and _parent(pid) in stopped, stack)

    def _stop_all(self, belongs: Callable[[int], bool], stack: ExitStack) -> dict[int, int]:
        """Stop every process that belongs to the attempt; pid -> pidfd."""
        found = ((pid, self._stop(pid, belongs, stack)) for pid in _newest_first())
        return {pid: pidfd for pid, pidfd in found if pidfd is not None}

    def _stop(self, pid: int, belongs: Callable[[int], bool], stack: ExitStack) -> int | None:
        """Stop this process if it belongs. The descriptor is there before the last look, so that it is it."""
        if pid == os.getpid() or not belongs(pid):
            return None
        try:
            pidfd = os.pidfd_open(pid)
        except OSError:
            return None
        stack.callback(os.close, pidfd)
        if not (belongs(pid) and _lives(pid)):
            return None
        _send(pidfd, signal.SIGSTOP)
        return pidfd

    def _is_of_it(self, pid: int) -> bool:
        if pid in self._strangers:
            return False
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                block = file.read()
        except PermissionError:
            block = b"?"
        except OSError:
            return False
        found = self._is_named(block) or self._writes_log(pid)
        if block and not found:  # without any it was cleared, or is about to be another program, or dead
            self._strangers.add(pid)
        return found

    def _writes_log(self, pid: int) -> bool:
        """As stdout or stderr: a look at all descriptors of all processes would take too long on a busy machine."""
        return any(_is_written(f"/proc/{pid}/fd/{number}", self._logs) for number in (1, 2))

    def _is_named(self, block: bytes) -> bool:
        """Whether the token is among those of an environment (which may name outer attempts, too)."""
        if self._token not in block:
            return False
        entries = (entry for entry in block.split(b"\0") if entry.startswith(_TOKENS))
        return any(self._token in entry[len(_TOKENS) :].split() for entry in entries)


def _newest_first() -> list[int]:
    return sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)


def _lives(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    return _stat(pid)[0] not in (b"Z", b"X")


def _parent(pid: int) -> int:
    """The process's parent; 0 if it is gone."""
    return int(_stat(pid)[1])


def _stat(pid: int) -> tuple[bytes, bytes]:
    """Its state and its parent (proc_pid_stat(5)); those of a dead one if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            state, parent = file.read().rpartition(b")")[2].split()[:2]
    except OSError:
        return b"X", b"0"
    return state, parent


def _is_written(descriptor: str, paths: set[str]) -> bool:
    """Whether an entry of /proc/PID/fd leads to one of these files, and was opened for writing."""
    try:
        return os.readlink(descriptor) in paths and bool(os.lstat(descriptor).st_mode & stat.S_IWUSR)
    except OSError:  # closed, gone, or another user's
        return False


def _send(pidfd: int, signum: int) -> None:
    with suppress(PermissionError):  # it runs as another user by now (sudo): it will be named
        signal_pidfd(pidfd, signum)


def _wait(pidfd: int) -> None:
    ended = select.poll()
    ended.register(pidfd, select.POLLIN)
    ended.poll(DYING_SECONDS * 1000)
