"""What keeps an attempt from starting: workers that die at it, again and again."""

from __future__ import annotations

from mflow.core.holders import Attempt, Holder

MOST_FALSE_STARTS = 3
"""How often in a row a worker may die at the start of one task before this fails as NOT_STARTED."""


class FalseStarts:
    """How often in a row workers died that had to begin a task."""

    def __init__(self) -> None:
        self._of_task: dict[int, int] = {}

    def strike(self, holder: Holder | None, attempt: Attempt, *, unheard: bool) -> int:
        """The attempt was not begun; the number of false starts if its worker died of it, else 0.

        Not if it waited behind another one, was asked back, or its worker has not heard of it (`unheard`).
        """
        if holder is None or holder.blamed or holder.asked or unheard or holder.held[0] != attempt:
            return 0
        holder.blamed = True
        self._of_task[attempt[0]] = self._of_task.get(attempt[0], 0) + 1
        return self._of_task[attempt[0]]

    def forget(self, task_no: int) -> None:
        """An attempt of the task is over, however it ended."""
        self._of_task.pop(task_no, None)
