"""The whole decision: what has happened goes in, what to persist, dispatch and end comes out.

Pure: no clock, process or database; whoever drives it tells it the time and performs what it decides. The
supervisor drives it for real, the simulation drives random schedules and crashes through it.

::

    worker_ready, ended, began, not_begun,          next_batch(now) ──► Batch ──► the store
    limit, stop, worker_gone ...  ──► memory ──►                                     │
                                                    committed(batch) ◄── committed ──┘
                                                        └──► Effects: acknowledge, report
          hand_over(), effects() ──► Effects: dispatch, end attempts, ask for claims back, let workers go

Memory runs ahead of the database by at most the batch under way and what has been fed since. Nothing is
dispatched before its claim is committed, and a batch is offered only when the one before is committed.

Where every task is: `ledger`. What may start next: `ready`. Who holds what: `holders`. Who is given what: `claims`.
What keeps from starting: `starts`. Where an end leads to: `ends`. What workers are told: `orders`. When: here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from mflow.core.ahead import late, late_at
from mflow.core.claims import Claims
from mflow.core.decisions import Effects, Now
from mflow.core.ends import SHOWS_NO_START, Stop, Witness, what_follows
from mflow.core.holders import Attempt, Holder, Holders
from mflow.core.ledger import Ledger, Neighbours
from mflow.core.model import AttemptEnd, Batch, Ending, Identity, Progress, RetryPolicy, TaskRow
from mflow.core.orders import Orders
from mflow.core.ready import FileOrder, ReadyQueue, Rule
from mflow.core.retry import planned_wait
from mflow.core.starts import MOST_FALSE_STARTS, FalseStarts
from mflow.core.states import Outcome, RunState, TaskState

__all__ = ["FLUSH_SECONDS", "MOST_FALSE_STARTS", "Attempt", "Effects", "Machine", "Now", "Stop"]

FLUSH_SECONDS = 0.05
"""How long an end may wait for company before it is committed."""


class Machine:
    """The decisions of one supervisor about one run."""

    def __init__(
        self,
        rows: Sequence[TaskRow],
        *,
        upstream: Neighbours,
        downstream: Neighbours,
        policy: Callable[[int], RetryPolicy],
        log: Callable[[int, int], str],
        limit: int,
        run_state: RunState,
        now: Now,
        rule: Rule | None = None,
    ) -> None:
        """`rows` as read under our fence; `log(task_no, attempt)` names the file of an attempt's output."""
        self._policy = policy
        self.stopping: Stop | None = None
        self._stopped_by: str | None = None
        self.released = False  # true once the batch that lets go of the run is committed
        self.now = now
        self._ledger = Ledger(rows, upstream, downstream)
        self._ready = ReadyQueue(FileOrder() if rule is None else rule)
        self._holders = Holders()
        self._orders = Orders()
        self._claims = Claims(self._ledger, self._ready, self._holders, log, limit)
        self._false_starts = FalseStarts()
        self._lack = self._claims.lack
        self._batch_number = 0
        self._under_way: Batch | None = None
        self._pending_since: float | None = None
        self._to_announce = run_state is not RunState.RUNNING
        for row in rows:
            if row.state is TaskState.RUNNING:
                self._holders.leave_undecided(row.task_no)
            elif self._ledger.may_start(row.task_no):
                wait, doubt = planned_wait(row, policy(row.task_no), now.wall)
                self._orders.say(doubt)
                self._ready.add(row.task_no, now.mono + wait, now.mono)

    # ------------------------------------------------------------------------------------ what it knows

    @property
    def limit(self) -> int:
        """How many attempts may execute at once."""
        return self._claims.limit

    @property
    def counts(self) -> dict[TaskState, int]:
        """Number of tasks in each state, in memory."""
        return self._ledger.counts()

    def state(self, task_no: int) -> TaskState:
        """The state of a task, in memory."""
        return self._ledger.state(task_no)

    def is_live(self, task_no: int, attempt: int) -> bool:
        """Whether this very attempt is claimed and not known to be over."""
        return task_no in self._holders.live_tasks and self._ledger.attempts[task_no] == attempt

    def holds(self, number: int, attempt: Attempt) -> bool:
        """Whether this worker holds this attempt: what it says of others counts for nothing.

        The pair alone does not tell: the number of a claim that was given back is another worker's soon.
        """
        holder = self._holders.live_tasks.get(attempt[0])
        return holder is not None and holder.number == number and self.is_live(*attempt)

    def undecided(self) -> list[Attempt]:
        """RUNNING rows whose attempts nobody has accounted for yet: until then nothing is claimed."""
        attempts, live = self._ledger.attempts, self._holders.live_tasks
        return [(no, attempts[no]) for no, holder in live.items() if holder is None]

    def held_by(self, worker: int) -> list[Attempt]:
        """The attempts this worker was given and has not ended, the executing one first."""
        return list(self._holders[worker].held)

    def executes_for(self, number: int, mono: float) -> float:
        """Seconds for which this worker has been executing the first attempt it holds."""
        return mono - self._holders[number].head_since

    def workers_wanted(self) -> int:
        """How many workers of our own should exist now, retiring ones included."""
        return 0 if self.stopping else self._claims.workers_wanted()

    # -------------------------------------------------------------------------------- what has happened

    def tick(self, now: Now) -> None:
        """The time of what is fed next; tries that waited for it may start."""
        self.now = now
        self._ready.wake(now.mono)

    def worker_ready(self, number: int, identity: Identity) -> None:
        """A worker of our own may be given attempts."""
        holder = Holder(number, identity)
        self._holders.add(holder)
        if self._holders.staying > self.limit - self._holders.adopted:
            self._orders.retire(holder)  # the limit was lowered while it started

    def worker_retires(self, number: int) -> None:
        """The worker takes no further attempt, e.g. because it leaves processes behind."""
        self._orders.retire(self._holders[number])

    def worker_gone(self, number: int) -> None:
        """The worker is dead, and all it held has been accounted for."""
        self._holders.remove(number)

    def adopt(self, task_no: int, attempt: int, number: int, identity: Identity) -> None:
        """The attempt of a dead supervisor lives on in this worker; it counts against the limit."""
        assert (task_no, attempt) in self.undecided(), f"task {task_no} attempt {attempt} is decided"
        holder = self._holders.get(number)
        if holder is None:
            holder = Holder(number, identity, adopted=True, retiring=True, head_since=self.now.mono)
            self._holders.add(holder)
        self._holders.hold(holder, task_no, attempt)
        if self.stopping:
            self._orders.halt(holder)

    def began(
        self,
        task_no: int,
        attempt: int,
        *,
        pid: int | None = None,
        started_at: datetime | None = None,
        facts: dict[str, object] | None = None,
        leader_ticks: int | None = None,
    ) -> None:
        """What a worker says of a live attempt; kept with the next batch."""
        if self.is_live(task_no, attempt):
            if started_at is not None:
                self._orders.say(self._lack.started((task_no, attempt), self.now.mono))
            self._ledger.progress.append(Progress(task_no, attempt, started_at, pid, facts, leader_ticks))
            self._touch()

    def ended(
        self, task_no: int, attempt: int, end: AttemptEnd, *, draw: float = 0.0, recovered: bool = False
    ) -> None:
        """An attempt is over. `recovered`: found so at a resume, by a supervisor that did not see it run."""
        if end.outcome not in SHOWS_NO_START:
            self._orders.say(self._lack.started((task_no, attempt), self.now.mono))
        holder = self._drop_live(task_no, attempt)
        if holder is not None:
            self._orders.owe(holder, (task_no, attempt))
            holder.blamed = end.outcome in (Outcome.LOST, Outcome.SIGNALLED)
        self._claims.pace.learn(end)
        self._false_starts.forget(task_no)
        following = what_follows(
            end,
            tries=self._ledger.tries[task_no],
            policy=self._policy(task_no),
            draw=draw,
            stopping=self.stopping,
            witness=Witness.of(recovered=recovered, adopted=holder is not None and holder.adopted),
            now=self.now.wall,
        )
        self._ledger.end(Ending(task_no, attempt, following.to, following.tries, end, following.not_before))
        self._touch()
        if following.to is TaskState.SUCCESS:
            self._release_downstream(task_no)
        elif following.to is TaskState.PENDING:
            self._ready.add(task_no, following.at(self.now), self.now.mono)

    def not_begun(self, task_no: int, attempt: int, *, draw: float = 0.0, spent: bool = False) -> None:
        """Proven never begun (given back, or its worker died before): no try is used up.

        `spent`: the attempt's log has its name taken, so the number is not used again.
        """
        unheard = self.stopping is not None or self._orders.is_unheard((task_no, attempt))
        holder = self._holders.live_tasks.get(task_no)
        strikes = self._false_starts.strike(holder, (task_no, attempt), unheard=unheard)
        if strikes >= MOST_FALSE_STARTS:
            message = f"its worker died {strikes} times before it could start"
            self.ended(task_no, attempt, AttemptEnd(Outcome.NOT_STARTED, message=message), draw=draw)
            return
        self._put_back(task_no, attempt, spent="its supervisor died before it could start" if spent else "")

    def lacking(
        self, number: int, attempt: Attempt, what: str, *, draw: float = 0.0, spent: bool = False
    ) -> None:
        """The worker has not begun this attempt, since this machine lacks `what`. `spent`: see `not_begun`."""
        if not self.holds(number, attempt):
            return
        self._orders.say(self._lack.refused(attempt, what, self.now.mono))
        if self._lack.is_too_long(self.now.mono):
            message = f"cannot start: {self._lack.for_so_long(self.now.mono)}"
            self.ended(*attempt, AttemptEnd(Outcome.NOT_STARTED, message=message), draw=draw)
        else:
            self._put_back(*attempt, spent=f"cannot start: {what}" if spent else "")
        self._orders.make_room(self._holders)

    def returned(self, number: int, attempts: Sequence[Attempt]) -> None:
        """A worker's answer to being asked: these of its claims it has not begun and will not."""
        holder = self._holders[number]
        for task_no, attempt in attempts:
            if self.holds(number, (task_no, attempt)):
                self._put_back(task_no, attempt)
        holder.asked = False
        if self.stopping:
            self._orders.halt(holder)  # what it was quicker to begin than to give back
        else:
            self._orders.let_go(holder)

    def reset(self, task_no: int) -> None:
        """Resume: a FAILED task may be tried again, with a new budget of tries."""
        was_failed = self.state(task_no) is TaskState.FAILED
        self._ledger.reset(task_no)
        self._touch()
        if was_failed and self._ledger.may_start(task_no):
            self._ready.add(task_no, None, self.now.mono)

    def settle(self, task_no: int, attempt: int, end: AttemptEnd) -> None:
        """Resume: an UNKNOWN attempt is now proven to have ended well."""
        self._ledger.settle(task_no, attempt, end)
        self._touch()
        self._release_downstream(task_no)

    def set_limit(self, limit: int) -> None:
        """At most so many attempts execute at once from now on. Ends nothing; nothing starts until below it."""
        self._claims.limit = limit
        self._orders.reduce(self._holders, limit)

    def stop(self, why: Stop, by: str | None = None) -> None:
        """Bring the run to a halt: nothing new starts, live attempts are ended. A CANCEL beats a SIGNAL.

        `by`: which signal, for whoever finds the run interrupted.
        """
        if self.stopping is not Stop.CANCEL:
            self.stopping, self._stopped_by = why, by
        for holder in self._holders:
            self._orders.halt(holder)

    # ---------------------------------------------------------------------------------- what to do now

    def effects(self) -> Effects:
        """What was decided without the database, once."""
        return self._orders.take()

    def next_batch(self, now: Now) -> Batch | None:
        """The next batch to persist, or None. Must not be called while one is under way."""
        assert self._under_way is None, "a batch is under way"
        self.now = now
        for holder in late(self._holders, now.mono):
            self._orders.ask_back(holder)
        if self.released or not self._due():
            return None
        claims = () if self.stopping or self._to_announce else self._claims.make(self.now)
        run_state, release = self._closing()
        if not (claims or run_state or release or self._ledger.dirty):
            return None
        self._batch_number += 1
        self._pending_since = None
        self._orders.hold_off(claims)
        interrupted_by = self._stopped_by if release and run_state is None else None
        self._under_way = self._ledger.take(
            self._batch_number, claims, run_state, release=release, interrupted_by=interrupted_by
        )
        return self._under_way

    def committed(self, batch: Batch, now: Now) -> Effects:
        """The batch is in the database: what follows from it, and what `effects` had to say."""
        assert batch is self._under_way, "not the batch under way"
        self._under_way = None
        self.now = now
        self.released = batch.release
        for ending in batch.endings:
            self._orders.acknowledge((ending.task_no, ending.attempt))
        for claim in batch.claims:
            if self._orders.is_unheard((claim.task_no, claim.attempt)):
                self._orders.may_dispatch((claim.task_no, claim.attempt))
        effects = self._orders.take()
        effects.endings, effects.released = list(batch.endings), batch.release
        return effects

    @property
    def has_to_hand_over(self) -> bool:
        """Whether committed claims wait for `hand_over`."""
        return self._orders.any_committed

    def hand_over(self) -> None:
        """Dispatch what is committed (see `effects`); only while the run is ours beyond doubt, or is stopping."""
        for attempt in self._orders.take_committed():
            self._dispatch(attempt)

    def wake_in(self, now: Now) -> float | None:
        """Seconds after which to `tick` and ask again though nothing has happened; None if only events can tell."""
        if self._under_way is not None or self.released:
            return None  # its answer is an event
        waits = [late_at(holder) - now.mono for holder in self._holders if holder.ahead]
        if self._pending_since is not None:
            waits.append(self._pending_since + FLUSH_SECONDS - now.mono)
        again = self._lack.again_in(now.mono)
        if again is not None and len(self._ready):
            waits.append(again)
        delayed = self._ready.wakes_in(now.mono)
        if delayed is not None and not self.stopping:
            waits.append(delayed)
        return max(0.0, min(waits)) if waits else None

    # ------------------------------------------------------------------------------ what a batch contains

    def _due(self) -> bool:
        """Whether a batch is worth its commit now, or may wait for company."""
        if (
            self._to_announce
            or self.stopping
            or self._nothing_left()
            or self._claims.are_wanted(self.now.mono)
        ):
            return True
        return self._pending_since is not None and self._pending_since + FLUSH_SECONDS <= self.now.mono

    def _closing(self) -> tuple[RunState | None, bool]:
        """The run's own transition in this batch, and whether it lets go of the run."""
        if self._to_announce:
            self._to_announce = False
            return RunState.RUNNING, False
        if not self._nothing_left():
            return None, False
        if self.stopping is Stop.SIGNAL and self._ready:
            return None, True  # a resume would find something to do that is not behind a failure
        return (RunState.SUCCESS if self._ledger.all_succeeded() else RunState.FAILED), True

    def _nothing_left(self) -> bool:
        """Nothing runs, and nothing may start any more."""
        return not self._holders.live_tasks and (self.stopping is not None or not self._ready)

    # ------------------------------------------------------------------------- what follows from a commit

    def _dispatch(self, attempt: Attempt) -> None:
        holder = self._holders.live_tasks[attempt[0]]
        assert holder is not None
        if self.stopping or not self._claims.may_go(holder, attempt):
            self._put_back(*attempt)
            return
        if holder.held[0] == attempt:
            holder.head_since = self.now.mono
        self._orders.dispatch(holder, attempt)

    # --------------------------------------------------------------------------------------- bookkeeping

    def _release_downstream(self, task_no: int) -> None:
        for behind in self._ledger.release_downstream(task_no):
            self._ready.add(behind, None, self.now.mono)

    def _drop_live(self, task_no: int, attempt: int) -> Holder | None:
        assert self.is_live(task_no, attempt), f"task {task_no} attempt {attempt} is not live"
        self._orders.forget((task_no, attempt))
        self._lack.dropped((task_no, attempt), self.now.mono)
        return self._holders.drop(task_no, attempt, self.now.mono)

    def _put_back(self, task_no: int, attempt: int, *, spent: str = "") -> None:
        """A claim that was not begun: the task is PENDING again, no try is used up.

        `spent`: why its number must not be used again, if so.
        """
        holder = self._drop_live(task_no, attempt)
        if spent:
            end = AttemptEnd(Outcome.NOT_STARTED, message=spent)
            self._ledger.end(Ending(task_no, attempt, TaskState.PENDING, self._ledger.tries[task_no], end))
        else:
            self._ledger.give_back(task_no, attempt)
        self._touch()
        self._ready.add(task_no, None, self.now.mono)
        if holder is not None:
            self._orders.let_go(holder)

    def _touch(self) -> None:
        if self._pending_since is None:
            self._pending_since = self.now.mono
