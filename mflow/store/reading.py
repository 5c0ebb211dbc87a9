"""Rows to values: everything that is read, by the name of what it answers."""

import gc
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from mflow.core.contracts import AttemptRow, NewRun
from mflow.core.model import LOG_FACT, AttemptEnd, Identity, Owner, RunRow, TaskRow
from mflow.core.states import Outcome, RunState, TaskState
from mflow.store.clock import utc_now
from mflow.store.statements import given, parameters
from mflow.store.tables import attempts, definitions, environments, runs, tasks

Order = Sequence[sa.ColumnElement[Any]]
"""What a query sorts by."""

_LEASE_EXPIRED = sa.case(
    (runs.c.lease_until_at < utc_now(), sa.literal_column("1")), else_=sa.literal_column("0")
).label("lease_expired")
_RUN = sa.select(runs, _LEASE_EXPIRED)
_RUN_BY_ID = _RUN.where(runs.c.id == given("run", runs.c.id))
_OWNED = _RUN.where(runs.c.owner_host.is_not(None)).order_by(runs.c.id)
_OUTER = _RUN.where(runs.c.parent_run.is_(None))
_RUN_AND_TIME = _RUN_BY_ID.add_columns(utc_now().label("read_at"))
_RUN_BY_UID = _RUN.where(runs.c.run_uid == given("uid", runs.c.run_uid))

_END = (
    attempts.c.outcome,
    attempts.c.exit_code,
    attempts.c.signal_name,
    attempts.c.error_code,
    attempts.c.message,
    attempts.c.started_at,
    attempts.c.ended_at,
    attempts.c.cpu_seconds,
    attempts.c.max_rss_bytes,
    attempts.c.survivors,
    attempts.c.leftovers,
)
_WORKER = (
    attempts.c.worker_host,
    attempts.c.worker_boot_id,
    attempts.c.worker_pid_ns,
    attempts.c.worker_pid,
    attempts.c.worker_start_ticks,
    attempts.c.worker_machine_id,
)
_LAST_ATTEMPT = sa.and_(
    attempts.c.run_id == tasks.c.run_id,
    attempts.c.task_no == tasks.c.task_no,
    attempts.c.attempt == tasks.c.attempts,
)
_TASKS = (
    sa.select(
        tasks.c.task_no,
        tasks.c.task_id,
        tasks.c.task_type,
        tasks.c.state,
        tasks.c.attempts,
        tasks.c.tries,
        tasks.c.max_attempts,
        tasks.c.not_before,
        attempts.c.claimed_at,
        attempts.c.pid,
        attempts.c.log_path,
        attempts.c.facts,
        attempts.c.leader_start_ticks,
        *_END,
        *_WORKER,
    )
    .select_from(tasks.outerjoin(attempts, _LAST_ATTEMPT))
    .where(tasks.c.run_id == given("run", tasks.c.run_id))
    .order_by(tasks.c.task_no)
)
_TASK = _TASKS.where(tasks.c.task_id == given("id", tasks.c.task_id))
_NOTABLE = (
    _TASKS.where(tasks.c.state == TaskState.RUNNING.value),
    _TASKS.where(tasks.c.state == TaskState.FAILED.value),
    _TASKS.where(tasks.c.state == TaskState.PENDING.value, tasks.c.not_before.is_not(None)),
)
_TOUCHED = _TASKS.where(tasks.c.attempts > 0, tasks.c.changed_at >= given("since", tasks.c.changed_at))
_LAST_CHANGE = sa.select(sa.func.max(tasks.c.changed_at)).where(
    tasks.c.run_id == given("run", tasks.c.run_id)
)
_UNFINISHED = sa.select(tasks.c.task_id, tasks.c.state).where(
    tasks.c.run_id == given("run", tasks.c.run_id), tasks.c.state != TaskState.SUCCESS.value
)
_ATTEMPTS = (
    sa.select(attempts.c.attempt, attempts.c.log_path, attempts.c.facts, attempts.c.claimed_at, *_END)
    .where(
        attempts.c.run_id == given("run", attempts.c.run_id),
        attempts.c.task_no == given("no", attempts.c.task_no),
    )
    .order_by(attempts.c.attempt)
)
_ALL_ATTEMPTS = (
    sa.select(
        attempts.c.task_no,
        attempts.c.attempt,
        attempts.c.log_path,
        attempts.c.facts,
        attempts.c.claimed_at,
        *_END,
    )
    .where(attempts.c.run_id == given("run", attempts.c.run_id))
    .order_by(attempts.c.task_no, attempts.c.attempt)
)
_COUNTS = (
    sa.select(tasks.c.run_id, tasks.c.state, sa.func.count().label("how_many"))
    .where(tasks.c.run_id.between(given("lowest", tasks.c.run_id), given("highest", tasks.c.run_id)))
    .group_by(tasks.c.run_id, tasks.c.state)
)
_DEFINITION = sa.select(definitions.c.definition).where(
    definitions.c.run_id == given("run", definitions.c.run_id)
)
_CHILDREN = _RUN.where(
    runs.c.parent_run == given("run", runs.c.parent_run), runs.c.parent_uid == given("uid", runs.c.parent_uid)
).order_by(runs.c.id)
_CHILDREN_OF_TASK = _CHILDREN.where(runs.c.parent_task == given("task", runs.c.parent_task))
_EQUAL_CALLS = sa.select(sa.func.count()).where(
    runs.c.parent_run == given("run", runs.c.parent_run),
    runs.c.parent_uid == given("uid", runs.c.parent_uid),
    runs.c.parent_task == given("task", runs.c.parent_task),
    runs.c.call_digest == given("digest", runs.c.call_digest),
)
_ENVIRONMENT = sa.select(environments.c.environment).where(
    environments.c.run_id == given("run", environments.c.run_id)
)


