"""A store in memory that can be made to fail, for tests of the supervisor alone. It checks what it is told."""

import threading
from collections.abc import Callable
from typing import Any

from mflow.core.contracts import Pulse
from mflow.core.errors import StoreUnavailable, Superseded
from mflow.core.model import Batch, TaskRow
from mflow.core.states import TaskState, check_task_transition


class MemoryStore:
    """Keeps states of tasks by number, and every batch that was applied."""

    url = "memory:"

    def __init__(self, rows: list[TaskRow], fence: int = 1) -> None:
        self.states = {row.task_no: row.state for row in rows}
        self.batches: list[Batch] = []
        self.fence = fence
        self.cancelled_by: str | None = None
        self.unavailable = 0  # so many applies fail, before anything is applied
        self.lost_answers = 0  # so many applies succeed without their answer arriving
        self.refused: Exception | None = None
        self.on_apply: Callable[[Batch], None] | None = None
        self.threads: set[int] = set()

    def apply(self, run_id: int, fence: int, batch: Batch) -> None:
        self.threads.add(threading.get_ident())
        if self.refused is not None:
            raise self.refused
        if fence != self.fence:
            raise Superseded("another supervisor has taken the run over")
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable("the database is away")
        self._commit(batch)
        if self.lost_answers:
            self.lost_answers -= 1
            raise StoreUnavailable("the connection was lost", applied_unknown=True)

    def _commit(self, batch: Batch) -> None:
        assert batch.number == len(self.batches) + 1
        for give_back in batch.give_backs:
            self._move(give_back.task_no, TaskState.PENDING)
        for ending in batch.endings:
            self._move(ending.task_no, ending.to)
        for claim in batch.claims:
            self._move(claim.task_no, TaskState.RUNNING)
        self.batches.append(batch)
        if self.on_apply is not None:
            self.on_apply(batch)

    def _move(self, task_no: int, to: TaskState) -> None:
        check_task_transition(self.states[task_no], to)
        self.states[task_no] = to

    def was_applied(self, run_id: int, fence: int, number: int) -> bool:
        return number <= len(self.batches)

    def heartbeat(self, run_id: int, fence: int) -> Pulse:
        if fence != self.fence:
            raise Superseded("another supervisor has taken the run over")
        return Pulse(self.cancelled_by)

    def close(self) -> None:
        pass

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"the supervisor has no business with {name}")
