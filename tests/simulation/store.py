"""A database of one run in memory: compare-and-set, one fence, whole batches or nothing, and moods of its own.

It refuses nothing silently: a batch under the right fence that does not match its rows is a defect of the machine,
and every transition is compared with what truly happened.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from mflow.core.contracts import LEASE_SECONDS
from mflow.core.errors import StoreUnavailable, Superseded
from mflow.core.holders import Attempt
from mflow.core.model import AttemptEnd, Batch, Claim, Ending, Identity, Reset, Settle, TaskRow
from mflow.core.states import OVER, RUN_TRANSITIONS, TASK_TRANSITIONS, Outcome, RunState, TaskState
from tests.simulation.world import World, expect

P, R, S, F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED


@dataclass(slots=True)
class Row:
    """A task in the database."""

    state: TaskState = P
    attempts: int = 0
    tries: int = 0
    not_before: datetime | None = None
    worker: Identity | None = None
    end: AttemptEnd | None = None
    started_at: datetime | None = None
    pid: int | None = None


class SimulatedStore:
    """The rows, and who may write them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.rows: dict[int, Row] = {no: Row() for no in world.plan.upstream}
        self.ends: dict[Attempt, AttemptEnd] = {}  # of every attempt that is over
        self.run_state = RunState.PENDING
        self.fence = 0
        self.batch_no = 0
        self.owner: Identity | None = None
        self.last_owner: Identity | None = None
        self.lease_until = 0.0
        self.ordered = False  # somebody asked for the end of the run
        self._bound = False  # the present owner has found that order when it took the run
        self.floating: list[tuple[int, Batch]] = []  # sent by a supervisor that died before the answer
        self.used: dict[int, int] = dict.fromkeys(self.rows, 0)  # tries within one budget, counted on our own

    # -------------------------------------------------------------------------------------------- ownership

    def acquire(self, owner: Identity, fence: int, *, lapsed: bool) -> int:
        """Compare-and-set on the fence; `lapsed`: and on a lease that has run out, still."""
        if fence != self.fence or (lapsed and self.lease_until > self.world.seconds):
            raise Superseded("somebody was quicker")
        self.lease_until = self.world.seconds + LEASE_SECONDS
        self.fence += 1
        self.batch_no = 0
        self.owner = self.last_owner = owner
        self.ordered = self._bound = self.ordered and self.run_state not in OVER
        return self.fence

    def request_cancel(self) -> None:
        """Recorded unless the run has ended, and nobody goes on with it."""
        self.ordered = self.ordered or self.owner is not None or self.run_state not in OVER

    def check_fence(self, fence: int) -> None:
        """Raises Superseded."""
        if fence != self.fence or self.owner is None:
            raise Superseded("another supervisor has this run")

    def heartbeat(self, fence: int) -> None:
        """Renew the lease. Raises Superseded."""
        self.check_fence(fence)
        self.lease_until = self.world.seconds + LEASE_SECONDS

    def read_tasks(self) -> list[TaskRow]:
        """All rows in the order of their numbers."""
        return [
            TaskRow(
                no,
                f"t{no}",
                "bash",
                row.state,
                row.attempts,
                row.tries,
                self.world.plan.policies[no].attempts,
                row.not_before,
                row.worker,
                row.pid,
                end=row.end,
                started_at=row.started_at,
            )
            for no, row in sorted(self.rows.items())
        ]

    # ---------------------------------------------------------------------------------------------- batches

    def apply(self, fence: int, batch: Batch) -> None:
        """One transaction."""
        self.check_fence(fence)
        expect(batch.number == self.batch_no + 1, "a batch was repeated or left out", batch.number)
        self._advance_run(batch)
        for progress in batch.progress:
            self._note_progress(progress.task_no, progress.attempt, progress.started_at, progress.pid)
        for ending in batch.endings:
            self._end(ending)
        for back in batch.give_backs:
            self._give_back(back.task_no, back.attempt)
        for reset in batch.resets:
            self._reset(reset)
        for settle in batch.settles:
            self._settle(settle)
        self._claim_all(batch.claims)
        self.batch_no = batch.number
        self.lease_until = self.world.seconds + LEASE_SECONDS
        expect(not (self._bound and batch.claims), "the run went on in spite of an order for its end")
        if batch.release:
            expect(
                not self._bound or self.run_state in OVER, "an order for the run's end was not carried out"
            )
            if self._bound:
                self.world.seen["a resume carried an order out"] += 1
            self.owner = None
            expect(
                not any(row.state is R for row in self.rows.values()), "a run was let go with RUNNING rows"
            )
        self.world.note("COMMIT", fence, batch)

    def was_applied(self, fence: int, number: int) -> bool:
        """After an answer was lost."""
        if fence != self.fence:
            raise Superseded("another supervisor has this run")
        return self.batch_no >= number

    def attempt_to_apply(self, fence: int, batch: Batch) -> None:
        """As `apply`, with the moods of a network between."""
        world = self.world
        if world.rng.random() >= world.plan.outages:
            self.apply(fence, batch)
            return
        mood = world.rng.randrange(3)
        if mood == 0:
            world.seen["a commit was refused"] += 1
            raise StoreUnavailable("cannot be reached")
        if mood == 1:
            self.apply(fence, batch)
            world.seen["a commit's answer was lost"] += 1
        raise StoreUnavailable("the answer was lost", applied_unknown=True)

    def _advance_run(self, batch: Batch) -> None:
        if batch.run_state is None:
            return
        legal = batch.run_state is self.run_state or (self.run_state, batch.run_state) in RUN_TRANSITIONS
        expect(legal, "an illegal transition of the run", self.run_state, batch.run_state)
        self.run_state = batch.run_state

    def _note_progress(
        self, task_no: int, attempt: int, started_at: datetime | None, pid: int | None
    ) -> None:
        row = self.rows[task_no]
        expect(row.attempts == attempt, "progress of an attempt that is not the last", task_no, attempt)
        row.started_at = started_at or row.started_at
        row.pid = pid or row.pid

    def _move(self, task_no: int, to: TaskState, *, before: TaskState) -> Row:
        row = self.rows[task_no]
        expect(row.state is before, "an illegal transition", task_no, row.state, to)
        expect((before, to) in TASK_TRANSITIONS, "an illegal transition", task_no, before, to)
        row.state = to
        return row

    # ------------------------------------------------------------------------- transitions, each with the truth

    def _claim_all(self, claims: Iterable[Claim]) -> None:
        for claim in claims:
            task_no = claim.task_no
            row = self._move(task_no, R, before=P)
            expect(claim.attempt == row.attempts + 1, "an attempt number out of turn", task_no, claim.attempt)
            for before in self.world.plan.upstream[task_no]:
                expect(self.rows[before].state is S, "claimed before what it depends on", task_no, before)
            expect(not self.world.running(task_no), "claimed while it runs", task_no)
            if row.not_before is not None and not self.world.seen["operator: set_clock"]:
                expect(row.not_before <= self.world.now.wall, "claimed too early", task_no)
            most = self.world.plan.policies[task_no].attempts
            expect(self.used[task_no] < most, "more tries than the policy has", task_no, most)
            row.attempts, row.worker = claim.attempt, claim.worker
            row.not_before = row.end = row.started_at = row.pid = None

    def _end(self, ending: Ending) -> None:
        task_no, attempt, end = ending.task_no, (ending.task_no, ending.attempt), ending.end
        row = self._move(task_no, ending.to, before=R)
        expect(row.attempts == ending.attempt, "an end of another attempt", attempt, row.attempts)
        expect((ending.to is S) == end.ok, "SUCCESS is what ended well", attempt, end)
        self._check_truth(attempt, end, ending.to)
        self._count_try(ending)
        row.end, row.tries, row.not_before = end, ending.tries, ending.not_before
        self.ends[attempt] = end

    def _check_truth(self, attempt: Attempt, end: AttemptEnd, to: TaskState) -> None:
        """The database says what truly happened, or that it does not know."""
        execution = self.world.executions.get(attempt)
        if end.outcome is Outcome.UNKNOWN:
            if execution is not None:
                execution.counted = False
            return
        expect(execution is None or not execution.open, "an end of what still runs", attempt, end)
        if end.outcome is Outcome.LOST:
            blind = self.world.rebooted or not all(host.intact for host in self.world.hosts)
            lost = execution is not None and execution.worker.killed
            blind = blind or attempt in self.world.erased
            expect(lost or blind, "LOST, but it never began, or its worker lived to tell", attempt)
        elif end.outcome is Outcome.CANCELLED:
            expect(execution is None or execution.stopped, "CANCELLED, but nobody stopped it", attempt)
        elif execution is None:
            expect(end.outcome is Outcome.NOT_STARTED, "an end of what never began", attempt, end)
            blameless = to is F and not any(word in str(end.message) for word in ("died", "minutes"))
            expect(not blameless, "FAILED because mflow itself had taken the log's name", attempt, end)
        else:
            truth = execution.end
            same = (truth.outcome, truth.exit_code) == (end.outcome, end.exit_code)
            expect(same, "another end than the true one", attempt, truth, end)

    def _count_try(self, ending: Ending) -> None:
        """What the protocol counts as a try, counted independently of the machine."""
        task_no, outcome = ending.task_no, ending.end.outcome
        row, back = self.rows[task_no], ending.to is P
        if back and ending.tries == 0 and outcome is Outcome.LOST:
            self.used[task_no] = 0  # at a resume, like FAILED
        elif back and outcome in (Outcome.CANCELLED, Outcome.NOT_STARTED) and ending.tries == row.tries:
            self.world.seen["no try was used up"] += 1
        else:
            self.used[task_no] += 1
        expect(ending.tries == self.used[task_no], "tries miscounted", ending, self.used[task_no])

    def _give_back(self, task_no: int, attempt: int) -> None:
        row = self._move(task_no, P, before=R)
        expect(row.attempts == attempt, "another attempt was given back", task_no, attempt)
        execution = self.world.executions.get((task_no, attempt))
        erased = (task_no, attempt) in self.world.erased  # then nothing tells that it began, once it is over
        blank = execution is None or (erased and not execution.open)
        expect(blank, "given back, but it began", task_no, attempt)
        self.world.executions.pop((task_no, attempt), None)  # its number is free
        row.attempts -= 1
        row.worker = None
        row.end = self.ends.get((task_no, row.attempts))
        self.world.seen["a claim was given back"] += 1

    def _reset(self, reset: Reset) -> None:
        row = self._move(reset.task_no, P, before=F)
        if row.end is not None and row.end.outcome is Outcome.UNKNOWN:
            self._forsake((reset.task_no, row.attempts), row)
        expect(not self.world.running(reset.task_no), "reset while it runs", reset.task_no)
        row.tries, row.not_before = 0, None
        self.used[reset.task_no] = 0

    def _forsake(self, attempt: Attempt, row: Row) -> None:
        """Only what ran on another host may run again without a proof that it is over."""
        execution = self.world.executions.get(attempt)
        owner, worker = self.owner, row.worker
        if owner is not None and worker is not None and worker.machine_id != owner.machine_id:
            self.world.forsaken.add(attempt)
            self.world.seen["run again on an operator's word"] += 1
        else:
            expect(execution is None or not execution.open, "reset without proof of its end", attempt)

    def _settle(self, settle: Settle) -> None:
        row = self._move(settle.task_no, S, before=F)
        expect(row.attempts == settle.attempt, "another attempt was settled", settle)
        execution = self.world.executions.get((settle.task_no, settle.attempt))
        expect(
            execution is not None and not execution.open and execution.end.ok, "settled without truth", settle
        )
        row.end = settle.end
        self.world.seen["an UNKNOWN was settled"] += 1

    # ------------------------------------------------------------------------------------------- of the dead

    def deliver_floating(self) -> None:
        """A transaction that a dead supervisor had sent arrives."""
        fence, batch = self.floating.pop(0)
        try:
            self.apply(fence, batch)
            self.world.seen["a dead supervisor's commit arrived"] += 1
        except Superseded:
            self.world.seen["a dead supervisor's commit was fenced off"] += 1
