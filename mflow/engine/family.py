"""The children of a supervisor, and whose they are.

It is a sub-reaper: what a dead worker has left becomes its child. But others land there, too: what was its child before
it began (of a script that has exec'ed mflow), multiprocessing's servers, workers when their server has died, and what
attempts that ended well have left on purpose, with all that this will start. These are spared. Whoever lands while
every worker lives is one of them.
"""

import os
from collections.abc import Callable, Iterable
from contextlib import suppress

from mflow.engine.pool import own_servers
from mflow.engine.procfs import read_stat
from mflow.engine.tree import child_pids


class Family:
    """Who is spared: workers, what was there before, and what is left on purpose."""

    def __init__(self) -> None:
        self._spared: dict[int, int] = {}  # pid -> start, since numbers are used again
        self._mixed = False
        self.keep(set(child_pids()) - own_servers())

    @property
    def has_only_orphans(self) -> bool:
        """Whether all that has landed was left by dead workers: nobody else is there that could have left it."""
        return not self._mixed

    def spare(self, pid: int) -> bool:
        """This is no orphan of a dead worker; false if it is gone."""
        found = read_stat(pid)
        if found is not None:
            self._spared[pid] = found.start_ticks
        return found is not None and found.lives

    def keep(self, pids: Iterable[int]) -> None:
        """Nor are these, and they may start others, and leave them to us."""
        for pid in pids:
            self._mixed = self.spare(pid) or self._mixed

    def landed(self) -> list[int]:
        """Children that are not spared, dead ones that were not waited for included."""
        servers = own_servers()
        return [pid for pid in child_pids() if pid not in servers and not self._is_spared(pid)]

    def keep_landed(self, all_workers_live: Callable[[], bool]) -> None:
        """Spare those that have landed so far, if no worker is dead that could have left them."""
        landed = self.landed() if self._mixed else []
        if landed and all_workers_live():  # asked after the look
            self.keep(landed)

    def reap(self) -> None:
        """Take the exit status of dead children; multiprocessing's own servers are left to it."""
        for pid in set(child_pids()) - own_servers():
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)

    def _is_spared(self, pid: int) -> bool:
        if pid not in self._spared:
            return False
        found = read_stat(pid)
        return found is not None and found.start_ticks == self._spared[pid]
