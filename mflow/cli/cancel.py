"""`mflow cancel`: end a run and its tasks, whoever drives it."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.boundary import tell
from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, RunArgument, run_number

if TYPE_CHECKING:
    from mflow.cli.database import Database
    from mflow.cli.hints import Commands
    from mflow.core.contracts import Store
    from mflow.core.model import RunRow

LOOK_SECONDS = 0.25
"""How often the database is asked whether the run has ended."""


def cancel(
    run: RunArgument,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the run has ended.")] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """End a run: its tasks are ended, what has not been started stays so."""
    from mflow.cli.database import locate_database, used_options

    run_id = run_number(run)
    chosen = locate_database(database, datasources, config)
    store = chosen.open()
    seen = store.read_run(run_id)
    if _is_over(seen):
        print(f"run {run_id} has ended already: {seen.state}")
        return
    seen = _ask(store, seen)
    while not _is_over(seen):
        if not _is_driven(seen):
            seen = _take(store, seen, chosen, used_options(database, datasources, config))
        elif no_wait:
            print(f"run {run_id} was asked to end")
            return
        else:
            seen = _wait(store, run_id, used_options(database, datasources, config))
    print(f"run {run_id} has ended: {seen.state}")


def _take(store: "Store", run: "RunRow", database: "Database", commands: "Commands") -> "RunRow":
    """End the run from here; returns only if somebody else was quicker to take it, who is asked then."""
    from mflow.cli.cancelling import cancel_ourselves
    from mflow.cli.owning import Overtaken

    try:
        cancel_ourselves(store, run, database, commands)
    except Overtaken:
        return _ask(store, run)


def _ask(store: "Store", run: "RunRow") -> "RunRow":
    """Record who wants the run's end, and have its supervisor look."""
    from mflow.engine.ownership import wake
    from mflow.store.patience import patient

    patient(lambda: store.request_cancel(run.id, requester()))
    seen = patient(lambda: store.read_run(run.id))
    wake(seen)
    return seen


def requester() -> str:
    """Who asks, e.g. `ana@alpha`."""
    import socket

    from mflow.cli.driving import user_name

    return f"{user_name()}@{socket.gethostname()}"


def _wait(store: "Store", run_id: int, commands: "Commands") -> "RunRow":
    """Until the run has ended or nobody drives it any more. A supervisor that is there but does nothing is named."""
    from mflow.store.patience import patient

    told = False
    while True:
        seen = patient(lambda: store.read_run(run_id))
        if _is_over(seen) or not _is_driven(seen):
            return seen
        if seen.owner and seen.lease_expired and not told:
            told = True
            tell(
                f"supervisor {seen.owner.identity.pid} is there but does nothing (stopped?); to take the run from it: "
                f"{commands.of('resume --takeover', run_id)}"
            )
        time.sleep(LOOK_SECONDS)


def _is_over(run: "RunRow") -> bool:
    from mflow.core.states import RunState

    return run.state in (RunState.SUCCESS, RunState.FAILED)


def _is_driven(run: "RunRow") -> bool:
    from mflow.engine.ownership import owner_alive

    return run.owner is not None and bool(owner_alive(run))
