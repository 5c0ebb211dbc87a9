"""`mflow logs`: what an attempt printed, as it printed it."""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, RunArgument, run_number

if TYPE_CHECKING:
    from mflow.cli.hints import Commands
    from mflow.core.contracts import AttemptRow
    from mflow.core.model import TaskRow
    from mflow.store.repository import SqlStore


def logs(
    run: RunArgument,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Id of the task; without it the logs are listed.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="Not the last attempt, but this one.")
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the log of a task's last attempt, or list where all logs are."""
    from mflow.cli.database import opened
    from mflow.core.errors import UsageError

    if task is None and (follow or attempt):
        raise UsageError("--follow and --attempt need a TASK", hint="mflow logs RUN lists them")
    run_id = run_number(run)
    with opened(database, datasources, config) as (store, commands):
        store.read_run(run_id)
        if task is None:
            _list(store.read_tasks(run_id))
            return
        row = find_task(store, run_id, task)
        if follow:
            from mflow.cli.following import Follower

            Follower(store, run_id, row, attempt, commands).follow()
        else:
            copy(_chosen(store, run_id, row, attempt, commands).log)


def find_task(store: "SqlStore", run_id: int, task: str) -> "TaskRow":
    """The row of the task with this id. Raises UsageError, with the id that was probably meant."""
    from mflow.core.errors import UsageError
    from mflow.core.suggest import did_you_mean

    row = store.read_task(run_id, task)
    if row is None:
        known = [other.id for other in store.read_tasks(run_id)]
        raise UsageError(f'run {run_id} has no task "{task}"{did_you_mean(task, known)}')
    return row


def copy(path: str, start: int = 0) -> int:
    """Copy a log from `start` on to stdout, byte by byte as it is; the position reached. Raises UsageError."""
    from mflow.core.errors import UsageError

    try:
        with open(path, "rb", opener=_without_waiting) as log:
            if not stat.S_ISREG(os.fstat(log.fileno()).st_mode):
                raise UsageError(f"{path} is not a log: not a regular file")
            log.seek(start)
            shutil.copyfileobj(log, sys.stdout.buffer)
            sys.stdout.buffer.flush()
            return log.tell()
    except FileNotFoundError as error:
        raise UsageError(f"the log {path} is gone", hint="it was moved or deleted since") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _chosen(
    store: "SqlStore", run: int, row: "TaskRow", attempt: int | None, commands: "Commands"
) -> "AttemptRow":
    from mflow.core.errors import UsageError

    attempts = store.read_attempts(run, row.task_no)
    if not attempts:
        raise UsageError(
            f'task "{row.id}" of run {run} has not been started, so there is no log yet',
            hint=commands.of("status", run),
        )
    for one in attempts:
        if one.attempt == (attempt or attempts[-1].attempt):
            return one
    numbers = ", ".join(str(one.attempt) for one in attempts)
    raise UsageError(f'task "{row.id}" of run {run} has no attempt {attempt}; there are: {numbers}')


def _list(rows: "Sequence[TaskRow]") -> None:
    from mflow.cli.screen import show_table
    from mflow.cli.wording import clean, ending

    cells = [
        (
            clean(row.id),
            str(row.state),
            str(row.attempts),
            ending(row.end) if row.end else "",
            clean(row.output),
        )
        for row in rows
        if row.output
    ]
    if cells:
        show_table(("TASK", "STATE", "ATTEMPT", "END", "LOG"), cells, state_column=1)
    else:
        print("no task has been started yet, so there is no log")
