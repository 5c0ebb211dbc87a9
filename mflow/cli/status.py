"""`mflow status`: how a run stands."""

from typing import Annotated

import typer

from mflow.cli.options import (
    ConfigOption,
    DatabaseOption,
    DatasourcesOption,
    JsonOption,
    OptionalRunArgument,
    run_number,
)


def status(
    run: OptionalRunArgument = None,
    as_json: JsonOption = False,
    everything: Annotated[
        bool, typer.Option("--all", help="Show every task of a large run, not only those that matter.")
    ] = False,
    attempts: Annotated[
        bool, typer.Option("--attempts", help="Show every attempt of each task, not only the last.")
    ] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """Show how a run stands: its tasks, why some failed, what to do next."""
    from mflow.cli.database import opened
    from mflow.cli.hiding import hiding_of
    from mflow.cli.reading import read_view, revival_of
    from mflow.cli.status_page import MOST_ROWS, Revival
    from mflow.core.states import RunState

    wanted = None if run is None else run_number(run)
    with opened(database, datasources, config) as (store, commands):
        view = read_view(
            store,
            wanted,
            most_tasks=None if as_json or everything else MOST_ROWS,
            graph=as_json,
            attempts=attempts,
        )
        hiding = None if as_json else hiding_of(store, view)
        inner = view.run.parent_run is not None and view.state in (RunState.INTERRUPTED, RunState.FAILED)
        revival = revival_of(store, view.run) if inner and not as_json else Revival()
    if hiding is None:
        from mflow.cli.screen import print_json
        from mflow.core.view import status_object

        print_json(status_object(view))
    else:
        from mflow.cli.screen import show_status
        from mflow.cli.status_page import status_page

        page = status_page(
            view,
            commands,
            everything=everything,
            hide=hiding.hide,
            withhold=hiding.withhold,
            revival=revival,
        )
        show_status(page)
