"""`mflow logs`: what an attempt printed, as it printed it."""

import os
import shutil
import stat
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, run_number

if TYPE_CHECKING:
    from mflow.cli.hints import Commands
    from mflow.core.contracts import AttemptRow
    from mflow.core.model import RunRow, TaskRow
    from mflow.store.repository import SqlStore


def logs(
    run: Annotated[
        str | None,
        typer.Argument(metavar="[RUN]", help="Number of the run; without it the newest.", show_default=False),
    ] = None,
    task: Annotated[
        str | None, typer.Argument(metavar="[TASK]", help="Id of the task; without it the logs are listed.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="Not the last attempt, but this one.")
    ] = None,
    follow: Annotated[
        bool,
        typer.Option(
            "--follow", "-f", help="Go on until the task has ended; without a TASK, all tasks of the run."
        ),
    ] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the log of a task's last attempt, list where all logs are, or follow them."""
    from mflow.cli.database import opened
    from mflow.core.errors import UsageError

    if task is None and attempt:
        raise UsageError("--attempt needs a TASK", hint="mflow logs RUN lists them")
    run_id = None if run is None else run_number(run)
    with opened(database, datasources, config) as (store, commands):
        row = _chosen_run(store, run_id)
        if task is None and follow:
            from mflow.cli.following_run import RunFollower

            RunFollower(store, row.id, commands).follow()
        elif task is None:
            _list(row, store.read_tasks(row.id))
        else:
            _show(store, row, task, attempt, commands, follow=follow)


def _chosen_run(store: "SqlStore", run_id: int | None) -> "RunRow":
    """This run, or the newest, which is named then. Raises RunNotFound."""
    if run_id is not None:
        return store.read_run(run_id)
    from mflow.cli.boundary import tell
    from mflow.cli.reading import newest

    run = newest(store)
    tell(f"run {run.id}, the newest")
    return run


def _show(
    store: "SqlStore", run: "RunRow", task: str, attempt: int | None, commands: "Commands", *, follow: bool
) -> None:
    """The log of one task."""
    row = store.read_task(run.id, task)
    if row is None and (left := _log_of_former(run, task, attempt)):
        from mflow.cli.boundary import tell

        tell(
            f"this task has left run {run.id} (its task file was edited); what it printed before is still here"
        )
        copy(left)
        return
    row = row or find_task(store, run.id, task)
    if follow:
        from mflow.cli.following import Follower

        Follower(store, run.id, row, attempt, commands).follow()
    else:
        copy(_chosen(store, run.id, row, attempt, commands).log)


def _log_of_former(run: "RunRow", task: str, attempt: int | None) -> str | None:
    """Where the log of a task is that has left the run; None if there is none. Raises UsageError."""
    from mflow.cli.folders import files_in
    from mflow.core.errors import UsageError
    from mflow.core.names import log_name, logged_attempts

    numbers = logged_attempts(task, files_in(run.folder))
    if not numbers:
        return None
    if attempt and attempt not in numbers:
        known = ", ".join(map(str, numbers))
        raise UsageError(
            f'of task "{task}", which has left run {run.id}, there are the logs of attempts: {known}'
        )
    return f"{run.folder}/{log_name(task, attempt or numbers[-1])}"


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


def _list(run: "RunRow", rows: "Sequence[TaskRow]") -> None:
    from mflow.cli.screen import CUT_AT_THE_END, CUT_IN_THE_MIDDLE, Columns, show_table
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
    cells += [
        (clean(name), "", str(number), "has left the run", clean(path))
        for name, number, path in _former(run, rows)
    ]
    if cells:
        fit = Columns(1, {0: CUT_IN_THE_MIDDLE, 3: CUT_AT_THE_END, 4: CUT_IN_THE_MIDDLE}, leave=(2, 3))
        show_table(("TASK", "STATE", "ATTEMPT", "END", "LOG"), cells, fit)
    else:
        print("no task has been started yet, so there is no log")


def _former(run: "RunRow", rows: "Sequence[TaskRow]") -> "list[tuple[str, int, str]]":
    """Of tasks that have left the run: the name in their logs' names, the last attempt, its log."""
    from mflow.cli.folders import files_in
    from mflow.core.names import log_name, strange_logs

    known = [log_name(row.id, 1) for row in rows] + [row.log.rpartition("/")[2] for row in rows if row.log]
    return [
        (name, number, f"{run.folder}/{name}.{number}.log")
        for name, number in strange_logs(known, files_in(run.folder))
    ]
