"""The tables, written for Oracle's rules first; the migrations in db/ make the same ones (a test holds them together).

Names are at most 30 characters long and every constraint has one. '' is NULL to Oracle and is never stored
where a value must be. JSON is text in a CLOB. Instants are UTC in a TIMESTAMP (6 digits).

The kept definition stands in a table of its own: it may be megabytes, and the run's row is written with every batch.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, UserDefinedType

from mflow.core.states import Outcome, RunState, TaskState

ID_CHARS = 1000
"""The longest task id, in characters: at four bytes each they fit Oracle's VARCHAR2."""

TEXT_BYTES = 4000
"""The longest path or message, in bytes of UTF-8: Oracle's VARCHAR2 holds no more, however it is declared."""


class _Utc(TypeDecorator[datetime]):
    """Aware UTC in the program, naive UTC at the driver: Oracle's would drop the zone without converting."""

    impl = sa.TIMESTAMP
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """An aware instant of any zone as naive UTC."""
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What the driver gave, marked as UTC."""
        return None if value is None else value.replace(tzinfo=UTC)


class UtcText(UserDefinedType[datetime]):
    """The same where instants are texts: six digits always, so that texts compare as instants do."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """The name that SQLAlchemy gives such a column, too."""
        return "TIMESTAMP"

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], str | None]:
        """Instant to text."""
        return instant_to_text

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[str | None], datetime | None]:
        """Text to instant."""
        return _text_to_instant


def instant_to_text(value: datetime | None) -> str | None:
    """An aware instant of any zone, as SQLAlchemy and SQLite's own functions write it."""
    return None if value is None else value.astimezone(UTC).isoformat(" ", "microseconds")[:26]


def _text_to_instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(f"{text}+00:00")


UtcTimestamp = _Utc().with_variant(UtcText(), "sqlite")
"""An instant."""


def _one_of(
    column: str, words: type[TaskState] | type[RunState] | type[Outcome], name: str
) -> sa.CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words if word != RunState.INTERRUPTED)
    return sa.CheckConstraint(f"{column} IN ({listed})", name=name)


def _process(prefix: str) -> list[sa.Column[Any]]:
    """The columns of an `Identity`; all NULL, or none."""
    who = prefix.removesuffix("_")
    return [
        sa.Column(f"{prefix}host", sa.String(255), comment=f"Host of the {who}"),
        sa.Column(f"{prefix}boot_id", sa.String(64), comment="Random id of that host's boot"),
        sa.Column(f"{prefix}pid_ns", sa.Integer, comment="Inode of its pid namespace"),
        sa.Column(f"{prefix}pid", sa.Integer, comment=f"Process id of the {who}"),
        sa.Column(
            f"{prefix}start_ticks", sa.Integer, comment="When it started, in clock ticks since that boot"
        ),
    ]


def _machine(who: str) -> sa.Column[Any]:
    """More of an `Identity`: a host's name alone may be borne by two machines."""
    return sa.Column(f"{who}_machine_id", sa.String(64), comment=f"Id of the installed system of the {who}")


metadata = sa.MetaData()

run_ids = sa.Sequence("mflow_runs_seq", metadata=metadata)
"""Numbers the runs in their order where the database has sequences; SQLite numbers them by itself."""

