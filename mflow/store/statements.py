"""Every statement that a batch of transitions may need, built once: each is executed for many rows at a time.

Each transition is a compare-and-set, so the number of rows that a statement touched must be the number of
rows it was given.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.sql.dml import Delete, Insert, Update

from mflow.core.states import RUN_TRANSITIONS, Outcome, RunState, TaskState
from mflow.store.clock import lease_end, utc_now
from mflow.store.tables import attempts, definitions, environments, runs, tasks

Row = Sequence[Any]
"""The values of a statement's parameters, in the order of their names."""


@dataclass(frozen=True, eq=False, slots=True)
class Statement:
    """SQL with named parameters; a row holds their values in the order of `names`."""

    construct: Insert | Update | Delete
    names: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """The names as they are in the SQL."""
        return tuple(map(_key, self.names))


def parameters(**values: Any) -> dict[str, Any]:
    """The values of a statement's parameters, by their names."""
    return {_key(name): value for name, value in values.items()}


def _key(name: str) -> str:
    """Neither a column's name, which SQLAlchemy would set, nor a word that Oracle reserves."""
    return f"p_{name}"


def _word(state: TaskState | Outcome) -> sa.ColumnElement[str]:
    """A state as part of the text: a parameter would have to be sent with every row."""
    return sa.literal_column(f"'{state.value}'", sa.String)


def given(name: str, column: sa.Column[Any]) -> sa.BindParameter[Any]:
    """A parameter, of the type of the column that it is for."""
    return sa.bindparam(_key(name), type_=column.type)


_ZERO: sa.ColumnElement[int] = sa.literal_column("0", sa.Integer)

_THIS_TASK = (
    tasks.c.run_id == given("run", tasks.c.run_id),
    tasks.c.task_no == given("no", tasks.c.task_no),
)
_THIS_ATTEMPT = (
    attempts.c.run_id == given("run", attempts.c.run_id),
    attempts.c.task_no == given("no", attempts.c.task_no),
    attempts.c.attempt == given("attempt", attempts.c.attempt),
)
_LAST_IS = tasks.c.attempts == given("attempt", tasks.c.attempts)
_RUNNING = tasks.c.state == _word(TaskState.RUNNING)

_END_COLUMNS = (
    "outcome exit_code signal_name error_code message ended_at cpu_seconds max_rss_bytes survivors leftovers"
).split()
_END = {name: given(name, attempts.c[name]) for name in _END_COLUMNS}
# The worker's word of the start may have come before, as progress.
_END["started_at"] = sa.func.coalesce(given("started_at", attempts.c.started_at), attempts.c.started_at)  # type: ignore[assignment]
_END_NAMES = (*_END_COLUMNS, "started_at", "run", "no", "attempt")


CLAIM_TASK = Statement(
    tasks.update()
    .where(
        *_THIS_TASK,
        tasks.c.state == _word(TaskState.PENDING),
        tasks.c.attempts == given("last_attempt", tasks.c.attempts),
    )
    .values(
        state=_word(TaskState.RUNNING),
        attempts=given("attempt", tasks.c.attempts),
        not_before=sa.null(),
        changed_at=utc_now(),
    ),
    ("attempt", "run", "no", "last_attempt"),
)

INSERT_ATTEMPT = Statement(
    attempts.insert().values(
        run_id=given("run", attempts.c.run_id),
        task_no=given("no", attempts.c.task_no),
        attempt=given("attempt", attempts.c.attempt),
        worker_host=given("host", attempts.c.worker_host),
        worker_boot_id=given("boot_id", attempts.c.worker_boot_id),
        worker_pid_ns=given("pid_ns", attempts.c.worker_pid_ns),
        worker_pid=given("worker_pid", attempts.c.worker_pid),
        worker_start_ticks=given("start_ticks", attempts.c.worker_start_ticks),
        log_path=given("log", attempts.c.log_path),
        claimed_at=given("claimed_at", attempts.c.claimed_at),
        worker_machine_id=given("machine_id", attempts.c.worker_machine_id),
    ),
    (
        "run",
        "no",
        "attempt",
        "host",
        "boot_id",
        "pid_ns",
        "worker_pid",
        "start_ticks",
        "log",
        "claimed_at",
        "machine_id",
    ),
)

END_TASK = Statement(
    tasks.update()
    .where(*_THIS_TASK, _RUNNING, _LAST_IS)
    .values(
        state=given("to", tasks.c.state),
        tries=given("tries", tasks.c.tries),
        not_before=given("not_before", tasks.c.not_before),
        changed_at=utc_now(),
    ),
    ("to", "tries", "not_before", "run", "no", "attempt"),
)

END_ATTEMPT = Statement(
    attempts.update().where(*_THIS_ATTEMPT, attempts.c.outcome.is_(None)).values(_END), _END_NAMES
)

GIVE_BACK_TASK = Statement(
    tasks.update()
    .where(*_THIS_TASK, _RUNNING, _LAST_IS)
    .values(
        state=_word(TaskState.PENDING),
        attempts=given("last_attempt", tasks.c.attempts),
        changed_at=utc_now(),
    ),
    ("last_attempt", "run", "no", "attempt"),
)

DELETE_ATTEMPT = Statement(
    attempts.delete().where(*_THIS_ATTEMPT, attempts.c.outcome.is_(None)), ("run", "no", "attempt")
)

