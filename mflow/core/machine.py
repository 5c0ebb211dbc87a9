"""The whole decision: what has happened goes in, what to persist, dispatch and end comes out.

Pure: no clock, process or database; whoever drives it tells it the time and performs what it decides. The
supervisor drives it for real, the simulation drives millions of random schedules and crashes through it.

::

    worker_ready, ended, began, not_begun,          next_batch(now) ──► Batch ──► the store
    limit, stop, worker_gone ...  ──► memory ──►                                     │
                                                    committed(batch) ◄── committed ──┘
                                                        │
                                                        └──► Effects: dispatch, acknowledge, report
                        effects() ──► Effects: end attempts, ask for claims back

Memory runs ahead of the database by at most the batch under way and what has been fed since. Nothing is
dispatched before its claim is committed, and a batch is offered only when the one before is committed.

**Claim-ahead.** A worker may hold claims beside the attempt it executes, only while recent attempts are so
short (`AHEAD_SECONDS`) that a commit a task would be the bottleneck; a batch is then offered when a worker is
about to run dry. A claim never waits behind an attempt that turns out long: it is asked back.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from mflow.core.model import (
    AttemptEnd,
    Batch,
    Claim,
    Ending,
    GiveBack,
    Identity,
    Progress,
    Reset,
    RetryPolicy,
    Settle,
    TaskRow,
)
from mflow.core.retry import wait_before_retry
from mflow.core.states import Outcome, RunState, TaskState, check_task_transition

AHEAD_SECONDS = 0.02
"""How much work a worker may hold ahead, and how long a claim may wait behind a running attempt."""

MOST_AHEAD = 16
"""Claims a worker may hold beside the one it executes, however short they are."""

FLUSH_SECONDS = 0.05
"""How long an end may wait for company before it is committed."""

MOST_FALSE_STARTS = 3
"""How often in a row a task may be proven not begun in a live run before it fails as NOT_STARTED."""

Attempt = tuple[int, int]
"""(task number, attempt number)."""


class Now(NamedTuple):
    """One reading of the clocks: an aware UTC instant, and seconds that never jump."""

    wall: datetime
    mono: float


class Stop(Enum):
    """Why a run is brought to a halt before its end."""

    SIGNAL = "signal"  # of the supervisor: attempts go back to PENDING, the run stays RUNNING and resumable
    CANCEL = "cancel"  # of the run, on an operator's word: attempts become FAILED (CANCELLED), and so the run


@dataclass(slots=True)
class Effects:
    """What to do now. Empty lists where there is nothing."""

    dispatch: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt: committed, may run
    acknowledge: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt: outcome committed
    end: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt to be ended
    ask_back: list[tuple[int, list[Attempt]]] = field(default_factory=list)  # worker, claims not to begin
    endings: list[Ending] = field(default_factory=list)  # committed: may be shown
    released: bool = False  # the run is no longer ours: leave


class _Worker:
    """A worker as the machine sees it: who it is, and the attempts it holds, the executing one first."""

    __slots__ = ("adopted", "asked", "head_since", "held", "identity", "number", "retiring", "undispatched")

    def __init__(self, number: int, identity: Identity, *, adopted: bool = False) -> None:
        self.number = number
        self.identity = identity
        self.adopted = adopted
        self.retiring = adopted
        self.held: deque[Attempt] = deque()
        self.undispatched: set[Attempt] = set()  # claims whose commit is not known yet
        self.asked = False  # claims were asked back and the answer is open
        self.head_since = 0.0  # monotonic seconds


class Machine:
    """The decisions of one supervisor about one run."""

    def __init__(
        self,
        rows: Sequence[TaskRow],
        *,
        upstream: Callable[[int], Sequence[int]],
        downstream: Callable[[int], Sequence[int]],
        policy: Callable[[int], RetryPolicy],
        log: Callable[[int, int], str],
        limit: int,
        run_state: RunState,
        now: Now,
    ) -> None:
        """`rows` as read under our fence; `log(task_no, attempt)` names the file of an attempt's output."""
        self._upstream, self._downstream, self._policy, self._log = upstream, downstream, policy, log
        self.limit = limit
        self.stopping: Stop | None = None
        self.now = now
        size = 1 + max((row.task_no for row in rows), default=-1)
        self._state: list[TaskState | None] = [None] * size
        self._attempts = [0] * size
        self._tries = [0] * size
        self._waiting = [0] * size
        self._false_starts: dict[int, int] = {}
        self._counts = dict.fromkeys(TaskState, 0)
        self._ready: list[int] = []
        self._delayed: list[tuple[datetime, int]] = []
        self._workers: dict[int, _Worker] = {}
        self._live: dict[int, _Worker | None] = {}  # task number -> who holds its claim; None: not known yet
        self._owed: dict[Attempt, int] = {}  # ended, not committed yet -> worker to acknowledge
        self._batch_number = 0
        self._under_way: Batch | None = None
        self._clear_pending()
        self._pending_since: float | None = None
        self._average = AHEAD_SECONDS  # seconds a recent attempt took
        self._to_announce = run_state is not RunState.RUNNING
        self._run_state = run_state
        self._released = False
        self._effects = Effects()
        for row in rows:
            self._load(row)
        for row in rows:
            self._waiting[row.task_no] = self._count_waiting(row.task_no)
        for row in rows:
            if row.state is TaskState.PENDING:
                self._make_ready(row.task_no, row.not_before)

    # ------------------------------------------------------------------------------------ what it knows

    @property
    def counts(self) -> dict[TaskState, int]:
        """Number of tasks in each state, in memory."""
        return dict(self._counts)

    @property
    def released(self) -> bool:
        """True once the batch that lets go of the run is committed."""
        return self._released

    def state(self, task_no: int) -> TaskState:
        """The state of a task, in memory."""
        state = self._state[task_no]
        assert state is not None, task_no
        return state

    def is_live(self, task_no: int, attempt: int) -> bool:
        """Whether this very attempt is claimed and not known to be over."""
        return task_no in self._live and self._attempts[task_no] == attempt

    def undecided(self) -> list[Attempt]:
        """RUNNING rows whose attempts nobody has accounted for yet: recovery must, before anything starts."""
        return [(no, self._attempts[no]) for no, worker in self._live.items() if worker is None]

    def held_by(self, worker: int) -> list[Attempt]:
        """The attempts this worker was given and has not ended, the executing one first."""
        return list(self._workers[worker].held)

    def workers_wanted(self) -> int:
        """How many workers of our own should exist now (adopted ones count against the limit)."""
        if self.stopping:
            return 0
        adopted = sum(1 for worker in self._workers.values() if worker.adopted)
        busy = sum(1 for worker in self._workers.values() if worker.held and not worker.adopted)
        return max(0, min(self.limit - adopted, busy + len(self._ready)))

    # -------------------------------------------------------------------------------- what has happened

    def tick(self, now: Now) -> None:
        """The time of what is fed next."""
        self.now = now

    def worker_ready(self, number: int, identity: Identity) -> None:
        """A worker of our own may be given attempts."""
        self._workers[number] = _Worker(number, identity)

    def worker_retires(self, number: int) -> None:
        """The worker takes no further attempt: it leaves processes behind, or the limit went down."""
        self._workers[number].retiring = True

    def worker_gone(self, number: int) -> None:
        """The worker is dead, and all it held has been accounted for."""
        worker = self._workers.pop(number)
        assert not worker.held, f"worker {number} gone with {list(worker.held)}"

    def adopt(self, task_no: int, attempt: int, number: int, identity: Identity) -> None:
        """The attempt of a dead supervisor lives on in this worker; it counts against the limit."""
        self._expect_live(task_no, attempt)
        worker = _Worker(number, identity, adopted=True)
        worker.held.append((task_no, attempt))
        worker.head_since = self.now.mono
        self._workers[number] = worker
        self._live[task_no] = worker
        if self.stopping:
            self._effects.end.append((number, (task_no, attempt)))

    def began(
        self,
        task_no: int,
        attempt: int,
        *,
        pid: int | None = None,
        started_at: datetime | None = None,
        facts: dict[str, object] | None = None,
    ) -> None:
        """What a worker says of a live attempt; kept with the next batch."""
        if self.is_live(task_no, attempt):
            self._progress.append(Progress(task_no, attempt, started_at, pid, facts))
            self._touch()

    def ended(
        self, task_no: int, attempt: int, end: AttemptEnd, *, draw: float = 0.0, recovered: bool = False
    ) -> None:
        """An attempt is over. `recovered`: found so at a resume, by a supervisor that did not see it run."""
        worker = self._drop_live(task_no, attempt)
        if worker is not None:
            self._owed[(task_no, attempt)] = worker.number
        self._learn_duration(end)
        self._false_starts.pop(task_no, None)
        to, not_before = self._judge(task_no, end, draw, recovered)
        self._move(task_no, to)
        self._endings.append(Ending(task_no, attempt, to, self._tries[task_no], end, not_before))
        self._touch()
        if to is TaskState.SUCCESS:
            self._release_downstream(task_no)
        elif to is TaskState.PENDING:
            self._make_ready(task_no, not_before)

    def not_begun(self, task_no: int, attempt: int, *, draw: float = 0.0) -> None:
        """Proven never begun (given back, or its worker died before): no try is used up."""
        worker = self._live.get(task_no)
        asked = worker is not None and worker.asked
        strikes = self._false_starts.get(task_no, 0) + (0 if asked or self.stopping else 1)
        if strikes >= MOST_FALSE_STARTS:
            message = f"its worker died {strikes} times before it could start"
            self.ended(task_no, attempt, AttemptEnd(Outcome.NOT_STARTED, message=message), draw=draw)
            return
        self._false_starts[task_no] = strikes
        self._drop_live(task_no, attempt)
        self._give_back(task_no, attempt)

    def returned(self, number: int, attempts: Sequence[Attempt]) -> None:
        """A worker's answer to being asked: these of its claims it has not begun and will not."""
        for task_no, attempt in attempts:
            self.not_begun(task_no, attempt)
        self._workers[number].asked = False

    def reset(self, task_no: int) -> None:
        """Resume: a FAILED task may be tried again, with a new budget of tries."""
        if self.state(task_no) is TaskState.FAILED:
            self._move(task_no, TaskState.PENDING)
            self._make_ready(task_no, None)
        self._tries[task_no] = 0
        self._resets.append(Reset(task_no))
        self._touch()

    def settle(self, task_no: int, attempt: int, end: AttemptEnd) -> None:
        """Resume: an UNKNOWN attempt is now proven to have ended well."""
        self._move(task_no, TaskState.SUCCESS)
        self._settles.append(Settle(task_no, attempt, end))
        self._touch()
        self._release_downstream(task_no)

    def set_limit(self, limit: int) -> None:
        """At most so many attempts execute at once from now on. Ends nothing."""
        self.limit = limit
        own = [worker for worker in self._workers.values() if not worker.adopted]
        excess = len(self._workers) - limit
        for worker in sorted(own, key=lambda worker: (len(worker.held), -worker.number)):
            if excess <= 0:
                break
            if not worker.retiring:
                worker.retiring = True
                self._ask_back(worker)
            excess -= 1

    def stop(self, why: Stop) -> None:
        """Bring the run to a halt: nothing new starts, live attempts are ended. A CANCEL beats a SIGNAL."""
        if self.stopping is not Stop.CANCEL:
            self.stopping = why
        for worker in self._workers.values():
            self._ask_back(worker)
            if worker.held and worker.held[0] not in worker.undispatched:
                self._effects.end.append((worker.number, worker.held[0]))

    # ---------------------------------------------------------------------------------- what to do now

    def effects(self) -> Effects:
        """What was decided without the database, once."""
        effects, self._effects = self._effects, Effects()
        return effects

    def next_batch(self, now: Now) -> Batch | None:
        """The next batch to persist, or None. Must not be called while one is under way."""
        assert self._under_way is None, "a batch is under way"
        self.now = now
        self._wake_delayed()
        self._ask_back_late()
        if not self._due():
            return None
        claims = self._claim()
        run_state, release = self._closing(claims)
        batch = Batch(
            number=self._batch_number + 1,
            claims=claims,
            endings=tuple(self._endings),
            give_backs=tuple(self._give_backs),
            resets=tuple(self._resets),
            settles=tuple(self._settles),
            progress=tuple(self._progress),
            run_state=run_state,
            release=release,
        )
        self._clear_pending()
        self._pending_since = None
        if batch.empty:
            return None
        self._batch_number += 1
        self._under_way = batch
        return batch

    def committed(self, batch: Batch, now: Now) -> Effects:
        """The batch is in the database: what follows from it."""
        assert batch is self._under_way, "not the batch under way"
        self._under_way = None
        self.now = now
        effects = Effects(endings=list(batch.endings), released=batch.release)
        self._released = batch.release
        for ending in batch.endings:
            self._acknowledge(effects, ending.task_no, ending.attempt)
        for give_back in batch.give_backs:
            self._owed.pop((give_back.task_no, give_back.attempt), None)
        for claim in batch.claims:
            self._dispatch(effects, claim)
        return effects

    def wake_in(self, now: Now) -> float | None:
        """Seconds after which a batch may be due though nothing has happened; None if only events can tell."""
        waits = []
        if self._delayed and not self.stopping:
            waits.append((self._delayed[0][0] - now.wall).total_seconds())
        if self._pending_since is not None:
            waits.append(self._pending_since + FLUSH_SECONDS - now.mono)
        waits += [
            worker.head_since + AHEAD_SECONDS - now.mono
            for worker in self._workers.values()
            if len(worker.held) > 1 and not worker.asked
        ]
        return max(0.0, min(waits)) if waits else None

    # ---------------------------------------------------------------------------------------- the rules

    def _judge(
        self, task_no: int, end: AttemptEnd, draw: float, recovered: bool
    ) -> tuple[TaskState, datetime | None]:
        """Where a task goes when its attempt ended so, and its next try's earliest instant."""
        if end.ok:
            self._tries[task_no] += 1
            return TaskState.SUCCESS, None
        if end.outcome is Outcome.CANCELLED and self._stopped_with_supervisor(recovered):
            return TaskState.PENDING, None  # no try used up
        if recovered and end.outcome is Outcome.LOST and self.stopping is not Stop.CANCEL:
            self._tries[task_no] = 0  # at a resume LOST is taken up again like FAILED
            return TaskState.PENDING, None
        self._tries[task_no] += 1
        wait = wait_before_retry(self._policy(task_no), end, self._tries[task_no], draw)
        if wait is None or self.stopping is Stop.CANCEL:
            return TaskState.FAILED, None
        return TaskState.PENDING, self.now.wall + timedelta(seconds=wait)

    def _stopped_with_supervisor(self, recovered: bool) -> bool:
        return self.stopping is Stop.SIGNAL or (recovered and self.stopping is None)

    def _due(self) -> bool:
        """Whether a batch is worth its commit now, or may wait for company."""
        if self._to_announce or self.stopping or self._nothing_left():
            return True
        if self._hungry():
            return True
        return self._pending_since is not None and self.now.mono - self._pending_since >= FLUSH_SECONDS

    def _hungry(self) -> bool:
        """A task is ready, and a worker has nothing to execute, or will not have in a moment."""
        if not self._ready:
            return False
        low = 0 if self._depth() == 0 else 1
        return any(len(w.held) <= low and not w.retiring for w in self._workers.values()) and self._has_room()

    def _has_room(self) -> bool:
        return self._executing() < self.limit or self._depth() > 0

    def _executing(self) -> int:
        return sum(1 for worker in self._workers.values() if worker.held)

    def _depth(self) -> int:
        """Claims a worker may hold beside the one it executes, by what recent attempts took."""
        return min(MOST_AHEAD, int(AHEAD_SECONDS / self._average) - 1) if self._average > 0 else MOST_AHEAD

    def _claim(self) -> tuple[Claim, ...]:
        """Bind ready tasks to workers: to idle ones first, then ahead, evenly, the earliest task first."""
        if self.stopping or self._to_announce or not self._ready:
            return ()
        assert not any(worker is None for worker in self._live.values()), "claims before recovery"
        claims: list[Claim] = []
        idle_room = self.limit - self._executing()
        takers = [w for w in self._workers.values() if not w.retiring and not w.asked]
        for level in range(1 + max(0, self._depth())):
            for worker in takers:
                if not self._ready:
                    return tuple(claims)
                if len(worker.held) > level:
                    continue
                if not worker.held:
                    if idle_room <= 0:
                        continue
                    idle_room -= 1
                claims.append(self._claim_for(worker, heapq.heappop(self._ready)))
        return tuple(claims)

    def _claim_for(self, worker: _Worker, task_no: int) -> Claim:
        self._move(task_no, TaskState.RUNNING)
        self._attempts[task_no] += 1
        attempt = self._attempts[task_no]
        worker.held.append((task_no, attempt))
        worker.undispatched.add((task_no, attempt))
        self._live[task_no] = worker
        return Claim(task_no, attempt, worker.identity, self._log(task_no, attempt), self.now.wall)

    def _closing(self, claims: tuple[Claim, ...]) -> tuple[RunState | None, bool]:
        """The run's own transition in this batch, and whether it lets go of the run."""
        if self._to_announce:
            self._to_announce = False
            self._run_state = RunState.RUNNING
            return RunState.RUNNING, False
        if claims or not self._nothing_left() or self._released:
            return None, False
        if self.stopping is Stop.SIGNAL and self._unfinished():
            return None, True
        done = self._counts[TaskState.SUCCESS] == sum(self._counts.values())
        return (RunState.SUCCESS if done else RunState.FAILED), True

    def _nothing_left(self) -> bool:
        """Nothing runs, and nothing may start any more."""
        if self._live:
            return False
        return bool(self.stopping) or not (self._ready or self._delayed)

    def _unfinished(self) -> bool:
        """A resume would find something to do that is not behind a failure."""
        return bool(self._ready or self._delayed)

    # ------------------------------------------------------------------------------------- bookkeeping

    def _load(self, row: TaskRow) -> None:
        self._state[row.task_no] = row.state
        self._attempts[row.task_no] = row.attempts
        self._tries[row.task_no] = row.tries
        self._counts[row.state] += 1
        if row.state is TaskState.RUNNING:
            self._live[row.task_no] = None

    def _count_waiting(self, task_no: int) -> int:
        return sum(1 for up in self._upstream(task_no) if self._state[up] is not TaskState.SUCCESS)

    def _move(self, task_no: int, to: TaskState) -> None:
        before = self.state(task_no)
        check_task_transition(before, to)
        self._state[task_no] = to
        self._counts[before] -= 1
        self._counts[to] += 1

    def _make_ready(self, task_no: int, not_before: datetime | None) -> None:
        """A PENDING task may start, at once or later, if nothing upstream is missing."""
        if self._waiting[task_no]:
            return
        if not_before is not None and not_before > self.now.wall:
            heapq.heappush(self._delayed, (not_before, task_no))
        else:
            heapq.heappush(self._ready, task_no)

    def _release_downstream(self, task_no: int) -> None:
        for down in self._downstream(task_no):
            self._waiting[down] -= 1
            if not self._waiting[down] and self._state[down] is TaskState.PENDING:
                self._make_ready(down, None)

    def _wake_delayed(self) -> None:
        while self._delayed and self._delayed[0][0] <= self.now.wall:
            heapq.heappush(self._ready, heapq.heappop(self._delayed)[1])

    def _expect_live(self, task_no: int, attempt: int) -> None:
        if not self.is_live(task_no, attempt):
            raise AssertionError(f"task {task_no} attempt {attempt} is not live")

    def _drop_live(self, task_no: int, attempt: int) -> _Worker | None:
        self._expect_live(task_no, attempt)
        worker = self._live.pop(task_no)
        if worker is not None:
            if worker.held[0] == (task_no, attempt):
                worker.head_since = self.now.mono
            worker.held.remove((task_no, attempt))
            worker.undispatched.discard((task_no, attempt))
        return worker

    def _give_back(self, task_no: int, attempt: int) -> None:
        self._move(task_no, TaskState.PENDING)
        self._attempts[task_no] -= 1
        self._give_backs.append(GiveBack(task_no, attempt))
        self._make_ready(task_no, None)
        self._touch()

    def _ask_back_late(self) -> None:
        """Claims that wait behind an attempt that turned out long are asked back."""
        for worker in self._workers.values():
            if len(worker.held) > 1 and self.now.mono - worker.head_since >= AHEAD_SECONDS:
                self._ask_back(worker)

    def _ask_back(self, worker: _Worker) -> None:
        late = [attempt for attempt in list(worker.held)[1:] if attempt not in worker.undispatched]
        if late and not worker.asked and not worker.adopted:
            worker.asked = True
            self._effects.ask_back.append((worker.number, late))

    def _acknowledge(self, effects: Effects, task_no: int, attempt: int) -> None:
        worker = self._owed.pop((task_no, attempt), None)
        if worker is not None:
            effects.acknowledge.append((worker, (task_no, attempt)))

    def _dispatch(self, effects: Effects, claim: Claim) -> None:
        """A committed claim goes to its worker, unless it died or the run is being stopped meanwhile."""
        attempt = (claim.task_no, claim.attempt)
        worker = self._live.get(claim.task_no)
        if worker is None or attempt not in worker.undispatched:
            return
        worker.undispatched.discard(attempt)
        if self.stopping:
            self._drop_live(*attempt)
            self._give_back(*attempt)
            return
        if worker.held[0] == attempt:
            worker.head_since = self.now.mono
        effects.dispatch.append((worker.number, attempt))

    def _learn_duration(self, end: AttemptEnd) -> None:
        """A moving average that believes a long attempt at once and short ones only after a while."""
        if end.started_at is not None and end.ended_at is not None:
            took = max(0.0, (end.ended_at - end.started_at).total_seconds())
            self._average += 0.2 * (took - self._average)

    def _touch(self) -> None:
        if self._pending_since is None:
            self._pending_since = self.now.mono

    def _clear_pending(self) -> None:
        self._endings: list[Ending] = []
        self._give_backs: list[GiveBack] = []
        self._resets: list[Reset] = []
        self._settles: list[Settle] = []
        self._progress: list[Progress] = []
