"""A machine on a leash: every step by hand, time by hand, every commit at once unless asked otherwise."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mflow.core.decisions import Effects, Now
from mflow.core.machine import Machine
from mflow.core.model import AttemptEnd, Batch, Identity, RetryPolicy, TaskRow
from mflow.core.ready import Rule
from mflow.core.states import Outcome, RunState, TaskState

EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
ONCE = RetryPolicy()


def worker(number: int) -> Identity:
    """The identity of a worker."""
    return Identity("host", "boot", 1, 1000 + number, number)


def row(
    task_no: int,
    state: TaskState = TaskState.PENDING,
    *,
    attempts: int = 0,
    tries: int = 0,
    not_before: datetime | None = None,
) -> TaskRow:
    """A task as the store would have it."""
    return TaskRow(task_no, f"t{task_no}", "bash", state, attempts, tries, not_before=not_before)


def exited(code: int = 0, *, took: float | None = None) -> AttemptEnd:
    """The end of an attempt that ran by itself."""
    ended_at = None if took is None else EPOCH + timedelta(seconds=took)
    return AttemptEnd(Outcome.EXITED, code, started_at=None if took is None else EPOCH, ended_at=ended_at)


class Driver:
    """`graph[n]` are the numbers of the tasks before task n."""

    def __init__(
        self,
        graph: Sequence[Sequence[int]],
        *,
        limit: int = 2,
        workers: int | None = None,
        rows: Sequence[TaskRow] | None = None,
        run_state: RunState = RunState.RUNNING,
        policy: RetryPolicy | Mapping[int, RetryPolicy] = ONCE,
        rule: Rule | None = None,
    ) -> None:
        self.seconds = 0.0
        downstream: list[list[int]] = [[] for _ in graph]
        for number, before in enumerate(graph):
            for one in before:
                downstream[one].append(number)
        self.machine = Machine(
            [row(number) for number in range(len(graph))] if rows is None else rows,
            upstream=graph.__getitem__,
            downstream=downstream.__getitem__,
            policy=lambda no: policy if isinstance(policy, RetryPolicy) else policy.get(no, ONCE),
            log=lambda no, attempt: f"/logs/{no}.{attempt}.log",
            limit=limit,
            run_state=run_state,
            now=self.now,
            rule=rule,
        )
        for number in range(limit if workers is None else workers):
            self.machine.worker_ready(number, worker(number))

    @property
    def now(self) -> Now:
        """The time that the machine is told."""
        return Now(EPOCH + timedelta(seconds=self.seconds), self.seconds)

    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.seconds += seconds
        self.machine.tick(self.now)

    def offered(self) -> Batch | None:
        """The next batch, not committed."""
        return self.machine.next_batch(self.now)

    def batch(self) -> Batch:
        """The next batch; there must be one."""
        batch = self.offered()
        assert batch is not None
        return batch

    def commit(self, batch: Batch | None = None) -> Effects:
        """What follows from the commit of the next batch (or this one)."""
        effects = self.machine.committed(batch or self.batch(), self.now)
        self.machine.hand_over()
        later = self.machine.effects()
        effects.dispatch += later.dispatch
        effects.let_go += later.let_go
        return effects

    def dispatched(self) -> dict[int, list[tuple[int, int]]]:
        """The next batch committed: which attempts go to which worker."""
        given: dict[int, list[tuple[int, int]]] = {}
        for number, attempt in self.commit().dispatch:
            given.setdefault(number, []).append(attempt)
        return given

    def make_short(self, attempts: int = 12) -> None:
        """Let the machine learn that attempts are short, from at least so many; nothing is held afterwards."""
        seen = 0
        while seen < attempts:
            for held in self.dispatched().values():
                seen += len(held)
                for task_no, attempt in held:
                    self.machine.ended(task_no, attempt, exited(took=0.001))
