"""Where every task is, in memory, and what of it is not in the database yet.

Bytes and machine integers by task number: 100,000 tasks take about 1.5 MB here.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence

from mflow.core.model import (
    AttemptEnd,
    Batch,
    Claim,
    Ending,
    GiveBack,
    Progress,
    Reset,
    Settle,
    TaskRow,
)
from mflow.core.states import TASK_TRANSITIONS, RunState, TaskState, check_task_transition

_STATES = tuple(TaskState)
_CODE = {state: code for code, state in enumerate(_STATES)}
_PENDING, _RUNNING, _SUCCESS, _FAILED = range(len(_STATES))
_NO_TASK = len(_STATES)
_LEGAL = frozenset((_CODE[before], _CODE[after]) for before, after in TASK_TRANSITIONS)

Neighbours = Callable[[int], Sequence[int]]
"""The tasks directly before, or directly behind, the task of a number."""


class Ledger:
    """States, attempt numbers and used tries; every change goes through here and is noted for the next batch."""

    def __init__(self, rows: Sequence[TaskRow], upstream: Neighbours, downstream: Neighbours) -> None:
        size = 1 + max((row.task_no for row in rows), default=-1)
        self._downstream = downstream
        self._state = bytearray([_NO_TASK]) * size
        self._waiting = array("i", bytes(4 * size))
        self._counts = [0] * len(_STATES)
        self.attempts = array("i", bytes(4 * size))  # number of the last attempt
        self.tries = array("i", bytes(4 * size))  # used up of the policy's
        for row in rows:
            self._load(row)
        for row in rows:
            self._waiting[row.task_no] = self._count_waiting(upstream(row.task_no))
        self._clear()

    def _load(self, row: TaskRow) -> None:
        self._state[row.task_no] = _CODE[row.state]
        self._counts[_CODE[row.state]] += 1
        self.attempts[row.task_no] = row.attempts
        self.tries[row.task_no] = row.tries

    def _count_waiting(self, upstream: Sequence[int]) -> int:
        return sum(1 for before in upstream if self._state[before] != _SUCCESS)

    # ------------------------------------------------------------------------------------------ what it knows

    def state(self, task_no: int) -> TaskState:
        """Where a task is."""
        return _STATES[self._state[task_no]]

    def counts(self) -> dict[TaskState, int]:
        """Number of tasks in each state."""
        return dict(zip(_STATES, self._counts, strict=True))

    def all_succeeded(self) -> bool:
        """Whether every task is SUCCESS."""
        return self._counts[_SUCCESS] == sum(self._counts)

    def may_start(self, task_no: int) -> bool:
        """Whether a task is PENDING and all it depends on is SUCCESS."""
        return self._state[task_no] == _PENDING and not self._waiting[task_no]

    # ------------------------------------------------------------------------------------------- what changes

    def claim(self, task_no: int) -> int:
        """PENDING -> RUNNING; the number of the attempt."""
        self._move(task_no, _RUNNING)
        self.attempts[task_no] += 1
        return self.attempts[task_no]

    def end(self, ending: Ending) -> None:
        """RUNNING -> wherever the ending leads."""
        self._move(ending.task_no, _CODE[ending.to])
        self.tries[ending.task_no] = ending.tries
        self.endings.append(ending)

    def give_back(self, task_no: int, attempt: int) -> None:
        """RUNNING -> PENDING; the attempt's number will be used again."""
        self._move(task_no, _PENDING)
        self.attempts[task_no] -= 1
        self.give_backs.append(GiveBack(task_no, attempt))

    def reset(self, task_no: int) -> None:
        """FAILED -> PENDING, or PENDING as it is; the budget of tries is new."""
        if self._state[task_no] != _PENDING:
            assert self._state[task_no] == _FAILED, f"reset of task {task_no}, which is {self.state(task_no)}"
            self._move(task_no, _PENDING)
        self.tries[task_no] = 0
        self.resets.append(Reset(task_no))

    def settle(self, task_no: int, attempt: int, end: AttemptEnd) -> None:
        """FAILED -> SUCCESS."""
        assert self._state[task_no] == _FAILED, f"settling task {task_no}, which is {self.state(task_no)}"
        self._move(task_no, _SUCCESS)
        self.settles.append(Settle(task_no, attempt, end))

    def release_downstream(self, task_no: int) -> list[int]:
        """The task has become SUCCESS: which of those behind it may start now."""
        released = []
        for behind in self._downstream(task_no):
            self._waiting[behind] -= 1
            if self.may_start(behind):
                released.append(behind)
        return released

    def _move(self, task_no: int, after: int) -> None:
        before = self._state[task_no]
        if (before, after) not in _LEGAL:
            check_task_transition(_STATES[before], _STATES[after])  # raises
        self._state[task_no] = after
        self._counts[before] -= 1
        self._counts[after] += 1

    # --------------------------------------------------------------------------------------- what is not kept

    def take(
        self,
        number: int,
        claims: tuple[Claim, ...],
        run_state: RunState | None,
        *,
        release: bool,
        interrupted_by: str | None = None,
    ) -> Batch:
        """All that was noted, and what is given, as a batch."""
        batch = Batch(
            number=number,
            claims=claims,
            endings=tuple(self.endings),
            give_backs=tuple(self.give_backs),
            resets=tuple(self.resets),
            settles=tuple(self.settles),
            progress=tuple(self.progress),
            run_state=run_state,
            release=release,
            interrupted_by=interrupted_by,
        )
        self._clear()
        return batch

    def _clear(self) -> None:
        self.endings: list[Ending] = []
        self.give_backs: list[GiveBack] = []
        self.resets: list[Reset] = []
        self.settles: list[Settle] = []
        self.progress: list[Progress] = []

    @property
    def dirty(self) -> bool:
        """Whether anything is noted for the next batch."""
        return bool(self.endings or self.give_backs or self.resets or self.settles or self.progress)
