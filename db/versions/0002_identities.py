"""Identities that two machines cannot share, environments and calls of runs, and what shows a run at rest."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


ORACLE_STORAGE = (
    # Each instance of a cluster would hand out numbers of a cache of its own: newer runs, lower numbers.
    # (INCREMENT BY 1 and NOPARALLEL are what they were.)
    "ALTER SEQUENCE mflow_runs_seq NOCACHE ORDER INCREMENT BY 1",
    # An attempt's row grows to more than twice its size when it ends: without room in its block it would move.
    "ALTER TABLE mflow_attempts NOPARALLEL PCTFREE 60",
)
"""Each may be repeated."""


def run_columns() -> list[sa.Column[Any]]:
    """New columns of the runs."""
    return [
        sa.Column("owner_machine_id", sa.String(64), comment="Id of the installed system of the owner"),
        sa.Column("parent_uid", sa.String(32), comment="Random id of the parent run: numbers may be equal"),
        sa.Column(
            "call_digest", sa.String(64), comment="What the parent's task called: file, date, variables"
        ),
        sa.Column("call_no", sa.Integer, comment="Which of the equal calls of that task it was, from 1"),
        sa.Column("interrupted_at", sa.TIMESTAMP, comment="UTC; when its supervisor let go of it unfinished"),
        sa.Column("interrupted_by", sa.String(255), comment="What stopped that supervisor"),
        sa.Column("idle_seconds", sa.Numeric(14, 3), comment="How long in all nobody drove it"),
    ]


def attempt_columns() -> list[sa.Column[Any]]:
    """New columns of the attempts."""
    return [
        sa.Column("worker_machine_id", sa.String(64), comment="Id of the installed system of the worker"),
        sa.Column(
            "leader_start_ticks", sa.BigInteger, comment="When that leader started, in ticks since the boot"
        ),
    ]


def upgrade() -> None:
    """Add columns, a table and indexes, and store on Oracle as suits it; what is there stays as it is."""
    for column in run_columns():
        op.add_column("mflow_runs", column)
    for column in attempt_columns():
        op.add_column("mflow_attempts", column)
    op.create_table(
        "mflow_environments",
        sa.Column("run_id", sa.Integer, autoincrement=False, nullable=False, comment="The run"),
        sa.Column(
            "environment", sa.Text, nullable=False, comment="What its files took from it: JSON, ASCII only"
        ),
        sa.PrimaryKeyConstraint("run_id", name="mflow_environments_pk"),
        sa.ForeignKeyConstraint(["run_id"], ["mflow_runs.id"], name="mflow_environments_run_fk"),
        comment="The environment each run was started in, secrets left out",
    )
    op.create_index("mflow_runs_parent_ix", "mflow_runs", ["parent_run", "parent_uid"])
    op.create_index("mflow_runs_created_ix", "mflow_runs", ["created_at", "id"])
    op.create_index("mflow_tasks_id_ix", "mflow_tasks", ["run_id", "task_id"])
    if op.get_context().dialect.name == "oracle":
        for statement in ORACLE_STORAGE:
            op.execute(statement)


def downgrade() -> None:
    """Remove what `upgrade` has added."""
    op.drop_index("mflow_tasks_id_ix", table_name="mflow_tasks")
    op.drop_index("mflow_runs_created_ix", table_name="mflow_runs")
    op.drop_index("mflow_runs_parent_ix", table_name="mflow_runs")
    op.drop_table("mflow_environments")
    for column in attempt_columns():
        op.drop_column("mflow_attempts", column.name)
    for column in run_columns():
        op.drop_column("mflow_runs", column.name)