runs = sa.Table(
    "mflow_runs",
    metadata,
    sa.Column("id", sa.Integer, run_ids, comment="Number of the run, as mflow prints it"),
    sa.Column(
        "run_uid", sa.String(32), nullable=False, comment="Random, so that runs of two databases differ"
    ),
    sa.Column("state", sa.String(10), nullable=False, comment="PENDING, RUNNING, SUCCESS or FAILED"),
    sa.Column("taskfile", sa.String(TEXT_BYTES), nullable=False, comment="Path of the task file"),
    sa.Column("cwd", sa.String(TEXT_BYTES), nullable=False, comment="What relative paths are relative to"),
    sa.Column("config_path", sa.String(TEXT_BYTES), comment="Path of config.json"),
    sa.Column("datasources", sa.String(TEXT_BYTES), comment="Path of oracle.json"),
    sa.Column("oneshot", sa.String(ID_CHARS), comment="The one task the run was made for"),
    sa.Column("folder", sa.String(TEXT_BYTES), nullable=False, comment="Where the logs of its attempts are"),
    sa.Column("created_at", UtcTimestamp, nullable=False, comment="UTC, by the database's clock"),
    sa.Column("created_by", sa.String(255), nullable=False, comment="User who started it"),
    sa.Column("started_at", UtcTimestamp, comment="UTC; when it first went RUNNING"),
    sa.Column("ended_at", UtcTimestamp, comment="UTC; when it ended, NULL while it goes on"),
    sa.Column(
        "fence", sa.Integer, nullable=False, comment="Grows with every change of owner, guards every write"
    ),
    sa.Column(
        "batch_no", sa.Integer, nullable=False, comment="Last batch of transitions its owner committed"
    ),
    *_process("owner_"),
    sa.Column("owner_user", sa.String(255), comment="User of the supervisor that owns the run"),
    sa.Column("owner_since_at", UtcTimestamp, comment="UTC; since when it owns the run"),
    sa.Column("lease_until_at", UtcTimestamp, comment="UTC; after it the owner may be taken for dead"),
    sa.Column("cancelled_by", sa.String(255), comment="Who asked for the end of the run"),
    sa.Column("cancelled_at", UtcTimestamp, comment="UTC; when they did"),
    sa.Column("parent_run", sa.Integer, comment="The run whose task started this one"),
    sa.Column("parent_task", sa.String(ID_CHARS), comment="That task"),
    sa.Column("parent_attempt", sa.Integer, comment="That attempt of it"),
    _machine("owner"),
    sa.Column("parent_uid", sa.String(32), comment="Random id of the parent run: numbers may be equal"),
    sa.Column("call_digest", sa.String(64), comment="What the parent's task called: file, date, variables"),
    sa.Column("call_no", sa.Integer, comment="Which of the equal calls of that task it was, from 1"),
    sa.Column("interrupted_at", UtcTimestamp, comment="UTC; when its supervisor let go of it unfinished"),
    sa.Column("interrupted_by", sa.String(255), comment="What stopped that supervisor"),
    sa.Column("idle_seconds", sa.Numeric(14, 3, asdecimal=False), comment="How long in all nobody drove it"),
    sa.PrimaryKeyConstraint("id", name="mflow_runs_pk"),
    sa.UniqueConstraint("run_uid", name="mflow_runs_uid_uk"),
    _one_of("state", RunState, "mflow_runs_state_ck"),
    sa.Index("mflow_runs_parent_ix", "parent_run", "parent_uid"),
    sa.Index("mflow_runs_created_ix", "created_at", "id"),
    comment="A run of a task file by mflow",
    sqlite_autoincrement=True,
)

environments = sa.Table(
    "mflow_environments",
    metadata,
    sa.Column("run_id", sa.Integer, nullable=False, autoincrement=False, comment="The run"),
    sa.Column(
        "environment", sa.Text, nullable=False, comment="What its files took from it: JSON, ASCII only"
    ),
    sa.PrimaryKeyConstraint("run_id", name="mflow_environments_pk"),
    sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_environments_run_fk"),
    comment="The environment each run was started in, secrets left out",
)

definitions = sa.Table(
    "mflow_definitions",
    metadata,
    sa.Column("run_id", sa.Integer, nullable=False, autoincrement=False, comment="The run"),
    sa.Column("definition", sa.Text, nullable=False, comment="The tasks as they were read: JSON, ASCII only"),
    sa.PrimaryKeyConstraint("run_id", name="mflow_definitions_pk"),
    sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_definitions_run_fk"),
    comment="What each run executes, as it was when it started or was last edited",
)

