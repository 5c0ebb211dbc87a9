"""What is real in a simulated life: time, hosts, processes, files, and a ledger of what truly ran.

Every real beginning and end passes through here, and is checked against the database at that very moment.
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING, Any

from mflow.core.decisions import Now
from mflow.core.holders import Attempt
from mflow.core.model import AttemptEnd, Identity
from mflow.core.recovery import Swept
from mflow.core.states import Outcome, TaskState

if TYPE_CHECKING:
    from tests.simulation.plan import Plan
    from tests.simulation.store import SimulatedStore
    from tests.simulation.supervisor import SimulatedSupervisor
    from tests.simulation.worker import SimulatedWorker

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
BEGUN, SECURED = "begun", "secured"


class Broken(AssertionError):
    """A promise was broken."""


@dataclass(slots=True)
class Host:
    """A machine: what is in the folder of the run there, and which boot it is. Its name may be another's, too."""

    machine_id: str
    name: str
    boots: int = 0
    logs: dict[Attempt, str] = field(default_factory=dict)
    outcomes: dict[Attempt, tuple[Identity, AttemptEnd]] = field(default_factory=dict)
    intact: bool = True  # the folder is the one that was made for the run

    def identity(self, pid: int) -> Identity:
        """Of a process that is started now."""
        return Identity(self.name, f"{self.machine_id}-{self.boots}", 1, pid, pid, self.machine_id)

    def is_of(self, identity: Identity) -> bool:
        """Whether this process is or was one of this machine, whatever it was called and however often restarted."""
        return identity.machine_id == self.machine_id


@dataclass(slots=True, eq=False)
class Execution:
    """What truly ran: one attempt, from its beginning to its end."""

    attempt: Attempt
    worker: SimulatedWorker
    finish_at: float
    end: AttemptEnd  # how it ends if nobody ends it
    began_at: float
    open: bool = True
    stopped: bool = False  # on mflow's word
    counted: bool = True  # against the limit; not what nobody can end or see


