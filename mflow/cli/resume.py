"""`mflow resume`: go on with a run, from any folder."""

from typing import Annotated

import typer

from mflow.cli.options import (
    ConfigOption,
    DatabaseOption,
    DatasourcesOption,
    RunArgument,
    TaskfileOption,
    run_number,
)


def resume(
    run: RunArgument,
    taskfile: TaskfileOption = None,
    takeover: Annotated[
        bool,
        typer.Option(
            "--takeover", help="End the supervisor that has the run, also a stopped one, and take its place."
        ),
    ] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """Go on with a run: what is SUCCESS stays, what is running is adopted, the rest is run."""
    run_id = run_number(run)
    from mflow.cli.database import locate_database, used_options
    from mflow.engine.supervisor import prestart

    prestart()
    chosen = locate_database(database, datasources, config)
    commands = used_options(database, datasources, config)
    store = chosen.open()
    from mflow.cli.boundary import warn
    from mflow.cli.resuming import Resumption

    for text in store.warnings:
        warn(text)
    Resumption(store, store.read_run(run_id), chosen, commands).go_on(
        taskfile, config, datasources, takeover=takeover
    )
