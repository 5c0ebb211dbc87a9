"""The shell around the machine, as the real one works, cut into single effects: `yield` is where it may die.

It is written by the protocol, not copied from the engine: two shells that agree about the machine are a proof.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from dataclasses import dataclass, replace
from typing import Any

from mflow.core.contracts import LEASE_SECONDS
from mflow.core.decisions import Effects
from mflow.core.errors import StoreUnavailable, Superseded
from mflow.core.holders import Attempt
from mflow.core.machine import Machine
from mflow.core.model import Batch, TaskRow
from mflow.core.recovery import (
    Decision,
    NotBegun,
    Take,
)
from mflow.core.states import Outcome, TaskState
from tests.simulation import worker as words
from tests.simulation.evidence import settle
from tests.simulation.resume import recover
from tests.simulation.worker import SimulatedWorker
from tests.simulation.world import Host, World, expect

WAIT = "waiting for something to happen"
LONGEST_SPIN = 3
LONGEST_WAIT = 25.0  # of a policy that may be drawn, and of the pauses while the machine lacks something

Steps = Generator[str, None, None]


@dataclass(slots=True)
class Answer:
    """Of the store: committed, unless there is an error."""

    error: StoreUnavailable | Superseded | None = None


@dataclass(slots=True)
class Crew:
    """A worker as a supervisor knows it."""

    worker: SimulatedWorker
    adopted: bool
    ready: bool = False
    retired: bool = False  # it said that it begins nothing more


class SimulatedSupervisor:
    """One process that drives the run until it lets go of it, is superseded, or dies."""

    def __init__(self, world: World, host: Host, *, cancel: bool = False, edit: Any = None) -> None:
        self.world, self.host, self.store = world, host, world.store
        self.identity = host.identity(world.new_pid())
        self.cancel, self.edit = cancel, edit
        self.stopped = False  # by SIGSTOP
        self.halted_at: float | None = None  # when it was told to stop the run
        self.events: deque[tuple[str, Any]] = deque()  # of the operator
        self.wake_at: float | None = None
        self.point = "a resume before it owns the run"
        self.in_flight: Batch | None = None
        self.committing = False  # the batch is with the store; else its next try is waited for
        self.in_doubt = False
        self.answer: Answer | None = None
        self.renewed_at = world.seconds
        self.fence = -1
        self.machine: Machine
        self.crew: dict[int, Crew] = {}
        self.rows: dict[Attempt, TaskRow] = {}
        self._seen_fence, self._seen_owner = self.store.fence, self.store.owner
        self._numbers = 0
        self._active = True
        self._spins = 0
        self.trying: set[Attempt] | None = (
            None  # a lack is known: what was dispatched since, and told nothing yet
        )
        self._hesitates = False  # looks again at once whether it may hand over
        self._steps = self._run()
        world.supervisors.append(self)

    # ------------------------------------------------------------------------------------------- as a process

    @property
    def alive(self) -> bool:
        """Whether the process exists; a stopped one does."""
        return self in self.world.supervisors

    def runnable(self) -> bool:
        """Whether it has something to do now."""
        if self.stopped:
            return False
        if self.point is not WAIT:
            return True
        if self.events or self.answer is not None:
            return True
        if self.wake_at is not None and self.wake_at <= self.world.seconds:
            return True
        return self._hesitates or any(
            not one.worker.alive or (one.worker.outbox and not one.adopted) for one in self.crew.values()
        )

    def step(self) -> None:
        """Up to the next point where it may die."""
        try:
            self.point = next(self._steps)
        except StopIteration:
            self.die()

    def die(self) -> None:
        """The process is gone, whatever it was doing."""
        if self.alive:
            self.world.supervisors.remove(self)
            sent = self.committing and not self.in_doubt  # else it would look first
            if self.in_flight is not None and sent and self.world.rng.random() < 0.5:
                self.store.floating.append((self.fence, self.in_flight))

    def commit_step(self) -> None:
        """The writer and the store do their work."""
        assert self.in_flight is not None
        self.committing = False
        try:
            if not (self.in_doubt and self.store.was_applied(self.fence, self.in_flight.number)):
                self.store.attempt_to_apply(self.fence, self.in_flight)
            self.answer = Answer()
        except StoreUnavailable as error:
            self.in_doubt = self.in_doubt or error.applied_unknown
            self.answer = Answer(error)
        except Superseded as error:
            self.answer = Answer(error)

    # ------------------------------------------------------------------------------------------------ the run

    def _run(self) -> Steps:
        yield "a resume before it owns the run"
        if self._seen_fence == self.store.fence:
            self._end_owner()
        yield "a takeover after the old one is ended"
        try:
            lapsed = self._seen_owner is not None and not self._seen_owner.same_kernel(self.identity)
            self.fence = self.store.acquire(self.identity, self._seen_fence, lapsed=lapsed)
        except Superseded:
            self.world.seen["a resume lost the race"] += 1
            return
        self.renewed_at = self.world.seconds
        yield "a takeover before rows are read"
        try:
            if self.edit is not None:
                self.edit(self.fence)
        except Superseded:
            self.world.seen["a supervisor found itself superseded"] += 1
            return
        yield "after an edit of the definition"
        yield from recover(self)
        yield from self._loop()

    def _end_owner(self) -> None:
        """A supervisor that can be reached from here is gone before its run is asked for."""
        for other in list(self.world.supervisors):
            if other.identity == self._seen_owner and other.host is self.host:
                other.die()
                self.world.seen["a live supervisor was taken over"] += 1

    def make_machine(self, rows: list[TaskRow]) -> Machine:
        """Of the definition as it is now."""
        plan = self.world.plan
        return Machine(
            rows,
            upstream=dict(plan.upstream).__getitem__,
            downstream=dict(plan.downstream).__getitem__,
            policy=dict(plan.policies).__getitem__,
            log=lambda no, attempt: f"{no}.{attempt}",
            limit=plan.limit,
            run_state=self.store.run_state,
            now=self.world.now,
        )

    def _loop(self) -> Steps:
        while True:
            self._start_workers()
            if self.in_flight is None:
                yield from self._offer()
            yield from self._hand_over()
            yield from self._perform(self.machine.effects())
            if self.machine.released:
                break
            yield from self._wait()
            self._hesitates = False
            self.machine.tick(self.world.now)
            yield from self._feed()
        yield "after the last commit before the workers are let go"
        for one in self.crew.values():
            if not one.adopted:
                one.worker.inbox.append((words.QUIT, None))

    def _wait(self) -> Steps:
        wake_in = self.machine.wake_in(self.world.now) if self.in_flight is None else None
        if self._active or wake_in is None or wake_in > 0:
            self._spins = 0
        else:
            self._spins += 1
            expect(self._spins < LONGEST_SPIN, "spins", wake_in)
        self._active = False
        expect(wake_in is None or wake_in <= LONGEST_WAIT, "waits longer than any policy", wake_in)
        self.wake_at = None if wake_in is None else self.world.seconds + wake_in
        yield WAIT

    def _start_workers(self) -> None:
        own = sum(1 for one in self.crew.values() if not one.adopted)
        for _ in range(max(0, self.machine.workers_wanted() - own)):
            self._numbers += 1
            self._active = True
            self.crew[self._numbers] = Crew(SimulatedWorker(self.world, self.host, self), adopted=False)

    # -------------------------------------------------------------------------------------------- persisting

    def _offer(self) -> Steps:
        batch = self.machine.next_batch(self.world.now)
        if batch is None:
            return
        self._active = True
        for claim in batch.claims:
            row = TaskRow(claim.task_no, f"t{claim.task_no}", "bash", TaskState.RUNNING, claim.attempt)
            self.rows[(claim.task_no, claim.attempt)] = replace(row, worker=claim.worker)
        self.in_flight, self.committing, self.in_doubt = batch, True, False
        self.submitted_at = self.world.seconds
        yield "before a commit"

    def _take_answer(self) -> Steps:
        answer, self.answer = self.answer, None
        assert answer is not None
        if isinstance(answer.error, StoreUnavailable):
            self.committing = True  # its next try
            return
        if isinstance(answer.error, Superseded):
            self.world.seen["a supervisor found itself superseded"] += 1
            self.die()
            yield "superseded"
        batch, self.in_flight = self.in_flight, None
        assert batch is not None
        self.renewed_at = self.submitted_at
        yield "after a commit before anything follows from it"
        self._active = True
        yield from self._perform(self.machine.committed(batch, self.world.now))

    def adopt(self, row: TaskRow) -> bool:
        """Watch the worker of a live attempt; false if it has just gone."""
        assert row.worker is not None
        found = [worker for worker in self.world.workers if worker.identity == row.worker]
        if not found:
            return False
        attempt = (row.task_no, row.attempts)
        self.rows[attempt] = row
        known = [number for number, one in self.crew.items() if one.worker is found[0]]
        number = known[0] if known else self._numbers + 1
        self._numbers = max(self._numbers, number)
        self.crew[number] = Crew(found[0], adopted=True)
        self.machine.adopt(*attempt, number, row.worker)
        return True

    # ------------------------------------------------------------------------------------- what is decided

    def _perform(self, effects: Effects) -> Steps:
        for number, attempts in effects.ask_back:
            self.world.seen["claims were asked back"] += 1
            self._say(number, words.GIVE_BACK, attempts)
            yield "between two effects"
        for number, attempt in effects.end:
            self._say(number, words.STOP, None if self._is_adopted(number) else attempt)
            yield "between two effects"
        for number, attempt in effects.acknowledge:
            yield "after a commit before its acknowledgement"
            self._acknowledge(number, attempt)
        for number in effects.let_go:
            self._say(number, words.QUIT, None)
            yield "between two effects"
        for number, attempt in effects.dispatch:
            yield "between two dispatches"
            self._check_claim(number, attempt)
            self._say(number, words.RUN, attempt)

    def _acknowledge(self, number: int, attempt: Attempt) -> None:
        self._active = True
        if self._is_adopted(number) or number not in self.crew:
            self.host.outcomes.pop(attempt, None)
        else:
            self._say(number, words.ACK, attempt)

    def _hand_over(self) -> Steps:
        """Only while the run is ours beyond doubt; sometimes that is learned a turn later."""
        if not self.machine.has_to_hand_over:
            return
        yield "after a commit before dispatch"
        self._active = True
        if self.world.seconds - self.renewed_at >= LEASE_SECONDS * 2 / 3:
            yield from self._renew_lease()
        elif self.world.rng.random() < self.world.plan.hesitation:
            self.world.seen["dispatches were held back for a turn"] += 1
            self._hesitates = True
            return
        self.machine.hand_over()
        self._check_ownership()

    def _renew_lease(self) -> Steps:
        self.world.seen["a stale lease held dispatches back"] += 1
        try:
            self.store.heartbeat(self.fence)
        except Superseded:
            self.world.seen["a supervisor found itself superseded"] += 1
            self.die()
            yield "superseded"
        self.renewed_at = self.world.seconds

    def _check_ownership(self) -> None:
        """Whoever took the run over on this host will end us; on another host nobody can."""
        owner = self.store.last_owner
        assert owner is not None
        mine = self.fence == self.store.fence
        expect(mine or self.host.is_of(owner), "dispatches a run of another host", self.fence)

    def _check_claim(self, number: int, attempt: Attempt) -> None:
        """What a worker is told to run is its own, and committed as that."""
        expect(self.machine.stopping is None, "dispatches while stopping", attempt)
        expect(number in self.crew, "dispatches to a worker that is gone", attempt, number)
        expect(not self.crew[number].retired, "dispatches to a worker that retires", attempt)
        if self.trying is not None:
            expect(not self.trying, "more than one try while the machine lacks something", attempt)
            self.trying.add(attempt)
        expect(attempt in self.machine.held_by(number), "dispatches to who does not hold it", attempt)
        if self.fence == self.store.fence:
            row, identity = self.store.rows[attempt[0]], self.crew[number].worker.identity
            committed = (
                row.state is TaskState.RUNNING and row.attempts == attempt[1] and row.worker == identity
            )
            expect(committed, "dispatches what is not committed", attempt, row)

    def _say(self, number: int, kind: str, what: Any) -> None:
        self._active = True
        if number in self.crew and self.crew[number].worker.alive:
            self.crew[number].worker.inbox.append((kind, what))

    def _is_adopted(self, number: int) -> bool:
        return number in self.crew and self.crew[number].adopted

    # ----------------------------------------------------------------------------------- what has happened

    def _feed(self) -> Steps:
        if self.answer is not None:
            yield from self._take_answer()
        while self.events:
            self._hear_operator(*self.events.popleft())
        for number, one in list(self.crew.items()):
            some = self.world.rng.randint(1, 4)  # what comes later, comes with the next turn
            while not one.adopted and one.worker.outbox and some:
                self._hear(number, *one.worker.outbox.popleft())
                some -= 1
            if not one.worker.alive and (one.adopted or not one.worker.outbox):
                yield from self._lose_worker(number)
        yield "after outcomes before their commit"

    def _hear_operator(self, kind: str, what: Any) -> None:
        self._active = True
        if kind == "limit":
            self.world.limit_is(what)
            self.machine.set_limit(what)
        else:
            self.machine.stop(what)
            self.halted_at = self.world.seconds

    def _hear(self, number: int, kind: str, what: Any) -> None:
        self._active = True
        machine = self.machine
        if kind == words.HELLO:
            self.crew[number].ready = True
            machine.worker_ready(number, self.crew[number].worker.identity)
        elif kind == words.STARTED:
            attempt, at = what
            self._tried(attempt, started=True)
            if machine.holds(number, attempt):
                machine.began(*attempt, started_at=at)
                self.rows[attempt] = replace(self.rows[attempt], started_at=at)
        elif kind == words.ENDED:
            attempt, end, retiring = what
            self._tried(attempt, started=end.outcome is not Outcome.NOT_STARTED)
            if machine.holds(number, attempt):
                machine.ended(attempt[0], attempt[1], end, draw=self.world.rng.random())
            if retiring:
                machine.worker_retires(number)
                self.crew[number].retired = True
        elif kind == words.LACKING:
            attempt, spent = what
            if machine.holds(number, attempt):
                self.trying = (self.trying or set()) - {attempt}
                self.world.seen["a start was refused for a lack"] += 1
            machine.lacking(number, attempt, "no process", draw=self.world.rng.random(), spent=spent)
        else:
            machine.returned(number, what)
            self._tried(*what, started=False)

    def _tried(self, *attempts: Attempt, started: bool) -> None:
        """What shows that the machine has again what it lacked: by a rule of our own, stricter than none."""
        if self.trying is None:
            return
        if started and self.trying.intersection(attempts):
            self.trying = None  # from here on more may be tried at once
        else:
            self.trying.difference_update(attempts)

    def _lose_worker(self, number: int) -> Steps:
        """A worker is over, ours or adopted: account for what it held."""
        one = self.crew[number]
        self._active = True
        if one.adopted or one.ready:
            for attempt in self.machine.held_by(number):
                decision = yield from settle(
                    self.world, self.host, self.identity, self.rows[attempt], adopted=one.adopted
                )
                waited = one.adopted and isinstance(decision, NotBegun)
                expect(not waited, "adopted what had not begun", attempt)
                self._account_for(attempt, decision)
            self.machine.worker_gone(number)
        del self.crew[number]

    def _account_for(self, attempt: Attempt, decision: Decision) -> None:
        self._tried(attempt, started=False)
        draw = self.world.rng.random()
        match decision:
            case NotBegun(spent=spent):
                self.machine.not_begun(*attempt, draw=draw, spent=spent)
            case Take(end=end):
                self.machine.ended(*attempt, end, draw=draw)
            case _:
                expect(False, "a dead worker's attempt must be over", attempt, decision)
