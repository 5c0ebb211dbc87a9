"""What workers say, and what becomes of them: from messages and ends of processes to events of the machine."""

import random
from collections.abc import Callable, Mapping
from math import inf
from typing import Any

from mflow.core.holders import Attempt
from mflow.core.machine import Machine
from mflow.core.model import TaskRow
from mflow.core.starts import CALM_SECONDS, FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS
from mflow.engine import clock, messages
from mflow.engine.beginnings import Beginnings
from mflow.engine.crew import STARTS_A_TURN, Crew
from mflow.engine.lacks import lack_in
from mflow.engine.losses import Losses, Record

FactsSerial = tuple[int, Attempt, int]
"""Worker, attempt and serial number of facts that are to be confirmed once committed."""


class Staff:
    """Hears workers, starts them as they are wanted, and accounts for those that are over."""

    def __init__(
        self,
        machine: Machine,
        crew: Crew,
        losses: Losses,
        record: Record,
        note: Callable[[str], None],
        beginnings: Beginnings,
    ) -> None:
        self._machine, self._crew, self._losses, self._record = machine, crew, losses, record
        self._note, self._beginnings = note, beginnings
        self._greeted: set[int] = set()  # workers that have said Hello
        self._failures = 0  # to start a worker, one after the other
        self._failed_at, self._again_at = -inf, -inf  # monotonic seconds
        self._facts_fed: list[FactsSerial] = []
        self._facts_under_way: list[FactsSerial] = []

    def start_workers(self) -> float | None:
        """As many as are wanted, a few a turn; seconds after which to be called again, or None."""
        missing = self._machine.workers_wanted() - len(self._crew.own)
        if missing <= 0:
            return None
        pause = self._again_at - clock.now().mono
        if pause > 0:
            return pause
        for _ in range(min(missing, STARTS_A_TURN)):
            try:
                worker = self._crew.start(self.on_message, self.on_worker_end)
            except (OSError, EOFError) as error:
                return self._hold_back(lack_in(error) or str(error))
            self._losses.family.spare(worker.identity.pid)
            self._machine.worker_ready(worker.number, worker.identity)
        return 0.0 if missing > STARTS_A_TURN else None

    def _hold_back(self, why: str) -> float:
        """A worker could not be started: that is said once, and tried again ever more rarely; after so many seconds."""
        now = clock.now().mono
        if now - self._failed_at > CALM_SECONDS:
            self._failures = 0
            self._note(
                f"a further worker cannot be started: {why}; {len(self._crew.own)} are there, it is tried again"
            )
        pause: float = min(FIRST_PAUSE_SECONDS * 2 ** min(self._failures, 30), LONGEST_PAUSE_SECONDS)
        self._failures += 1
        self._failed_at, self._again_at = now, now + pause
        return pause

    def adopt(self, row: TaskRow) -> bool:
        """Watch the worker of an attempt whose supervisor is dead; False if it has just gone."""
        assert row.worker is not None
        attempt = (row.task_no, row.attempts)
        number = self._crew.adopt(row.worker, attempt, self.on_worker_end)
        if number is None:
            return False
        self._record.begin(attempt, row.worker, self._machine.now, row)
        self._machine.adopt(*attempt, number, row.worker)
        at = row.started_at or row.claimed_at or self._machine.now.wall
        self._beginnings.adopted(attempt, at)
        return True

    # ------------------------------------------------------------------------------------- what they say

    def on_message(self, number: int) -> None:
        """A worker's channel can be read, or written again."""
        worker = self._crew.own.get(number)
        if worker is None:
            return
        self._crew.flush(worker)
        try:
            for message in worker.channel.receive():
                self._hear(number, message)
        except EOFError:
            self._crew.hang_up(worker)  # its end is told by its pidfd

    def _hear(self, number: int, message: messages.Report) -> None:
        match message:
            case messages.Hello():
                self._greeted.add(number)
                self._failures = 0
            case messages.Ended(task_no, attempt, end, retiring):
                self._losses.family.keep(end.leftovers)
                if self._machine.holds(number, (task_no, attempt)):
                    self._machine.ended(task_no, attempt, end, draw=random.random())
                if retiring:
                    self._machine.worker_retires(number)
            case messages.Started(task_no, attempt, pid, started_at, ticks):
                if self._machine.holds(number, (task_no, attempt)):
                    self._record.learn((task_no, attempt), pid=pid, started_at=started_at, leader_ticks=ticks)
                    self._machine.began(task_no, attempt, pid=pid, started_at=started_at, leader_ticks=ticks)
                    self._beginnings.began((task_no, attempt), started_at)
            case messages.Facts(task_no, attempt, facts, serial):
                if self._machine.holds(number, (task_no, attempt)):
                    self._hear_facts(number, (task_no, attempt), facts, serial)
            case messages.Returned(attempts):
                self._machine.returned(number, attempts)
            case messages.Lacking(task_no, attempt, what, spent):
                self._machine.lacking(number, (task_no, attempt), what, draw=random.random(), spent=spent)

    def _hear_facts(self, number: int, attempt: Attempt, facts: Mapping[str, Any], serial: int) -> None:
        row = self._record.get(attempt)
        merged = {**(row.facts if row else {}), **facts}
        self._record.learn(attempt, facts=merged)
        self._machine.began(*attempt, facts=merged)
        self._facts_fed.append((number, attempt, serial))

    def batch_offered(self) -> None:
        """What was recorded so far is in the batch that is under way now."""
        self._facts_under_way += self._facts_fed
        self._facts_fed = []

    def batch_committed(self) -> None:
        """Confirm what was recorded."""
        for number, attempt, serial in self._facts_under_way:
            self._crew.facts_kept(number, attempt, serial)
        self._facts_under_way = []

    # --------------------------------------------------------------------------------- when they are over

    def on_worker_end(self, number: int) -> None:
        """A worker is over, ours or adopted: account for what it held."""
        self._machine.tick(clock.now())
        cause = ""
        ours = number in self._crew.own
        if ours:
            self.on_message(number)  # what it said last
            cause = f"its worker: {self._crew.own[number].probable_cause()}"
        if ours and number not in self._greeted:
            self._lose_unborn(number, cause)
        self._greeted.discard(number)
        held = self._machine.held_by(number)
        rows = [row for attempt in held if (row := self._record.get(attempt)) is not None]
        assert len(rows) == len(held), held
        if rows:
            self._losses.account_for(rows, cause, ours=ours)
        if rows and cause:
            self._note(f"a worker died while it held {', '.join(row.id for row in rows)}; {cause}")
        self._machine.worker_gone(number)
        self._crew.remove(number)
        self._losses.family.keep_landed(self._crew.all_alive)

    def on_child_end(self) -> None:
        """A child of this process, which is no worker as a rule, is over; what it leaves has landed here."""
        self._losses.family.keep_landed(self._crew.all_alive)
        self._losses.family.reap()

    def _lose_unborn(self, number: int, cause: str) -> None:
        """It ended before it could say Hello: that is no task's fault, and the next one may fare no better."""
        self._hold_back(cause)
        for attempt in self._machine.held_by(number):
            self._machine.lacking(number, attempt, f"workers end before they can begin anything ({cause})")
