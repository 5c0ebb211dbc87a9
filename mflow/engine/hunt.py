"""Ending what attempts have left when their workers are dead, also if it forks faster than one can look.

What is killed is proven to be of an attempt: by its trail (`trail`), by a parent that is, or as an orphan that has
landed with this process, a sub-reaper, when the worker died. What may be of it but is not proven is left alone, and
named: see `doubts`.

A process that forks and exits in a circle is another one at every look. So a look is quick (no psutil), takes the
newest processes first, and only several in a row that find nothing prove that nothing is left.

All that is seen is stopped before anything is killed: else a script would go on when its child had been killed, and a
worker of an inner mflow would take that for the task's own end, perhaps even for a good one. Nothing stays stopped: if
a look has to be given up, it goes on. One descriptor at a time is enough, however many there are. And what is found by
its parent alone is killed before that: whoever hunts may be killed, too, and another must find what is left.
"""

import os
import select
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress

from mflow.core.holders import Attempt
from mflow.core.recovery import Swept
from mflow.engine import procfs, tree
from mflow.engine.doubts import Doubts
from mflow.engine.family import Family
from mflow.engine.identity import signal_pidfd
from mflow.engine.trail import Belongs, Trail, Trails

VAIN_LOOKS = 5
"""So many looks in a row must find nothing."""

DYING_SECONDS = 0.05
"""How long a look waits for those that were just killed, unless they are gone at once."""

LOCK_LOOKS = 10
"""So often is a locked log looked at before it counts as held by somebody who cannot be seen."""


