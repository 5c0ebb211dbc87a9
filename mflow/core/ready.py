"""What may start next: tasks that wait for nothing but a worker, and tried ones that wait for their time."""

from __future__ import annotations

import heapq
from typing import Protocol


class Rule(Protocol):
    """Which of the tasks that may start does so next. The one place for priorities, pools, critical paths."""

    def add(self, task_no: int) -> None:
        """This task may start."""

    def take(self) -> int:
        """The task that starts next; it is forgotten. There must be one."""

    def __len__(self) -> int:
        """How many may start."""


class FileOrder:
    """The earliest task of the file first."""

    def __init__(self) -> None:
        self._heap: list[int] = []

    def add(self, task_no: int) -> None:
        """This task may start."""
        heapq.heappush(self._heap, task_no)

    def take(self) -> int:
        """The one with the lowest number."""
        return heapq.heappop(self._heap)

    def __len__(self) -> int:
        return len(self._heap)


class ReadyQueue:
    """Tasks whose upstream is SUCCESS: those a rule may choose from, and those whose next try has its time.

    All times are seconds of a clock that nobody sets.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self._delayed: list[tuple[float, int]] = []

    def __len__(self) -> int:
        """How many may start now."""
        return len(self._rule)

    def __bool__(self) -> bool:
        """Whether any may start, now or later."""
        return bool(self._delayed) or len(self._rule) > 0

    def add(self, task_no: int, at: float | None, now: float) -> None:
        """A task may start, at once or at a time to come."""
        if at is not None and at > now:
            heapq.heappush(self._delayed, (at, task_no))
        else:
            self._rule.add(task_no)

    def wake(self, now: float) -> None:
        """Those whose time has come may start."""
        while self._delayed and self._delayed[0][0] <= now:
            self._rule.add(heapq.heappop(self._delayed)[1])

    def wakes_in(self, now: float) -> float | None:
        """Seconds until the next one's time comes, not positive if it has; None without any."""
        return self._delayed[0][0] - now if self._delayed else None

    def take(self) -> int:
        """The task that starts next."""
        return self._rule.take()
