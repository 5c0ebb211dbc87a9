"""`mflow cancel`: end a run and its tasks, whoever drives it."""

from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, RunArgument, run_number

if TYPE_CHECKING:
    from mflow.cli.database import Database
    from mflow.cli.end_order import EndOrder
    from mflow.core.model import RunRow


def cancel(
    run: RunArgument,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait until the run has ended.")] = False,
    takeover: Annotated[
        bool,
        typer.Option(
            "--takeover", help="End a supervisor that is stopped or does not answer, and end the run."
        ),
    ] = False,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """End a run: its tasks are ended, what has not been started stays so."""
    from mflow.cli.children import end_children
    from mflow.cli.database import locate_database, used_options
    from mflow.cli.end_order import EndOrder, is_over

    run_id = run_number(run)
    chosen = locate_database(database, datasources, config)
    store = chosen.open()
    seen = store.read_run(run_id)
    if is_over(seen):
        print(f"run {run_id} has ended already: {seen.state}")
        return
    order = EndOrder(store, run_id, used_options(database, datasources, config), takeover=takeover)
    seen = order.place(seen, patient=not no_wait)
    while not is_over(seen):
        if order.is_ours_to_carry_out(seen):
            seen = _take(order, seen, chosen)
        elif no_wait:
            print(f"run {run_id} was asked to end")
            return
        else:
            seen = order.wait()
    end_children(store, seen, order.commands)  # if its supervisor has not come to that yet
    print(f"run {run_id} has ended: {seen.state}")


def _take(order: "EndOrder", run: "RunRow", database: "Database") -> "RunRow":
    """End the run from here; returns only if somebody else was quicker to take it, who is asked then."""
    from mflow.cli.cancelling import cancel_ourselves
    from mflow.cli.owning import Overtaken

    try:
        cancel_ourselves(order.store, run, database, order.commands)
    except Overtaken:
        return order.place(order.store.read_run(run.id))