RESET_TASK = Statement(
    tasks.update()
    .where(*_THIS_TASK, tasks.c.state.in_([_word(TaskState.FAILED), _word(TaskState.PENDING)]))
    .values(state=_word(TaskState.PENDING), tries=_ZERO, not_before=sa.null(), changed_at=utc_now()),
    ("run", "no"),
)

SETTLE_TASK = Statement(
    tasks.update()
    .where(*_THIS_TASK, tasks.c.state == _word(TaskState.FAILED), _LAST_IS)
    .values(state=_word(TaskState.SUCCESS), not_before=sa.null(), changed_at=utc_now()),
    ("run", "no", "attempt"),
)

SETTLE_ATTEMPT = Statement(
    attempts.update().where(*_THIS_ATTEMPT, attempts.c.outcome == _word(Outcome.UNKNOWN)).values(_END),
    _END_NAMES,
)

NOTE_START = Statement(
    attempts.update()
    .where(*_THIS_ATTEMPT)
    .values(
        started_at=sa.func.coalesce(given("started_at", attempts.c.started_at), attempts.c.started_at),
        pid=sa.func.coalesce(given("pid", attempts.c.pid), attempts.c.pid),
        leader_start_ticks=sa.func.coalesce(
            given("leader_ticks", attempts.c.leader_start_ticks), attempts.c.leader_start_ticks
        ),
    ),
    ("started_at", "pid", "leader_ticks", "run", "no", "attempt"),
)

NOTE_FACTS = Statement(
    attempts.update().where(*_THIS_ATTEMPT).values(facts=given("facts", attempts.c.facts)),
    ("facts", "run", "no", "attempt"),
)

INSERT_TASK = Statement(
    tasks.insert().values(
        run_id=given("run", tasks.c.run_id),
        task_no=given("no", tasks.c.task_no),
        task_id=given("id", tasks.c.task_id),
        task_type=given("type", tasks.c.task_type),
        state=_word(TaskState.PENDING),
        attempts=given("attempts", tasks.c.attempts),
        tries=_ZERO,
        max_attempts=given("max_attempts", tasks.c.max_attempts),
        changed_at=utc_now(),
    ),
    ("run", "no", "id", "type", "attempts", "max_attempts"),
)

CHANGE_TASK = Statement(
    tasks.update()
    .where(*_THIS_TASK)
    .values(
        task_type=given("type", tasks.c.task_type),
        max_attempts=given("max_attempts", tasks.c.max_attempts),
        changed_at=utc_now(),
    ),
    ("type", "max_attempts", "run", "no"),
)

REMOVE_TASK = Statement(
    tasks.delete().where(*_THIS_TASK, tasks.c.state.in_([_word(TaskState.PENDING), _word(TaskState.FAILED)])),
    ("run", "no"),
)

REMOVE_ATTEMPTS = Statement(
    attempts.delete().where(
        attempts.c.run_id == given("run", attempts.c.run_id),
        attempts.c.task_no == given("no", attempts.c.task_no),
    ),
    ("run", "no"),
)

INSERT_DEFINITION = definitions.insert()
"""The text is the last column: Oracle takes no other long value after one."""

INSERT_ENVIRONMENT = environments.insert()

OWNER_COLUMNS = (
    "owner_host owner_boot_id owner_pid_ns owner_pid owner_start_ticks owner_machine_id owner_user owner_since_at"
).split()
NOBODY: dict[str, Any] = dict.fromkeys((*OWNER_COLUMNS, "lease_until_at"), sa.null())


def mine() -> tuple[sa.ColumnElement[bool], ...]:
    """The run of parameter `run`, as long as it is owned under parameter `mine`, a fence."""
    return (
        runs.c.id == given("run", runs.c.id),
        runs.c.fence == given("mine", runs.c.fence),
        runs.c.owner_host.is_not(None),
    )


@cache
def advance_run(to: RunState | None, release: bool) -> Statement:
    """The first statement of every batch: proves the ownership, counts the batch, renews or ends the lease."""
    values: dict[str, Any] = {"batch_no": given("number", runs.c.batch_no), "lease_until_at": lease_end()}
    where = mine()
    if to is not None:
        values |= {"state": _word_of_run(to)} | _times_of(to)
        where += (runs.c.state.in_([_word_of_run(state) for state in _may_precede(to)]),)
    if release:
        values |= NOBODY
    names: tuple[str, ...] = ("number", "run", "mine")
    if release and to is None:
        values |= {"interrupted_at": utc_now(), "interrupted_by": given("by", runs.c.interrupted_by)}
        names = (*names, "by")
    return Statement(runs.update().where(*where).values(values), names)


def _may_precede(to: RunState) -> list[RunState]:
    """A run may also go where it is: the batch that says so may be the second of its kind."""
    return [to, *(before for before, after in RUN_TRANSITIONS if after is to)]


def _times_of(to: RunState) -> dict[str, Any]:
    if to is RunState.RUNNING:
        return {"started_at": sa.func.coalesce(runs.c.started_at, utc_now()), "ended_at": sa.null()}
    return {"ended_at": utc_now()}


def _word_of_run(state: RunState) -> sa.ColumnElement[str]:
    return sa.literal_column(f"'{state.value}'", sa.String)