def run_by_id(conn: Connection, run_id: int) -> RunRow | None:
    """The run, or None."""
    return _one_run(conn.execute(_RUN_BY_ID, parameters(run=run_id)).first())


def run_and_time(conn: Connection, run_id: int) -> tuple[RunRow, datetime] | None:
    """The run, and the database's clock at that moment; None if there is no such run."""
    row = conn.execute(_RUN_AND_TIME, parameters(run=run_id)).first()
    return None if row is None else (_run(row), row.read_at)


def run_by_uid(conn: Connection, uid: str) -> RunRow | None:
    """The run with this random id, or None."""
    return _one_run(conn.execute(_RUN_BY_UID, parameters(uid=uid)).first())


def owned_runs(conn: Connection) -> list[RunRow]:
    """Those that have an owner, alive or not."""
    return [_run(row) for row in conn.execute(_OWNED)]


def newest_outer_run(conn: Connection, order: Order) -> RunRow | None:
    """Of those that no other run has started; None if there is none."""
    return _one_run(conn.execute(_OUTER.order_by(*order).limit(1)).first())


def children(conn: Connection, run_id: int, uid: str, task: str | None) -> list[RunRow]:
    """The runs that tasks of this run have made, oldest first."""
    if task is None:
        return [_run(row) for row in conn.execute(_CHILDREN, parameters(run=run_id, uid=uid))]
    found = conn.execute(_CHILDREN_OF_TASK, parameters(run=run_id, uid=uid, task=task))
    return [_run(row) for row in found]


def equal_calls(conn: Connection, new: NewRun) -> int:
    """How many runs the same task has made already by the same call."""
    who = parameters(run=new.parent_run, uid=new.parent_uid, task=new.parent_task, digest=new.call_digest)
    return int(conn.execute(_EQUAL_CALLS, who).scalar_one())


def newest_runs(conn: Connection, order: Order, limit: int | None) -> list[RunRow]:
    """In that order, newest first; all of them, or `limit`."""
    return [_run(row) for row in conn.execute(_RUN.order_by(*order).limit(limit))]


def counts(conn: Connection, lowest: int, highest: int) -> dict[int, dict[TaskState, int]]:
    """For each of these runs that has tasks: how many are in which state, states without any left out."""
    found: dict[int, dict[TaskState, int]] = {}
    for run_id, state, how_many in conn.execute(_COUNTS, parameters(lowest=lowest, highest=highest)):
        found.setdefault(run_id, {})[TaskState(state)] = how_many
    return found


def definition_text(conn: Connection, run_id: int) -> str | None:
    """The kept definition of the run, or None."""
    return conn.execute(_DEFINITION, parameters(run=run_id)).scalar_one_or_none()


def environment_text(conn: Connection, run_id: int) -> str | None:
    """What was kept of the environment of the run, or None."""
    return conn.execute(_ENVIRONMENT, parameters(run=run_id)).scalar_one_or_none()


def task_attempts(conn: Connection, run_id: int, task_no: int) -> list[AttemptRow]:
    """All attempts of one task, oldest first."""
    found = conn.execute(_ATTEMPTS, parameters(run=run_id, no=task_no))
    return [
        AttemptRow(task_no, attempt, _facts(facts).get(LOG_FACT, log), claimed_at, end[5], _end(*end))
        for attempt, log, facts, claimed_at, *end in found
    ]


def all_attempts(conn: Connection, run_id: int) -> list[AttemptRow]:
    """All attempts of the run, by the numbers of their tasks, then oldest first."""
    found = conn.execute(_ALL_ATTEMPTS, parameters(run=run_id))
    return [
        AttemptRow(task_no, attempt, _facts(facts).get(LOG_FACT, log), claimed_at, end[5], _end(*end))
        for task_no, attempt, log, facts, claimed_at, *end in found
    ]


def last_change(conn: Connection, run_id: int) -> datetime | None:
    """When a task of the run has last changed, by the database's clock."""
    changed: datetime | None = conn.execute(_LAST_CHANGE, parameters(run=run_id)).scalar()
    return changed