tasks = sa.Table(
    "mflow_tasks",
    metadata,
    sa.Column("run_id", sa.Integer, nullable=False, autoincrement=False, comment="The run"),
    sa.Column(
        "task_no", sa.Integer, nullable=False, autoincrement=False, comment="Number of the task in the run"
    ),
    sa.Column("task_id", sa.String(ID_CHARS), nullable=False, comment="Its id in the task file"),
    sa.Column("task_type", sa.String(100), nullable=False, comment="bash, oracle, spark ..."),
    sa.Column("state", sa.String(10), nullable=False, comment="PENDING, RUNNING, SUCCESS or FAILED"),
    sa.Column(
        "attempts", sa.Integer, nullable=False, comment="Number of the last attempt; 0 if there is none"
    ),
    sa.Column(
        "tries", sa.Integer, nullable=False, comment="Used up of the tries that its retry policy allows"
    ),
    sa.Column("max_attempts", sa.Integer, nullable=False, comment="Tries that its retry policy allows"),
    sa.Column("not_before", UtcTimestamp, comment="UTC; the next try does not start earlier"),
    sa.Column(
        "changed_at", UtcTimestamp, nullable=False, comment="UTC; last change, by the database's clock"
    ),
    sa.PrimaryKeyConstraint("run_id", "task_no", name="mflow_tasks_pk"),
    sa.Index("mflow_tasks_id_ix", "run_id", "task_id"),
    sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_tasks_run_fk"),
    _one_of("state", TaskState, "mflow_tasks_state_ck"),
    comment="The tasks of each run and where they are",
    sqlite_with_rowid=False,
)

attempts = sa.Table(
    "mflow_attempts",
    metadata,
    sa.Column("run_id", sa.Integer, nullable=False, autoincrement=False, comment="The run"),
    sa.Column(
        "task_no", sa.Integer, nullable=False, autoincrement=False, comment="Number of the task in the run"
    ),
    sa.Column(
        "attempt", sa.Integer, nullable=False, autoincrement=False, comment="Number of the attempt, from 1"
    ),
    *_process("worker_"),
    sa.Column("log_path", sa.String(TEXT_BYTES), nullable=False, comment="File with its output"),
    sa.Column("claimed_at", UtcTimestamp, nullable=False, comment="UTC; when it was given to its worker"),
    sa.Column("started_at", UtcTimestamp, comment="UTC; when it began, by its worker's word"),
    sa.Column("ended_at", UtcTimestamp, comment="UTC; when it ended, by its worker's word"),
    sa.Column("pid", sa.Integer, comment="Leader of its processes"),
    sa.Column("outcome", sa.String(12), comment="Why it ended; NULL while it goes on"),
    sa.Column("exit_code", sa.Integer, comment="Exit code of its leader"),
    sa.Column("signal_name", sa.String(30), comment="The signal that ended its leader"),
    sa.Column("error_code", sa.String(200), comment="A database's or cluster's own code, such as ORA-01403"),
    sa.Column("message", sa.String(TEXT_BYTES), comment="What happened, in one line"),
    sa.Column("cpu_seconds", sa.Numeric(14, 6, asdecimal=False), comment="CPU seconds of its processes"),
    sa.Column("max_rss_bytes", sa.Integer, comment="Peak memory of its largest process, in bytes"),
    sa.Column("survivors", sa.String(TEXT_BYTES), comment="Process ids that could not be ended"),
    sa.Column("leftovers", sa.String(TEXT_BYTES), comment="Process ids left behind on purpose"),
    sa.Column("facts", sa.Text, comment="What identifies its work elsewhere: JSON, ASCII only"),
    _machine("worker"),
    sa.Column(
        "leader_start_ticks", sa.BigInteger, comment="When that leader started, in ticks since the boot"
    ),
    sa.PrimaryKeyConstraint("run_id", "task_no", "attempt", name="mflow_attempts_pk"),
    sa.ForeignKeyConstraint(
        ["run_id", "task_no"], ["mflow_tasks.run_id", "mflow_tasks.task_no"], name="mflow_attempts_task_fk"
    ),
    _one_of("outcome", Outcome, "mflow_attempts_outcome_ck"),
    comment="Every try of every task",
    sqlite_with_rowid=False,
)

VERSION_TABLE = "mflow_version"
"""Where Alembic keeps the schema's version; it is Alembic's own table and therefore not in `metadata`."""
