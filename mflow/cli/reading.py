"""A run read from the store, together with what only this machine can tell: whether its owner lives."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mflow.core.contracts import AttemptRow
from mflow.core.errors import RunNotFound
from mflow.core.model import RunRow, TaskRow
from mflow.core.prospect import Prospect
from mflow.core.states import RunState, TaskState
from mflow.core.view import RunView, blocked_by, may_be_blocked, shown_state, view_run
from mflow.store.repository import SqlStore

if TYPE_CHECKING:
    from mflow.cli.status_page import Revival


def read_view(
    store: SqlStore,
    run_id: int | None,
    *,
    most_tasks: int | None = None,
    graph: bool = False,
    attempts: bool = False,
) -> RunView:
    """The run as it is shown; None means the newest. Raises RunNotFound.

    `graph`: with what its tasks depend on. `attempts`: with all that were made.

    Of a run with more than `most_tasks` only those tasks are read that somebody may have to look at: 100,000
    rows and their definition take seconds.
    """
    run = store.read_run(run_id) if run_id is not None else newest(store)
    counts = store.counts(run.id)
    whole = most_tasks is None or sum(counts.values()) <= most_tasks
    rows = store.read_tasks(run.id) if whole or most_tasks is None else store.read_notable(run.id, most_tasks)
    alive = is_alive(run)
    interrupted = shown_state(run, alive) is RunState.INTERRUPTED
    nodes = store.read_graph(run.id) if graph or may_be_blocked(counts) else []
    return view_run(
        run,
        rows,
        counts,
        blocked_by(nodes, store.read_unfinished(run.id)) if may_be_blocked(counts) else {},
        alive=alive,
        now=datetime.now(UTC),
        prospects=foresee(run, rows) if interrupted and counts[TaskState.RUNNING] else {},
        restarted=interrupted and _is_restarted(run),
        stopped=bool(alive) and _is_stopped(run),
        stalls=_stalls(rows) if counts[TaskState.RUNNING] else None,
        depends=dict(nodes) if graph else None,
        attempts=_attempts(store, run.id) if attempts else None,
    )


def revival_of(store: SqlStore, run: RunRow) -> "Revival":
    """Of a run that a task has made and nobody drives: how it is resumed."""
    from mflow.cli.ancestry import reviver, unlike_the_call
    from mflow.cli.kept_files import kept_environment
    from mflow.cli.status_page import Revival

    outer = reviver(store, run)
    wanting = unlike_the_call(store, run, kept_environment(store, run))
    return Revival(outer.id if outer else None, wanting)


def foresee(run: RunRow, rows: Iterable[TaskRow]) -> dict[int, Prospect]:
    """Of a run that nobody drives: what a resume would make of its RUNNING tasks, by their numbers."""
    from mflow.engine.prospects import foresee

    return foresee(run, rows)


def gone_tasks(store: SqlStore, run: RunRow, counts: Mapping[TaskState, int]) -> int:
    """How many tasks of a run that nobody drives are RUNNING only by their rows."""
    if not counts[TaskState.RUNNING]:
        return 0
    rows = store.read_running(run.id)
    return sum(one.alive is False for one in foresee(run, rows).values())


def _is_stopped(run: RunRow) -> bool:
    from mflow.engine.ownership import is_stopped

    return is_stopped(run)


def _stalls(rows: Iterable[TaskRow]) -> dict[int, str]:
    from mflow.engine.stalls import stalls

    return stalls(rows)


def _is_restarted(run: RunRow) -> bool:
    from mflow.core.kernels import was_restarted
    from mflow.engine.identity import own_identity

    return run.owner is not None and was_restarted(run.owner.identity, own_identity())


def _attempts(store: SqlStore, run_id: int) -> dict[int, list[AttemptRow]]:
    found: dict[int, list[AttemptRow]] = {}
    for one in store.read_all_attempts(run_id):
        found.setdefault(one.task_no, []).append(one)
    return found


def is_alive(run: RunRow) -> bool | None:
    """Whether the run's owner lives; None if it has none, or one on another host that still holds its lease."""
    if run.owner is None:
        return None
    from mflow.engine.identity import own_identity
    from mflow.engine.ownership import owner_alive

    alive = owner_alive(run)
    return alive if not alive or run.owner.identity.same_kernel(own_identity()) else None


def newest(store: SqlStore) -> RunRow:
    """The newest run, of those that no other run has started if there are any. Raises RunNotFound."""
    run = store.newest_run()
    if run is None:
        raise RunNotFound("there is no run in this database yet", hint="mflow run --help")
    return run