def touched_tasks(conn: Connection, run_id: int, since: datetime) -> list[TaskRow]:
    """Those that were tried, and have changed since then."""
    workers: dict[tuple[Any, ...], Identity] = {}
    found = conn.execute(_TOUCHED, parameters(run=run_id, since=since))
    return [_task(row, workers) for row in found]


def task_by_id(conn: Connection, run_id: int, task_id: str) -> TaskRow | None:
    """The task with its last attempt, or None."""
    row = conn.execute(_TASK, parameters(run=run_id, id=task_id)).first()
    return None if row is None else _task(row, {})


def notable_tasks(conn: Connection, run_id: int, limit: int) -> list[TaskRow]:
    """What runs, then what failed, then what waits for its next try, of each at most `limit`."""
    workers: dict[tuple[Any, ...], Identity] = {}
    return [
        _task(row, workers)
        for query in _NOTABLE
        for row in conn.execute(query.limit(limit), parameters(run=run_id))
    ]


def running_tasks(conn: Connection, run_id: int) -> list[TaskRow]:
    """Those that are RUNNING, by their numbers."""
    workers: dict[tuple[Any, ...], Identity] = {}
    return [_task(row, workers) for row in conn.execute(_NOTABLE[0], parameters(run=run_id))]


def unfinished(conn: Connection, run_id: int) -> dict[str, TaskState]:
    """The state of every task that is not SUCCESS, by its id."""
    with _no_collection():
        found = conn.execute(_UNFINISHED, parameters(run=run_id))
        return {task_id: _STATES[state] for task_id, state in found}


def all_tasks(conn: Connection, run_id: int) -> list[TaskRow]:
    """The tasks of the run by number, each with its last attempt. Quick: there may be 100,000."""
    workers: dict[tuple[Any, ...], Identity] = {}
    result = conn.execute(_TASKS, parameters(run=run_id))
    with _no_collection():
        return [_task(row, workers) for row in result]


@contextmanager
def _no_collection() -> Iterator[None]:
    """The collector would look through all the rows again and again, and there is no garbage among them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _task(row: Sequence[Any], workers: dict[tuple[Any, ...], Identity]) -> TaskRow:
    no, task_id, kind, state, last, tries, most, not_before, claimed_at, pid, log, facts, ticks, *attempt = (
        row
    )
    if claimed_at is None:
        return TaskRow(no, task_id, kind, _STATES[state], last, tries, most, not_before)
    who = tuple(attempt[11:])
    worker = workers.get(who) or workers.setdefault(who, Identity(*who))
    return TaskRow(
        no,
        task_id,
        kind,
        _STATES[state],
        last,
        tries,
        most,
        not_before,
        worker,
        pid,
        claimed_at,
        log,
        _end(*attempt[:11]),
        attempt[5],
        _facts(facts),
        ticks,
    )


def _facts(text: str | None) -> dict[str, Any]:
    return json.loads(text) if text else {}


def _end(
    outcome: str | None,
    exit_code: int | None,
    signal: str | None,
    error: str | None,
    message: str | None,
    started_at: datetime | None,
    ended_at: datetime | None,
    cpu: float | None,
    rss: int | None,
    survivors: str | None,
    leftovers: str | None,
) -> AttemptEnd | None:
    if outcome is None:
        return None
    return AttemptEnd(
        _OUTCOMES[outcome],
        exit_code,
        signal,
        error,
        message,
        started_at,
        ended_at,
        cpu,
        rss,
        _pids(survivors) if survivors else (),
        _pids(leftovers) if leftovers else (),
    )


def _pids(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split())


def _one_run(row: sa.Row[Any] | None) -> RunRow | None:
    return None if row is None else _run(row)


def _run(row: sa.Row[Any]) -> RunRow:
    owner = _owner(row)
    return RunRow(
        id=row.id,
        uid=row.run_uid,
        state=RunState(row.state),
        taskfile=row.taskfile,
        cwd=row.cwd,
        config=row.config_path,
        datasources=row.datasources,
        oneshot=row.oneshot,
        folder=row.folder,
        created_at=row.created_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        fence=row.fence,
        owner=owner,
        lease_expired=bool(row.lease_expired) if owner else None,
        cancelled_by=row.cancelled_by,
        cancelled_at=row.cancelled_at,
        parent_run=row.parent_run,
        parent_task=row.parent_task,
        parent_attempt=row.parent_attempt,
        parent_uid=row.parent_uid,
        call_digest=row.call_digest,
        call_no=row.call_no,
        lease_until=row.lease_until_at,
        interrupted_at=row.interrupted_at,
        interrupted_by=row.interrupted_by,
        idle_seconds=row.idle_seconds or 0.0,
    )


def _owner(row: sa.Row[Any]) -> Owner | None:
    if row.owner_host is None:
        return None
    since: datetime = row.owner_since_at
    identity = Identity(
        row.owner_host,
        row.owner_boot_id,
        row.owner_pid_ns,
        row.owner_pid,
        row.owner_start_ticks,
        row.owner_machine_id,
    )
    return Owner(identity, row.owner_user, since)


_STATES = {state.value: state for state in TaskState}
_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
