"""A worker process: holds a queue, executes one attempt at a time, keeps outcomes until acknowledged.

It survives its supervisor, and then begins nothing that is queued; but it may have looked at its supervisor just
before that one's death. It may die at any point, and leaves an orphan then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mflow.core.holders import Attempt
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from tests.simulation.world import BEGUN, SECURED, Execution, Host, World, expect

RUN, STOP, GIVE_BACK, ACK, QUIT = "run", "stop", "give back", "ack", "quit"
HELLO, STARTED, ENDED, RETURNED, LACKING = "hello", "started", "ended", "returned", "lacking"

GRACE_SECONDS = 0.2
LONG_SECONDS = 0.1
LATENCY_SECONDS = 0.005


class SimulatedWorker:
    """One process. `step` does one thing of those that may happen next; false if there is none now."""

    def __init__(self, world: World, host: Host, supervisor: Any) -> None:
        self.world, self.host, self.supervisor = world, host, supervisor
        self.identity = host.identity(world.new_pid())
        self.inbox: deque[tuple[str, Any]] = deque()
        self.outbox: deque[tuple[str, Any]] = deque([(HELLO, None)])
        self.queue: deque[Attempt] = deque()
        self.looked: Attempt | None = None  # its supervisor lived when it looked; begins next
        self.executing: Execution | None = None
        self.kept: dict[Attempt, AttemptEnd] = {}
        self.written: set[Attempt] = set()
        self.announced = True
        self.forlorn = self.quitting = self.retiring = self.killed = False
        world.workers.append(self)

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self in self.world.workers

    @property
    def busy(self) -> bool:
        """Whether it executes something, or will by itself."""
        if self.executing or self.looked or self.queue:
            return True
        return any(kind == RUN for kind, _ in self.inbox)

    @property
    def holds_something(self) -> bool:
        """Whether anything is in its hands, outcomes included."""
        return self.busy or bool(self.kept)

    def wake_at(self) -> float | None:
        """When something happens by itself."""
        return self.executing.finish_at if self.executing else None

    # -------------------------------------------------------------------------------------------- one thing

    def step(self) -> bool:
        """One of the things that may happen now."""
        choices = self._choices()
        if not choices or (choices == [self._hear] and self._is_about_to_finish()):
            return False
        choices[0 if len(choices) == 1 else self.world.rng.randrange(len(choices))]()
        return True

    def _is_about_to_finish(self) -> bool:
        """What was said to it may arrive just after the end of what it executes."""
        left = self.executing.finish_at - self.world.seconds if self.executing else 1.0
        return left < LATENCY_SECONDS and self.world.rng.random() < self.world.plan.latency

    def _choices(self) -> list[Callable[[], None]]:
        choices: list[Callable[[], None]] = []
        if self.looked:
            return [self._begin]  # nothing is heard between the look and the beginning
        if not self.forlorn and not self.supervisor.alive:
            choices.append(self._lose_supervisor)
        if self.executing:
            if self.executing.finish_at <= self.world.seconds:
                choices.append(self._conclude)
            elif not self.announced:
                choices.append(self._announce)
        elif self.queue:
            choices.append(self._look)
        elif self._may_leave():
            choices.append(self._leave)
        if len(self.kept) > len(self.written) and (self.forlorn or self.quitting):
            choices.append(self._write)
        if self.inbox and (not choices or self.world.rng.random() >= self.world.plan.latency):
            choices.append(self._hear)
        return choices

    def _hear(self) -> None:
        kind, what = self.inbox.popleft()
        if kind == RUN:
            if self.retiring or self.quitting:
                self._say(RETURNED, [what])
            elif not self.forlorn:
                self.queue.append(what)
        elif kind == STOP:
            self._stop(what)
        elif kind == GIVE_BACK:
            self._say(RETURNED, self._take_back(what))
        elif kind == ACK:
            self.kept.pop(what, None)
            if what in self.written:
                self.written.discard(what)
                self.host.outcomes.pop(what, None)
        elif kind == QUIT:
            self.quitting = True
            self.queue.clear()

    def _take_back(self, wanted: list[Attempt]) -> list[Attempt]:
        found = [attempt for attempt in self.queue if attempt in wanted]
        for attempt in found:
            self.queue.remove(attempt)
        return found

    def _stop(self, attempt: Attempt | None) -> None:
        """`None`: the one way to ask a worker that is not one's own."""
        if self.executing and attempt in (None, self.executing.attempt):
            self._end_executing()
        elif attempt and (found := self._take_back([attempt])):
            self._say(RETURNED, found)

    def _end_executing(self) -> None:
        assert self.executing
        rng = self.world.rng
        self.executing.stopped = True
        at = self.world.seconds + rng.choice((0.0, GRACE_SECONDS))
        self.executing.finish_at = min(self.executing.finish_at, at)

    def _look(self) -> None:
        """The last look at the supervisor before an attempt begins."""
        if self.supervisor.alive:
            self.looked = self.queue.popleft()
        elif not self.forlorn:
            self._lose_supervisor()

    def _begin(self) -> None:
        """The log is created first; whoever creates it, does so exclusively."""
        assert self.looked
        attempt, self.looked = self.looked, None
        if attempt in self.host.logs:
            self.world.note("REFUSED", attempt, self.identity.pid)
            self.world.seen["a worker found its log's name taken"] += 1
            self._report(attempt, AttemptEnd(Outcome.NOT_STARTED, message="the log is there already"))
            return
        if self.world.lacks_until > self.world.seconds:
            self._lack(attempt)
            return
        self.host.logs[attempt] = BEGUN
        self.world.begin(attempt, self)
        assert self.executing
        self.announced = self.world.rng.random() < 0.7
        if self.executing.end.outcome is Outcome.NOT_STARTED:
            self.executing.finish_at = self.world.seconds

    def _lack(self, attempt: Attempt) -> None:
        """This machine lacks what it takes to begin it. If its log cannot be removed, its number is spent."""
        self.world.note("LACKING", attempt, self.identity.pid)
        spent = not self.forlorn and self.world.rng.random() < 0.1
        if spent:
            self.host.logs[attempt] = SECURED  # of which no other evidence can come: as good as taken
        if self.queue:
            self._say(RETURNED, list(self.queue))
            self.queue.clear()
        self._say(LACKING, (attempt, spent))

    def _announce(self) -> None:
        assert self.executing
        self.announced = True
        self._say(STARTED, (self.executing.attempt, self.world.at(self.executing.began_at)))

    def _conclude(self) -> None:
        """The attempt is over; between this and the report the worker may still die."""
        assert self.executing
        execution, self.executing = self.executing, None
        self._check_patience(execution)
        stopped = execution.stopped and self.world.rng.random() < 0.8  # or it was quicker
        end = self.world.ended_at(execution, Outcome.CANCELLED if stopped else None)
        self.world.finish(execution, end)
        if self.world.rng.random() < self.world.plan.messy:
            self.retiring = True
            if self.queue:
                self._say(RETURNED, list(self.queue))
                self.queue.clear()
        self._report(execution.attempt, end)

    def _check_patience(self, execution: Execution) -> None:
        """Nothing waits behind a long attempt or outlives a stop for long, if its supervisor could help it."""
        world, supervisor = self.world, self.supervisor
        since = max(execution.began_at, supervisor.halted_at or 0.0)
        if not supervisor.alive or supervisor.stopped or world.jumped_at >= since:
            return
        long = world.seconds - since > LONG_SECONDS
        expect(not (long and self.queue), "claims waited behind a long attempt", self.queue)
        outlived = long and supervisor.halted_at is not None and not execution.stopped
        expect(not outlived, "the run is stopping, but nobody ended this", execution.attempt)
        world.seen["claims waited behind a short attempt"] += bool(self.queue)

    def _report(self, attempt: Attempt, end: AttemptEnd) -> None:
        self.kept[attempt] = end
        self._say(ENDED, (attempt, end, self.retiring))
        if self.world.rng.random() < 0.1:  # no acknowledgement came in time
            self._write()

    def _write(self) -> None:
        """Outcomes go to their files, whole."""
        for attempt, end in self.kept.items():
            if attempt not in self.written:
                self.host.outcomes[attempt] = (self.identity, end)
                self.written.add(attempt)

    def _lose_supervisor(self) -> None:
        """It is dead: nothing that is queued begins."""
        self.forlorn = True
        self.queue.clear()
        if self.world.plan.kill_with_supervisor and self.executing:
            self._end_executing()

    def _may_leave(self) -> bool:
        if self.looked or self.inbox:
            return False
        if self.forlorn or self.quitting:
            return len(self.written) == len(self.kept)
        return self.retiring and not self.kept

    def _leave(self) -> None:
        self.world.note("WORKER LEFT", self.identity.pid)
        self.world.bury(self)

    def _say(self, kind: str, what: Any) -> None:
        if not self.forlorn:
            self.outbox.append((kind, what))
