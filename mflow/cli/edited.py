"""A kept definition beside the task file as it is now: what a person is told, and the edit that was asked for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from mflow.cli.hints import Commands
from mflow.cli.wording import names
from mflow.core.contracts import Edit
from mflow.core.edits import Comparison
from mflow.core.errors import UsageError
from mflow.core.model import Definition, Task, TaskRow
from mflow.core.names import last_attempts
from mflow.core.secrets import masked_definition, with_secrets
from mflow.core.states import TaskState

_SHOWN = 20


def differences(comparison: Comparison) -> Iterator[str]:
    """One line for each kind of difference."""
    for what, ids in (
        ("changed", comparison.changed),
        ("new", comparison.added),
        ("removed", comparison.removed),
    ):
        if ids:
            yield f"  {what}: {names(ids, _SHOWN)}"


def unused_edit(comparison: Comparison, taskfile: str, run_id: int, commands: Commands) -> Iterator[str]:
    """What is said of a task file that was edited since, when the run goes on as it was."""
    yield f"the task file {taskfile} differs from what run {run_id} was started with, which goes on as it was"
    yield from differences(comparison)
    if comparison.done:
        yield f"  SUCCESS already, and not run again even with the file as it is now: {names(comparison.done, _SHOWN)}"
    command = Commands((*commands.options, "--taskfile", taskfile)).of("resume", run_id)
    yield f"to use the file as it is now, stop this run and type: {command}"


def used_edit(comparison: Comparison, run_id: int) -> Iterator[str]:
    """What is said of an edit that the run takes over."""
    if not comparison.differs:
        yield f"the task file says what run {run_id} does already"
        return
    yield f"run {run_id} follows the edited task file from here on"
    yield from differences(comparison)
    if comparison.open:
        yield f"  changed, and run as the file says now: {names(comparison.open, _SHOWN)}"
    if comparison.done:
        yield f"  changed, but SUCCESS already, and not run again: {names(comparison.done, _SHOWN)}"
    if comparison.still_running:
        yield f"  running still, and left to end as they were: {names(comparison.still_running, _SHOWN)}"
    if comparison.finished:
        yield f"  removed, but SUCCESS already, and kept as such: {names(comparison.finished, _SHOWN)}"


def to_be_kept(edit: Edit, logs: Iterable[str]) -> Edit:
    """The edit as the database gets it: without literal secrets.

    A task that once left the run and is back goes on counting its attempts: `logs` has the files of the earlier ones.
    """
    last = last_attempts([task.id for _, task in edit.added], logs)
    attempts = {number: last[task.id] for number, task in edit.added if task.id in last}
    return replace(edit, definition=masked_definition(edit.definition), attempts=attempts)


def with_its_secrets(kept: Definition, read: Sequence[Task], rows: Sequence[TaskRow]) -> Definition:
    """The definition to run, its literal secrets from the task file. Raises UsageError if some are needed and gone."""
    filled, without = with_secrets(kept, read)
    done = {row.id for row in rows if row.state is TaskState.SUCCESS}
    missing = [id_ for id_ in without if id_ not in done]
    if missing:
        raise UsageError(
            f"secrets are never kept in the database, and {kept.taskfile} no longer has those of: {names(missing)}",
            hint="bring the task file back, or name one that has them: mflow resume RUN --taskfile FILE",
        )
    return filled