class Hunt:
    """For the attempts of some dead workers of one run.

    `family`: this process's children, and whose they are. `ours`: the workers were of this process, so that their
    orphans have landed with it.
    """

    def __init__(self, run_uid: str, trails: Sequence[Trail], family: Family, *, ours: bool) -> None:
        self._trails = Trails(trails, run_uid.encode())
        self._family, self._ours = family, ours
        self._running = [trail.attempt for trail in trails if trail.began]
        self._first = (*self._running, trails[0].attempt)[0]
        self._strangers = {os.getpid()}  # looked at before, and not of these attempts
        self._holders: dict[int, Attempt] = {}  # of a log, found by a deep look
        self._met: set[Attempt] = set()  # something of these was there
        self._untouchable: dict[int, Attempt] = {}  # this user may not signal them

    def until(self, seconds: float) -> dict[Attempt, Swept]:
        """Kill until nothing is left, for at most so long; what was found of each attempt."""
        deadline, vain, looks, left = time.monotonic() + seconds, 0, 0, dict[int, Attempt]()
        held: list[Trail] = []
        while vain < VAIN_LOOKS:
            left = self._shoot()
            if not left.keys() <= self._untouchable.keys():
                vain = 0
                if time.monotonic() > deadline:
                    break
                continue
            vain += 1
            if vain == VAIN_LOOKS and looks < LOCK_LOOKS:
                held = self._locked()
                if held or self._holders:
                    vain, looks = 0, looks + 1
        return self._account(left, held)

    def _locked(self) -> list[Trail]:
        """Attempts whose log is still locked though nothing of them was seen; looks deeper for who it is.

        Also for who has a log that is not where it was: nobody can ask for its lock.
        """
        locked = [trail for trail in self._trails.all if trail.locked]
        self._holders = self._trails.deep(
            [trail for trail in self._trails.all if trail.astray or trail in locked]
        )
        self._holders.pop(os.getpid(), None)
        return locked

    def _account(self, left: Mapping[int, Attempt], held: Sequence[Trail]) -> dict[Attempt, Swept]:
        alive = {pid: whose for pid, whose in {**self._untouchable, **left}.items() if procfs.lives(pid)}
        doubts = Doubts(self._trails, alive, self._family.landed() if self._ours else None).of_each()
        still = {trail.attempt for trail in held if trail.locked}
        return {
            one.attempt: Swept(
                found=one.attempt in self._met,
                survivors=tuple(sorted(pid for pid, whose in alive.items() if whose == one.attempt)),
                doubtful=tuple(sorted(doubts.get(one.attempt, ()))),
                held=one.attempt in still and one.attempt not in alive.values(),
            )
            for one in self._trails.all
        }

    # --------------------------------------------------------------------------------------------- one look

    def _shoot(self) -> dict[int, Attempt]:
        """KILL to all that is seen now; whose they are, by pid."""
        landed = self._family.landed() if self._ours else ()
        orphans = {pid: attempt for pid in landed if (attempt := self._of_orphan(pid)) is not None}
        tree.signal_children(orphans, signal.SIGSTOP)
        whose = dict(orphans)
        stopped: dict[int, int] = {}
        try:
            self._stop_all(lambda pid: orphans.get(pid) or self._of_it(pid), whose, stopped)
            while self._stop_all(lambda pid: self._by_parent(pid, whose), whose, stopped):
                pass
            for pid, start in reversed(stopped.items()):  # children first
                self._kill(pid, start, whose[pid])
        except BaseException:
            for pid in (*orphans, *stopped):
                with suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
            raise
        tree.signal_children(orphans, signal.SIGKILL)  # also if there was no descriptor to be had
        for pid, start in stopped.items():
            if pid not in self._untouchable:
                _wait(pid, start)
        self._met.update(attempt for pid, attempt in whose.items() if self._running or pid not in orphans)
        return whose

    def _of_orphan(self, pid: int) -> Attempt | None:
        """Whose it is that has landed with us: some dead worker's, if nobody else can have left it."""
        if not procfs.lives(pid):
            return None
        found = self._trails.by_place(pid, tree.session(pid)) or self._trails.by_looks(pid)
        if isinstance(found, tuple):
            return found
        if found is Belongs.ELSEWHERE:
            self._family.spare(pid)
            return None
        return self._first if self._family.has_only_orphans else None

    def _stop_all(
        self, belongs: Callable[[int], Attempt | None], whose: dict[int, Attempt], stopped: dict[int, int]
    ) -> bool:
        """Stop all that belongs to an attempt; note whose it is and when it started, in the order met. Any new ones?"""
        found = False
        for pid in procfs.pids():
            attempt = belongs(pid) if pid != os.getpid() else None
            start = self._stop(pid, belongs, attempt, stopped) if attempt else None
            if attempt and start is not None:
                found, whose[pid] = True, attempt
        return found

    def _stop(
        self,
        pid: int,
        belongs: Callable[[int], Attempt | None],
        attempt: Attempt,
        stopped: dict[int, int],
    ) -> int | None:
        """Stop it if it belongs. Its descriptor is there before the last look, so that it is it; when it started."""
        with _opened(pid) as pidfd:
            found = procfs.read_stat(pid) if pidfd is not None and belongs(pid) else None
            if pidfd is None or found is None or not found.lives:
                return None
            stopped[pid] = found.start_ticks
            self._send(pid, pidfd, signal.SIGSTOP, attempt)
            return found.start_ticks

    def _kill(self, pid: int, start: int, attempt: Attempt) -> None:
        with _opened(pid) as pidfd:
            if pidfd is not None and _started(pid) == start:
                self._send(pid, pidfd, signal.SIGKILL, attempt)

    def _of_it(self, pid: int) -> Attempt | None:
        found: Attempt | Belongs | None = self._trails.by_place(pid, tree.session(pid)) or self._holders.get(
            pid
        )
        if found is None and pid not in self._strangers:
            found = self._trails.by_looks(pid)
            if isinstance(found, Belongs):
                self._strangers.add(pid)
        return found if isinstance(found, tuple) else None

    @staticmethod
    def _by_parent(pid: int, whose: Mapping[int, Attempt]) -> Attempt | None:
        if pid in whose:
            return None
        found = procfs.read_stat(pid)
        return whose.get(found.parent) if found else None

    def _send(self, pid: int, pidfd: int, signum: int, attempt: Attempt) -> None:
        try:
            signal_pidfd(pidfd, signum)
        except PermissionError:  # it runs as another user by now (sudo): it will be named
            self._untouchable[pid] = attempt


def _wait(pid: int, start: int) -> None:
    with _opened(pid) as pidfd:
        if pidfd is not None and _started(pid) == start:
            ended = select.poll()
            ended.register(pidfd, select.POLLIN)
            ended.poll(DYING_SECONDS * 1000)


def _started(pid: int) -> int | None:
    found = procfs.read_stat(pid)
    return found.start_ticks if found else None


@contextmanager
def _opened(pid: int) -> Iterator[int | None]:
    """A descriptor of a process; None if it is gone. Raises OSError if there is none to be had."""
    try:
        pidfd = os.pidfd_open(pid)
    except OSError as error:
        procfs.unless_spent(error)
        yield None
        return
    try:
        yield pidfd
    finally:
        os.close(pidfd)
