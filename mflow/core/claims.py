"""Who is given what next: ready tasks are bound to workers, as far as limit, pace and this machine's means allow."""

from __future__ import annotations

from collections.abc import Callable

from mflow.core.ahead import Pace, is_hungry, takers
from mflow.core.decisions import Now
from mflow.core.holders import Attempt, Holder, Holders
from mflow.core.ledger import Ledger
from mflow.core.model import Claim
from mflow.core.ready import ReadyQueue
from mflow.core.starts import Lack


class Claims:
    """Makes claims, and learns from what became of them."""

    def __init__(
        self,
        ledger: Ledger,
        ready: ReadyQueue,
        holders: Holders,
        log: Callable[[int, int], str],
        limit: int,
    ) -> None:
        """`log(task_no, attempt)` names the file of an attempt's output; `limit` attempts execute at once."""
        self._ledger, self._ready, self._holders, self._log = ledger, ready, holders, log
        self.limit = limit
        self.pace = Pace()
        self.lack = Lack()

    def workers_wanted(self) -> int:
        """How many workers of our own should exist now, retiring ones included."""
        adopted, busy = self._holders.adopted, self._holders.busy  # adopted ones count against the limit
        most = self.limit
        if self.lack.what:  # a worker is a process, too
            most = min(most, max(len(self._holders), busy + 1))
        return max(0, min(most - adopted, busy - adopted + len(self._ready)))

    def are_wanted(self, mono: float) -> bool:
        """Whether a task is ready, and so is a worker, or will be in a moment."""
        return (
            len(self._ready) > 0
            and not self._holders.undecided
            and self.lack.room(mono) > 0
            and is_hungry(self._holders, self.pace.depth, self.limit, mono)
        )

    def make(self, now: Now) -> tuple[Claim, ...]:
        """Bind ready tasks to workers."""
        claims: list[Claim] = []
        if self._holders.undecided:
            return ()
        for holder in takers(self._holders, self.pace.depth, self.limit, now.mono):
            if not len(self._ready) or not self.lack.room(now.mono):
                break
            claims.append(self._make_one(holder, now))
        return tuple(claims)

    def _make_one(self, holder: Holder, now: Now) -> Claim:
        task_no = self._ready.take()
        attempt = self._ledger.claim(task_no)
        self._holders.hold(holder, task_no, attempt)
        self.lack.claimed((task_no, attempt))
        return Claim(task_no, attempt, holder.identity, self._log(task_no, attempt), now.wall)

    def may_go(self, holder: Holder, attempt: Attempt) -> bool:
        """Whether a committed claim may still be handed to its worker."""
        unwanted = holder.retiring or self.lack.holds_up(attempt)
        return not unwanted and self._holders.busy <= self.limit
