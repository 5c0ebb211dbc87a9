"""`mflow runs`: the runs of this database."""

from typing import TYPE_CHECKING, Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption, JsonOption

if TYPE_CHECKING:
    from mflow.core.model import RunRow, RunSummary
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
    from mflow.cli.database import opened
    from mflow.cli.reading import is_alive
    from mflow.cli.screen import print_json, show_table
    from mflow.core.view import runs_object, shown_state

    with opened(database, datasources, config) as (store, _):
        found = [(one, shown_state(one.run, is_alive(one.run))) for one in store.list_runs(limit)]
    if as_json:
        print_json(runs_object(found))
    elif found:
        show_table(HEADINGS, [_cells(summary, state) for summary, state in found], state_column=1)
    else:
        print("no runs yet")


def _cells(summary: "RunSummary", state: "RunState") -> tuple[str, ...]:
    from mflow.cli.wording import clean, counts, moment

    run = summary.run
    return (
        str(run.id),
        str(state),
        moment(run.started_at or run.created_at),
        _took(run),
        counts(summary.counts),
        clean(run.taskfile),
    )


def _took(run: "RunRow") -> str:
    from mflow.cli.wording import duration

    if run.started_at is None or run.ended_at is None:
        return ""
    return duration(max(0.0, (run.ended_at - run.started_at).total_seconds()))