class World:
    """One life's reality."""

    def __init__(self, plan: Plan, rng: Random) -> None:
        self.plan, self.rng = plan, rng
        self.seconds = 0.0
        self.set_by = 0.0  # what the wall clock was set by, in all
        self._now = Now(EPOCH, 0.0)
        self.hosts = [Host("m1", "batch1"), Host("m2", "batch1" if plan.namesakes else "batch2")]
        self.workers: list[SimulatedWorker] = []  # alive
        self.supervisors: list[SimulatedSupervisor] = []  # alive
        self.orphans: list[Execution] = []  # their worker is dead
        self.executions: dict[Attempt, Execution] = {}
        self.open: dict[int, list[Execution]] = {}  # by task
        self.forsaken: set[Attempt] = set()  # run again on an operator's word though nobody saw them end
        self.erased: set[Attempt] = set()  # somebody has deleted what they had left
        self.allowed = plan.limit
        self.limit = plan.limit
        self.trace: deque[tuple[Any, ...]] = deque(maxlen=400)
        self.seen: Counter[str] = Counter()  # what happened in this life, for the proof that it was not idle
        self.rebooted = False
        self.lacks_until = 0.0  # until then nothing can be started: no process, no memory ...
        self.jumped_at = 0.0  # when time last passed though somebody could have done something
        self._pids = 100
        self.store: SimulatedStore

    # ------------------------------------------------------------------------------------------------- time

    @property
    def now(self) -> Now:
        """The clocks."""
        if self._now.mono != self.seconds:
            self._now = Now(EPOCH + timedelta(seconds=self.seconds + self.set_by), self.seconds)
        return self._now

    def at(self, seconds: float) -> datetime:
        """An instant."""
        return EPOCH + timedelta(seconds=seconds)

    def set_clock(self, seconds: float) -> None:
        """Somebody sets the wall clock."""
        self.set_by += seconds
        self._now = Now(EPOCH + timedelta(seconds=self.seconds + self.set_by), self.seconds)

    def jump(self, seconds: float) -> None:
        """Time passes though somebody could have done something."""
        self.seconds += seconds
        self.jumped_at = self.seconds
        self.end_orphans()

    def note(self, *what: Any) -> None:
        """For whoever replays the life."""
        self.trace.append((round(self.seconds, 6), *what))

    def new_pid(self) -> int:
        """Never used before."""
        self._pids += 1
        return self._pids

    def is_alive(self, identity: Identity) -> bool:
        """Whether this worker lives."""
        return any(one.identity == identity for one in self.workers)

    # --------------------------------------------------------------------------------------- what truly runs

    def limit_is(self, limit: int) -> None:
        """The supervisor knows of a new limit; what executes or was sent already may go on."""
        self.limit = limit
        self.allowed = max(limit, self._busy())

    def _busy(self) -> int:
        return sum(1 for worker in self.workers if worker.busy) + len(self.orphans)

    def begin(self, attempt: Attempt, worker: SimulatedWorker) -> None:
        """A worker starts an attempt: is it entitled to?"""
        if attempt not in self.forsaken:
            self._check_entitled(attempt, worker)
        halting = any(one.halted_at is not None for one in self.supervisors)
        end, lasts = self.plan.fate(self.rng, halting=halting)
        execution = Execution(attempt, worker, self.seconds + lasts, end, self.seconds)
        running = self.store.rows[attempt[0]].state is TaskState.RUNNING
        execution.counted = running and attempt not in self.forsaken
        self.executions[attempt] = worker.executing = execution
        self.open.setdefault(attempt[0], []).append(execution)
        self._check_limit()
        self.note("BEGAN", attempt, worker.identity.pid)

    def _check_entitled(self, attempt: Attempt, worker: SimulatedWorker) -> None:
        task_no, number = attempt
        row = self.store.rows[task_no]
        unused = attempt not in self.executions or attempt in self.erased
        expect(unused, "an attempt's number was used again", attempt)
        expect(
            row.attempts == number and row.worker == worker.identity, "executes what is another's", attempt
        )
        given_up = row.end is not None and row.end.outcome is Outcome.UNKNOWN
        expect(
            row.state is TaskState.RUNNING or given_up, "executes without being RUNNING", attempt, row.state
        )
        expect(not self.running(task_no), "executes twice at the same time", attempt)
        for before in self.plan.upstream[task_no]:
            ready = self.store.rows[before].state is TaskState.SUCCESS
            expect(ready, "began before what it depends on", attempt, before)

    def _check_limit(self) -> None:
        executing = sum(one.counted for group in self.open.values() for one in group)
        self.allowed = max(self.limit, min(self.allowed, self._busy()))
        expect(executing <= self.allowed, "more than the limit execute", executing, self.limit, self.allowed)

    def running(self, task_no: int) -> bool:
        """Whether an attempt of the task is truly under way, of those that mflow could know of."""
        return any(one.attempt not in self.forsaken for one in self.open.get(task_no, ()))

    def finish(self, execution: Execution, end: AttemptEnd | None = None) -> AttemptEnd:
        """An attempt is truly over."""
        execution.open = False
        self.open[execution.attempt[0]].remove(execution)
        if end is not None:
            execution.end = end
        self.note("ENDED", execution.attempt, execution.end.outcome, execution.end.exit_code)
        return execution.end

    def ended_at(self, execution: Execution, outcome: Outcome | None = None, **facts: Any) -> AttemptEnd:
        """The end of an execution as its worker would tell it now."""
        end = execution.end
        return AttemptEnd(
            outcome or end.outcome,
            end.exit_code if outcome is None else None,
            end.signal if outcome is None else None,
            started_at=self.at(execution.began_at),
            ended_at=self.now.wall,
            **facts,
        )

    def end_orphans(self) -> None:
        """Executions without a worker end by themselves, too, and nobody hears of it."""
        for execution in [one for one in self.orphans if one.finish_at <= self.seconds]:
            self.orphans.remove(execution)
            self.finish(execution)

    def sweep(self, attempt: Attempt, host: Host) -> Swept:
        """End what is left of an attempt on a host and can be told and ended."""
        swept = Swept()
        for execution in [one for one in self.orphans if one.attempt == attempt and one.worker.host is host]:
            dice, pid = self.rng.random(), execution.worker.identity.pid
            if dice < self.plan.unkillable:
                swept = replace(swept, found=True, survivors=(pid,))
            elif dice < self.plan.unkillable + self.plan.unreadable:
                swept = (
                    replace(swept, held=True) if self.rng.random() < 0.5 else replace(swept, doubtful=(pid,))
                )
            else:
                swept = replace(swept, found=True)
                self.orphans.remove(execution)
                self.finish(execution, self.ended_at(execution, Outcome.SIGNALLED))
                continue
            execution.counted = False
            self.seen["a sweep left something"] += 1
        return swept

    def holds_log(self, identity: Identity, attempt: Attempt) -> bool | None:
        """Whether a worker has an attempt's log open, deleted or not: until its end is acknowledged or in its file.

        None if it has just died.
        """
        worker = next((one for one in self.workers if one.identity == identity), None)
        if worker is None:
            return None
        if worker.executing and worker.executing.attempt == attempt:
            return True
        return attempt in worker.kept and attempt not in worker.written and attempt in self.executions

    def bury(self, worker: SimulatedWorker) -> None:
        """A worker is gone; what it executed is an orphan now."""
        self.workers.remove(worker)
        if worker.executing is not None:
            self.orphans.append(worker.executing)
            worker.executing = None


def expect(holds: bool, promise: str, *facts: Any) -> None:
    """Raise Broken unless it holds."""
    if not holds:
        raise Broken(f"{promise}: {', '.join(map(str, facts))}")
