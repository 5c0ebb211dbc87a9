"""`mflow runs`: the runs of this database."""

from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, JsonOption

if TYPE_CHECKING:
    from datetime import datetime

    from mflow.core.model import RunSummary
    from mflow.core.states import RunState

HEADINGS = ("RUN", "STATE", "STARTED", "TOOK", "TASKS", "TASK FILE")


def runs(
    as_json: JsonOption = False,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Only the newest N.", show_default=False)
    ] = None,
    database: DatabaseOption = None,
    datasources: DatasourcesOption = None,
    config: ConfigOption = None,
) -> None:
    """List the runs, newest first."""
    from datetime import UTC, datetime

    from mflow.cli.database import opened
    from mflow.cli.reading import gone_tasks, is_alive
    from mflow.cli.screen import CUT_AT_THE_END, CUT_IN_THE_MIDDLE, Columns, print_json, show_table
    from mflow.core.states import RunState
    from mflow.core.view import runs_object, shown_state

    now = datetime.now(UTC)
    with opened(database, datasources, config) as (store, _):
        found = [(one, shown_state(one.run, is_alive(one.run))) for one in store.list_runs(limit)]
        left = [one for one, state in found if state is RunState.INTERRUPTED and not as_json]
        gone = {one.run.id: gone_tasks(store, one.run, one.counts) for one in left}
    if as_json:
        print_json(runs_object(found, now))
    elif found:
        rows = [_cells(one, state, gone.get(one.run.id, 0), now) for one, state in found]
        show_table(HEADINGS, rows, Columns(1, {4: CUT_AT_THE_END, 5: CUT_IN_THE_MIDDLE}, leave=(3, 2, 4)))
    else:
        print("no runs yet")


def _cells(summary: "RunSummary", state: "RunState", gone: int, now: "datetime") -> tuple[str, ...]:
    from mflow.cli.wording import clean, counts, duration, moment
    from mflow.core.states import RunState
    from mflow.core.view import counts_without, is_cancelled, run_seconds

    run = summary.run
    took = None if state is RunState.RUNNING else run_seconds(run, state, now)
    return (
        str(run.id),
        "CANCELLED" if is_cancelled(run) else str(state),
        moment(run.started_at or run.created_at),
        "" if took is None else duration(took),
        counts(counts_without(summary.counts, gone), 0),
        clean(run.taskfile),
    )
