"""Runs, their definitions, tasks and attempts."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.schema import DropSequence, Sequence

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

RUN_IDS = Sequence("mflow_runs_seq")


def upgrade() -> None:
    """Make everything."""
    if op.get_context().dialect.supports_sequences:
        op.execute("CREATE SEQUENCE mflow_runs_seq NOCACHE ORDER")  # 0002 says why
    if op.get_context().dialect.supports_comments:
        op.create_table_comment(
            "mflow_version", "Which version these tables are of; written by migrations alone"
        )
        op.alter_column("mflow_version", "version_num", comment="Name of the last migration applied")
    op.create_table(
        "mflow_runs",
        sa.Column("id", sa.Integer, nullable=False, comment="Number of the run, as mflow prints it"),
        sa.Column(
            "run_uid", sa.String(32), nullable=False, comment="Random, so that runs of two databases differ"
        ),
        sa.Column("state", sa.String(10), nullable=False, comment="PENDING, RUNNING, SUCCESS or FAILED"),
        sa.Column("taskfile", sa.String(4000), nullable=False, comment="Path of the task file"),
        sa.Column("cwd", sa.String(4000), nullable=False, comment="What relative paths are relative to"),
        sa.Column("config_path", sa.String(4000), comment="Path of config.json"),
        sa.Column("datasources", sa.String(4000), comment="Path of oracle.json"),
        sa.Column("oneshot", sa.String(1000), comment="The one task the run was made for"),
        sa.Column("folder", sa.String(4000), nullable=False, comment="Where the logs of its attempts are"),
        sa.Column("created_at", sa.TIMESTAMP, nullable=False, comment="UTC, by the database's clock"),
        sa.Column("created_by", sa.String(255), nullable=False, comment="User who started it"),
        sa.Column("started_at", sa.TIMESTAMP, comment="UTC; when it first went RUNNING"),
        sa.Column("ended_at", sa.TIMESTAMP, comment="UTC; when it ended, NULL while it goes on"),
        sa.Column(
            "fence",
            sa.Integer,
            nullable=False,
            comment="Grows with every change of owner, guards every write",
        ),
        sa.Column(
            "batch_no", sa.Integer, nullable=False, comment="Last batch of transitions its owner committed"
        ),
        sa.Column("owner_host", sa.String(255), comment="Host of the owner"),
        sa.Column("owner_boot_id", sa.String(64), comment="Random id of that host's boot"),
        sa.Column("owner_pid_ns", sa.Integer, comment="Inode of its pid namespace"),
        sa.Column("owner_pid", sa.Integer, comment="Process id of the owner"),
        sa.Column("owner_start_ticks", sa.Integer, comment="When it started, in clock ticks since that boot"),
        sa.Column("owner_user", sa.String(255), comment="User of the supervisor that owns the run"),
        sa.Column("owner_since_at", sa.TIMESTAMP, comment="UTC; since when it owns the run"),
        sa.Column("lease_until_at", sa.TIMESTAMP, comment="UTC; after it the owner may be taken for dead"),
        sa.Column("cancelled_by", sa.String(255), comment="Who asked for the end of the run"),
        sa.Column("cancelled_at", sa.TIMESTAMP, comment="UTC; when they did"),
        sa.Column("parent_run", sa.Integer, comment="The run whose task started this one"),
        sa.Column("parent_task", sa.String(1000), comment="That task"),
        sa.Column("parent_attempt", sa.Integer, comment="That attempt of it"),
        sa.PrimaryKeyConstraint("id", name="mflow_runs_pk"),
        sa.UniqueConstraint("run_uid", name="mflow_runs_uid_uk"),
        sa.CheckConstraint(
            "state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED')", name="mflow_runs_state_ck"
        ),
        comment="A run of a task file by mflow",
        sqlite_autoincrement=True,
    )
    op.create_table(
        "mflow_definitions",
        sa.Column("run_id", sa.Integer, autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "definition", sa.Text, nullable=False, comment="The tasks as they were read: JSON, ASCII only"
        ),
        sa.PrimaryKeyConstraint("run_id", name="mflow_definitions_pk"),
        sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_definitions_run_fk"),
        comment="What each run executes, as it was when it started or was last edited",
    )
    op.create_table(
        "mflow_tasks",
        sa.Column("run_id", sa.Integer, autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "task_no",
            sa.Integer,
            autoincrement=False,
            nullable=False,
            comment="Number of the task in the run",
        ),
        sa.Column("task_id", sa.String(1000), nullable=False, comment="Its id in the task file"),
        sa.Column("task_type", sa.String(100), nullable=False, comment="bash, oracle, spark ..."),
        sa.Column("state", sa.String(10), nullable=False, comment="PENDING, RUNNING, SUCCESS or FAILED"),
        sa.Column(
            "attempts", sa.Integer, nullable=False, comment="Number of the last attempt; 0 if there is none"
        ),
        sa.Column(
            "tries", sa.Integer, nullable=False, comment="Used up of the tries that its retry policy allows"
        ),
        sa.Column("max_attempts", sa.Integer, nullable=False, comment="Tries that its retry policy allows"),
        sa.Column("not_before", sa.TIMESTAMP, comment="UTC; the next try does not start earlier"),
        sa.Column(
            "changed_at", sa.TIMESTAMP, nullable=False, comment="UTC; last change, by the database's clock"
        ),
        sa.PrimaryKeyConstraint("run_id", "task_no", name="mflow_tasks_pk"),
        sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_tasks_run_fk"),
        sa.CheckConstraint(
            "state IN ('PENDING', 'RUNNING', 'SUCCESS', 'FAILED')", name="mflow_tasks_state_ck"
        ),
        comment="The tasks of each run and where they are",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "mflow_attempts",
        sa.Column("run_id", sa.Integer, autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "task_no",
            sa.Integer,
            autoincrement=False,
            nullable=False,
            comment="Number of the task in the run",
        ),
        sa.Column(
            "attempt",
            sa.Integer,
            autoincrement=False,
            nullable=False,
            comment="Number of the attempt, from 1",
        ),
        sa.Column("worker_host", sa.String(255), comment="Host of the worker"),
        sa.Column("worker_boot_id", sa.String(64), comment="Random id of that host's boot"),
        sa.Column("worker_pid_ns", sa.Integer, comment="Inode of its pid namespace"),
        sa.Column("worker_pid", sa.Integer, comment="Process id of the worker"),
        sa.Column(
            "worker_start_ticks", sa.Integer, comment="When it started, in clock ticks since that boot"
        ),
        sa.Column("log_path", sa.String(4000), nullable=False, comment="File with its output"),
        sa.Column("claimed_at", sa.TIMESTAMP, nullable=False, comment="UTC; when it was given to its worker"),
        sa.Column("started_at", sa.TIMESTAMP, comment="UTC; when it began, by its worker's word"),
        sa.Column("ended_at", sa.TIMESTAMP, comment="UTC; when it ended, by its worker's word"),
        sa.Column("pid", sa.Integer, comment="Leader of its processes"),
        sa.Column("outcome", sa.String(12), comment="Why it ended; NULL while it goes on"),
        sa.Column("exit_code", sa.Integer, comment="Exit code of its leader"),
        sa.Column("signal_name", sa.String(30), comment="The signal that ended its leader"),
        sa.Column(
            "error_code", sa.String(200), comment="A database's or cluster's own code, such as ORA-01403"
        ),
        sa.Column("message", sa.String(4000), comment="What happened, in one line"),
        sa.Column("cpu_seconds", sa.Numeric(14, 6), comment="CPU seconds of its processes"),
        sa.Column("max_rss_bytes", sa.Integer, comment="Peak memory of its largest process, in bytes"),
        sa.Column("survivors", sa.String(4000), comment="Process ids that could not be ended"),
        sa.Column("leftovers", sa.String(4000), comment="Process ids left behind on purpose"),
        sa.Column("facts", sa.Text, comment="What identifies its work elsewhere: JSON, ASCII only"),
        sa.PrimaryKeyConstraint("run_id", "task_no", "attempt", name="mflow_attempts_pk"),
        sa.ForeignKeyConstraint(
            ["run_id", "task_no"],
            ["mflow_tasks.run_id", "mflow_tasks.task_no"],
            name="mflow_attempts_task_fk",
        ),
        sa.CheckConstraint(
            "outcome IN ('EXITED', 'SIGNALLED', 'ERROR', 'TIMED_OUT', 'NOT_STARTED', 'CANCELLED', 'LOST', 'UNKNOWN')",
            name="mflow_attempts_outcome_ck",
        ),
        comment="Every try of every task",
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    """Remove everything, with all that is kept."""
    for table in ("mflow_attempts", "mflow_tasks", "mflow_definitions", "mflow_runs"):
        op.drop_table(table)
    if op.get_context().dialect.supports_sequences:
        op.execute(DropSequence(RUN_IDS))
