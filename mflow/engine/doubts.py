"""What may be left of an attempt whose worker is dead, and is not proven to be of it: named, and never ended.

Four kinds. A process of which this user may read nothing, and that has lost its parent, or whose parent is such a
one: what ran `sudo` looks like that. One of this user that has lost its parent and has no environment at all, and
works in the run's directory or, as a daemon, at the root: hardly anybody else starts such a one. One in a session of
the number that the attempt's first process had, when that process is gone: the number may have been used again. And
an orphan that has landed with this supervisor and bears nothing that tells whose it is, while leftovers of other
attempts live there, too.

What the kernel says of everybody to everybody keeps others out: what started before the attempt; what is in a session
whose leader did; what comes from another login or from a service of systemd (`procfs.origin`).
"""

import os
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from mflow.core.holders import Attempt
from mflow.engine import procfs
from mflow.engine.procfs import Stat
from mflow.engine.trail import Belongs, Trail, Trails

EXEC_SECONDS = 0.02
"""So long after a first look one without an environment is looked at again."""


class Doubts:
    """After a hunt. `proven`: what is alive and of an attempt; `landed`: our orphans, if they would land with us."""

    def __init__(self, trails: Trails, proven: Mapping[int, Attempt], landed: Iterable[int] | None) -> None:
        self._trails, self._proven = trails, proven
        self._landed = None if landed is None else frozenset(landed)
        self._reapers = _ancestors() if landed is None else {os.getpid()}
        origins = {trail.leader.origin for trail in trails.all if trail.leader}
        self._origins = origins - {b"-.-"}

    def of_each(self) -> dict[Attempt, set[int]]:
        """Pids by attempt; one may be in doubt for several."""
        doubts: dict[Attempt, set[int]] = defaultdict(set)
        for pid in procfs.pids():
            found = procfs.read_stat(pid)
            if found is None or not found.lives or pid in self._proven or pid == os.getpid():
                continue
            for trail in self._claimants(pid, found):
                doubts[trail.attempt].add(pid)
        for trail in self._trails.all:
            if trail.leader and procfs.is_hidden(trail.leader.pid):
                doubts[trail.attempt].add(trail.leader.pid)
        return doubts

    def _claimants(self, pid: int, found: Stat) -> list[Trail]:
        """The attempts that it may be of."""
        possible = [trail for trail in self._trails.all if not _is_older(pid, found, trail.since)]
        if not possible:
            return []
        if led := self._trails.in_doubtful_session(found.session, found):
            return [] if self._trails.by_looks(pid) is Belongs.ELSEWHERE else [led]
        if self._landed is not None and pid in self._landed:
            began = [trail for trail in possible if trail.began] or possible
            return [] if self._trails.by_looks(pid) is Belongs.ELSEWHERE else began
        if not self._tells_nothing(pid) or not self._is_loose(found, min(one.since for one in possible)):
            return []
        bare = procfs.environment(pid) is not None
        possible = [
            trail
            for trail in possible
            if not self._is_from_elsewhere(pid, trail) and not (bare and _is_outside(pid, trail.folder))
        ]
        return possible if possible and self._still_tells_nothing(pid, found) else []

    def _tells_nothing(self, pid: int) -> bool:
        block = procfs.environment(pid)
        if (
            block is None or self._landed is not None
        ):  # else such a one would have landed, and those we spare have not
            return block is None
        return not block and _is_own(pid) and self._trails.by_looks(pid) is None

    def _still_tells_nothing(self, pid: int, found: Stat) -> bool:
        """There is no environment for an instant while a process becomes another (execve(2)), nor when it has ended."""
        if procfs.environment(pid) is None:
            return True
        time.sleep(EXEC_SECONDS)
        now = procfs.read_stat(pid)
        return now is not None and now[1:] == found[1:] and now.lives and self._tells_nothing(pid)

    def _is_loose(self, found: Stat, since: int) -> bool:
        """Whether its parent is one that takes in orphans, or one that tells nothing and has such a parent."""
        parent = found.parent
        while parent > 0:
            if parent in self._reapers or (self._landed is None and _is_systemd(parent)):
                return True
            above = procfs.read_stat(parent)
            if above is None or above.start_ticks < since or procfs.environment(parent):
                return False
            parent = above.parent
        return False

    def _is_from_elsewhere(self, pid: int, trail: Trail) -> bool:
        own = trail.leader.origin if trail.leader else b"-.-"
        ours = {own} if own != b"-.-" else self._origins
        theirs = procfs.origin(pid)
        return bool(ours) and all(procfs.comes_from_elsewhere(theirs, one) for one in ours)


def _is_older(pid: int, found: Stat, since: int) -> bool:
    """Whether it was there before, or is in a session that was: nobody can join one."""
    if found.start_ticks < since:
        return True
    head = procfs.read_stat(found.session) if found.session not in (0, pid) else None
    return head is not None and head.start_ticks < since


def _is_own(pid: int) -> bool:
    try:
        return os.stat(f"/proc/{pid}").st_uid == os.geteuid()
    except OSError:
        return False


def _is_outside(pid: int, folder: str) -> bool:
    """Whether it works neither where the run does nor, as a daemon, at the root."""
    try:
        place = os.readlink(f"/proc/{pid}/cwd")
    except OSError:
        return False
    return not folder or (place != "/" and not f"{place}/".startswith(f"{folder.rstrip('/')}/"))


def _ancestors() -> Collection[int]:
    """Who may have taken in what a dead worker of another supervisor has left: init, and what is above both of us."""
    above, pid = {1}, os.getppid()
    while pid > 1 and pid not in above:
        above.add(pid)
        found = procfs.read_stat(pid)
        pid = found.parent if found else 0
    return above


def _is_systemd(pid: int) -> bool:
    """A user's own manager takes in the orphans of that user's services."""
    try:
        with open(f"/proc/{pid}/comm", "rb") as file:
            return file.read().strip() == b"systemd"
    except OSError:
        return False
