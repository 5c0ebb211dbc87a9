"""A run's kept definition against an edited task file: what a resume would change. Pure.

Tasks are the same if their ids are. A task keeps its number for ever; new ones get the numbers that follow, in the
order of the file; one that leaves takes its number with it, so that `Definition.numbers` has a gap. What is
SUCCESS stays in the run, and what is RUNNING goes on as it was: both belong to it, whatever the file says now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mflow.core.contracts import Edit
from mflow.core.model import Definition, Reset, Task, TaskRow
from mflow.core.secrets import masked_definition
from mflow.core.states import TaskState


@dataclass(frozen=True, slots=True)
class Comparison:
    """How an edited file differs (ids in the order of the run), and the edit that would make the run follow it.

    In `edit` tasks hold their literal secrets, as read from the file. A changed task that waits for its next try
    waits no longer: neither that wait nor the tries used up are those of the task as it is now.
    """

    edit: Edit
    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]
    still_running: tuple[str, ...]  # those of the removed and changed that run: they go on as they were
    finished: tuple[str, ...]  # those of the removed that are SUCCESS: they stay in the run
    done: tuple[str, ...]  # those of the changed that are SUCCESS: they are not run again
    open: tuple[str, ...]  # those of the changed that are neither, and so are run as they are in the file

    @property
    def differs(self) -> bool:
        """Whether the file says anything else than the run was started with."""
        return bool(self.added or self.removed or self.changed)


def compare(kept: Definition, edited: Definition, rows: Sequence[TaskRow]) -> Comparison:
    """Compare the tasks of a run (`rows` tell their states) with those of an edited file."""
    states = {row.task_no: row.state for row in rows}
    before = dict(zip(kept.task_numbers, kept.tasks, strict=True))
    known = {task.id for task in kept.tasks}
    now = {task.id: task for task in edited.tasks}
    gone = {number for number, task in before.items() if task.id not in now}
    changed = _changed(kept, edited)
    running = {number for number in gone | changed if states.get(number) is TaskState.RUNNING}
    finished = {number for number in gone if states.get(number) is TaskState.SUCCESS}
    done = {number for number in changed if states.get(number) is TaskState.SUCCESS}
    added = _numbered(
        [task for task in edited.tasks if task.id not in known], max([*before, *states], default=-1)
    )
    leaving = gone - running - finished
    after = {
        number: task if number in gone | running else now[task.id]
        for number, task in before.items()
        if number not in leaving
    }
    edit = Edit(
        definition=_definition(kept, edited, {**after, **added}),
        added=tuple(added.items()),
        removed=tuple(sorted(leaving)),
        changed=tuple((number, after[number]) for number in sorted(changed - running)),
        resets=tuple(Reset(row.task_no) for row in rows if row.task_no in changed and _has_been_tried(row)),
    )
    return Comparison(
        edit,
        added=tuple(task.id for task in added.values()),
        removed=_ids(before, gone),
        changed=_ids(before, changed),
        still_running=_ids(before, running),
        finished=_ids(before, finished),
        done=_ids(before, done),
        open=_ids(before, changed - done - running),
    )


def _has_been_tried(row: TaskRow) -> bool:
    return row.state is TaskState.PENDING and (row.tries > 0 or row.not_before is not None)


def _changed(kept: Definition, edited: Definition) -> set[int]:
    """Numbers of the tasks that the file has, but otherwise. Secrets are not kept, and so not compared."""
    now = {task.id: task for task in masked_definition(edited).tasks}
    before = masked_definition(kept).tasks
    return {
        number
        for number, task in zip(kept.task_numbers, before, strict=True)
        if task.id in now and now[task.id] != task
    }


def _numbered(tasks: Sequence[Task], last: int) -> dict[int, Task]:
    return dict(enumerate(tasks, last + 1))


def _definition(kept: Definition, edited: Definition, tasks: Mapping[int, Task]) -> Definition:
    numbers = tuple(tasks)
    without_gaps = numbers == tuple(range(len(numbers)))
    return replace(
        kept,
        tasks=tuple(tasks.values()),
        taskfile=edited.taskfile,
        numbers=() if without_gaps else numbers,
    )


def _ids(tasks: Mapping[int, Task], numbers: set[int]) -> tuple[str, ...]:
    return tuple(tasks[number].id for number in sorted(numbers))
