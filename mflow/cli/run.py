"""`mflow run`: a new run of a task file."""

import os
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, TaskfileOption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mflow.cli.database import Database
    from mflow.cli.hints import Commands
    from mflow.core.calls import Call
    from mflow.core.contracts import NewRun, Store
    from mflow.core.model import RunRow, TaskRow
    from mflow.files.load import Loaded


def run(
    config: ConfigOption = None,
    taskfile: TaskfileOption = None,
    datasources: DatasourcesOption = None,
    database: DatabaseOption = None,
    oneshot: Annotated[
        str | None,
        typer.Option("--oneshot", metavar="TASK", help="Run this one task, whatever it depends on."),
    ] = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Go on with this run, as `mflow resume` does."),
    ] = None,
) -> None:
    """Run the tasks of a task file, each as soon as all it depends on has succeeded."""
    if resume is None:
        _start(config, taskfile, datasources, database, oneshot)
    from mflow.cli.resume import resume as go_on
    from mflow.core.errors import UsageError

    if oneshot is not None:
        raise UsageError("--oneshot makes a new run: it does not go with --resume")
    go_on(resume, taskfile=taskfile, database=database, datasources=datasources, config=config)


def _start(
    config: str | None,
    taskfile: str | None,
    datasources: str | None,
    database: str | None,
    oneshot: str | None,
) -> NoReturn:
    from mflow.engine.supervisor import prestart

    prestart()
    from mflow.cli.boundary import tell
    from mflow.cli.database import choose_database, used_options
    from mflow.cli.driving import drive, ignore_hangups, say_run, surroundings
    from mflow.cli.exposure import exposure
    from mflow.cli.folders import require_log_directory
    from mflow.cli.inputs import announce, load_files, show_warnings
    from mflow.cli.preflight import require_ready, require_storable

    loaded = load_files(taskfile=taskfile, config=config, datasources=datasources, oneshot=oneshot)
    definition, settings = loaded.definition, loaded.settings
    chosen = choose_database(database, os.environ, settings.datasources, settings.database)
    commands = used_options(database, datasources, config)
    call = this_call(loaded, os.environ)
    if call:
        _go_on_with_earlier(call, chosen, commands)
    require_ready(loaded)
    require_storable(definition, settings.config.log_directory, chosen.file or "")
    announce(chosen, definition)
    show_warnings(loaded.warnings)
    require_log_directory(settings.config.log_directory)
    ignore_hangups()
    run, rows = _create(chosen, loaded, call, commands)
    for text in exposure(definition, settings.config, chosen, run.folder):
        tell(text)
    around = surroundings(chosen, commands, settings, loaded.secrets, os.environ)
    say_run(run.id, around)
    drive(run, run.fence, definition, rows, around, resumed=False)


def this_call(loaded: "Loaded", environ: "Mapping[str, str]") -> "Call | None":
    """The call of a task that this process is; None if no task calls."""
    if "MFLOW_RUN_ID" not in environ:
        return None
    from mflow.core.calls import call_of, parent_of

    parent = parent_of(environ)
    return call_of(parent, loaded.definition, environ, loaded.secrets) if parent else None


def _go_on_with_earlier(call: "Call", chosen: "Database", commands: "Commands") -> None:
    """With the run that an earlier attempt of the calling task has made by an equal call; returns if there is none."""
    from mflow.cli.calling import Calling
    from mflow.engine.supervisor import leave

    store = chosen.open_quietly(create=True)
    code = Calling(call, store, chosen, commands).go_on()
    store.close()
    if code is not None:
        leave(code)


def _create(
    chosen: "Database", loaded: "Loaded", call: "Call | None", commands: "Commands"
) -> "tuple[RunRow, Sequence[TaskRow]]":
    """The new run and its tasks in the database, with a folder for its logs."""
    from mflow.cli.boundary import warn
    from mflow.cli.owning import naming_who_is_stopped
    from mflow.cli.waiting import patient

    store = chosen.open_quietly(create=True)
    for text in store.warnings:
        warn(text)
    new = _new_run(loaded, call, os.environ)
    folder = loaded.config.log_directory
    with naming_who_is_stopped(store, commands):
        run = patient(lambda: store.create_run(new, log_directory=folder))
    run = _with_folder(store, run)
    rows = patient(lambda: store.read_tasks(run.id))
    store.close()
    return run, rows


def _new_run(loaded: "Loaded", call: "Call | None", environ: "Mapping[str, str]") -> "NewRun":
    """The run as the database gets it: without literal secrets, and with the run it is a part of, if it is one."""
    from uuid import uuid4

    from mflow.cli.driving import new_owner
    from mflow.cli.environment import taken_now
    from mflow.core.contracts import NewRun
    from mflow.core.environment import environment_to_json
    from mflow.core.secrets import masked_definition

    uid = uuid4().hex
    told = call.names if call else ()
    taken = taken_now(loaded.definition, loaded.settings, environ, uid, loaded.secrets, told=told)
    return NewRun(
        uid=uid,
        definition=masked_definition(loaded.definition),
        owner=new_owner(),
        parent_run=_number(environ.get("MFLOW_RUN_ID")),
        parent_task=environ.get("MFLOW_TASK_ID"),
        parent_attempt=_number(environ.get("MFLOW_ATTEMPT")),
        parent_uid=call.parent.uid if call else None,
        call_digest=call.digest if call else None,
        environment=environment_to_json(taken),
    )


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def _with_folder(store: "Store", run: "RunRow") -> "RunRow":
    """The run with its folder made; without one it is given up."""
    from mflow.cli.folders import make_run_folder
    from mflow.core.errors import MflowError, StoreError
    from mflow.core.model import Batch
    from mflow.core.states import RunState

    try:
        return make_run_folder(store, run, run.fence)
    except MflowError as error:
        try:
            store.request_cancel(run.id, f"mflow itself: {error.message}")  # status says why it never began
            store.apply(run.id, run.fence, Batch(1, run_state=RunState.FAILED, release=True))
        except StoreError:
            pass  # it then shows as interrupted, which it is
        error.message = f"run {run.id} cannot begin: {error.message}"
        raise
