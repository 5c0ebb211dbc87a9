"""A run read from the store, together with what only this machine can tell: whether its owner lives."""

from datetime import UTC, datetime

from mflow.core.contracts import Store
from mflow.core.errors import RunNotFound
from mflow.core.model import RunRow
from mflow.core.view import RunView, count_states, may_be_blocked, view_run


def read_view(store: Store, run_id: int | None) -> RunView:
    """The run as it is shown; None means the newest. Raises RunNotFound."""
    run = store.read_run(run_id) if run_id is not None else _newest(store)
    rows = store.read_tasks(run.id)
    # 100,000 tasks make a large definition: it is read only if something can be blocked.
    definition = store.read_definition(run.id) if may_be_blocked(count_states(rows)) else None
    return view_run(run, rows, definition, alive=is_alive(run), now=datetime.now(UTC))


def is_alive(run: RunRow) -> bool | None:
    """Whether the run's owner lives; None if it has none, or one on another host that still holds its lease."""
    if run.owner is None:
        return None
    from mflow.engine.identity import own_identity
    from mflow.engine.ownership import owner_alive

    alive = owner_alive(run)
    return alive if not alive or run.owner.identity.same_kernel(own_identity()) else None


def _newest(store: Store) -> RunRow:
    run = store.newest_run()
    if run is None:
        raise RunNotFound("there is no run in this database yet", hint="mflow run --help")
    return run
