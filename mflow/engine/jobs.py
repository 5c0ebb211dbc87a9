"""From a claim to what a worker is told: every path absolute, every variable expanded, the connection beside."""

import os
from collections.abc import Mapping
from typing import Any

from mflow.core.contracts import Job
from mflow.core.model import Definition, Task
from mflow.core.names import log_name
from mflow.engine.assignment import Assignment


class Jobs:
    """The tasks of a run by number, and the jobs made from them."""

    def __init__(self, assignment: Assignment) -> None:
        definition = assignment.definition
        self._assignment = assignment
        self._folder = assignment.run.folder
        self._tasks: Mapping[int, Task] = tasks_by_number(definition)

    def task(self, task_no: int) -> Task:
        """The task of this number."""
        return self._tasks[task_no]

    def id(self, task_no: int) -> str:
        """The id of the task of this number."""
        return self._tasks[task_no].id

    def log(self, task_no: int, attempt: int) -> str:
        """Absolute path of an attempt's log."""
        return f"{self._folder}/{log_name(self._tasks[task_no].id, attempt)}"

    def make(self, task_no: int, attempt: int, previous: Mapping[str, Any]) -> Job:
        """What a worker needs to run this attempt. Raises MflowError if a variable or connection is missing."""
        task = self._tasks[task_no]
        cwd = self._assignment.definition.cwd
        return Job(
            task_no=task_no,
            attempt=attempt,
            task_id=task.id,
            type=task.type,
            options=task.options,
            env=self._assignment.task_env(task),
            cwd=os.path.join(cwd, task.cwd) if task.cwd else cwd,
            timeout_seconds=task.timeout_seconds,
            log=self.log(task_no, attempt),
            private=self._assignment.private(task),
            previous=previous,
            behind_others=bool(task.depends),
        )


def tasks_by_number(definition: Definition) -> Mapping[int, Task]:
    """The tasks of a definition by their number in the run."""
    return dict(zip(definition.task_numbers, definition.tasks, strict=True))
