"""The repository: the one class that keeps the promises of `mflow.core.contracts.Store`, over any database.

A write is one transaction that begins with an UPDATE of the run's row under its fence: the row's lock keeps
every other writer of the run out until the commit. Each call is one bounded attempt.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from mflow.core.contracts import Edit, NewRun, Pulse
from mflow.core.errors import StoreRefused, Superseded
from mflow.core.kept import definition_to_json
from mflow.core.model import Batch, Owner, RunRow
from mflow.core.states import OVER, RunState
from mflow.core.view import idle_until
from mflow.store import reading, values
from mflow.store import statements as sql
from mflow.store.changes import Changes
from mflow.store.clock import lease_end, utc_now
from mflow.store.reader import Reader
from mflow.store.statements import parameters
from mflow.store.tables import TEXT_BYTES, definitions, environments, runs

_INSERT_RUN = runs.insert().values(created_at=utc_now(), lease_until_at=lease_end())
_SET_FOLDER = runs.update().where(*sql.mine()).values(folder=sql.given("folder", runs.c.folder))
_HEARTBEAT = runs.update().where(*sql.mine()).values(lease_until_at=lease_end())
_IS_OVER = runs.c.state.in_([sa.literal_column(f"'{state.value}'") for state in OVER])


def _unless_over(column: sa.Column[Any]) -> sa.ColumnElement[Any]:
    """An order for the end of a run that has ended is carried out; one for a run that has not must be yet."""
    return sa.case((_IS_OVER, sa.null()), else_=column)


_ACQUIRE = (
    runs.update()
    .where(runs.c.id == sql.given("run", runs.c.id), runs.c.fence == sql.given("read", runs.c.fence))
    .values(
        fence=runs.c.fence + 1,
        batch_no=0,
        lease_until_at=lease_end(),
        cancelled_by=_unless_over(runs.c.cancelled_by),
        cancelled_at=_unless_over(runs.c.cancelled_at),
        interrupted_at=sa.null(),
        interrupted_by=sa.null(),
        idle_seconds=sql.given("idle", runs.c.idle_seconds),
        **{name: sql.given(name, runs.c[name]) for name in sql.OWNER_COLUMNS},
    )
)
_ACQUIRE_LAPSED = _ACQUIRE.where(runs.c.lease_until_at < utc_now())
_LOCKED = (
    sa.select(runs.c.fence, runs.c.batch_no).where(runs.c.id == sql.given("run", runs.c.id)).with_for_update()
)
_HEARTBEAT_ASKING = _HEARTBEAT.returning(runs.c.cancelled_by)
_ASKED = sa.select(runs.c.cancelled_by).where(runs.c.id == sql.given("run", runs.c.id))
_REQUEST_CANCEL = (
    runs.update()
    .where(
        runs.c.id == sql.given("run", runs.c.id),
        runs.c.cancelled_by.is_(None),
        sa.or_(sa.not_(_IS_OVER), runs.c.owner_host.is_not(None)),  # an owner is about to go on with it
    )
    .values(cancelled_by=sql.given("by", runs.c.cancelled_by), cancelled_at=utc_now())
)
_REDEFINE = (
    definitions.update()
    .where(definitions.c.run_id == sql.given("run", definitions.c.run_id))
    .values(definition=sql.given("definition", definitions.c.definition))
)
_TAKE = (
    runs.update()
    .where(
        runs.c.id == sql.given("run", runs.c.id),
        runs.c.parent_attempt == sql.given("read", runs.c.parent_attempt),
    )
    .values(parent_attempt=sql.given("attempt", runs.c.parent_attempt))
)
_KEEP = (
    environments.update()
    .where(environments.c.run_id == sql.given("run", environments.c.run_id))
    .values(environment=sql.given("environment", environments.c.environment))
)


class SqlStore(Reader):
    """One repository over one database; see `mflow.core.contracts.Store` for what each method promises."""

    def upgrade(self) -> None:
        """Bring the tables to the version needed. In one transaction, where the database can do that with tables."""
        from mflow.store import migrations

        with self._writing() as conn, self.dialect.upgrading(conn):
            if not conn.in_transaction():
                conn.begin()  # so that Alembic leaves the end of the transaction to us
            migrations.upgrade(conn)

    # ------------------------------------------------------------------------------------------- runs

    def create_run(self, new: NewRun, *, log_directory: str) -> RunRow:
        """Repeated after a commit whose answer was lost, it finds the run by its uid."""
        values.require_storable(new.definition, log_directory)
        try:
            return self._insert_run(new, log_directory)
        except _AlreadyThere:
            return self._created_before(new.uid)

    def _insert_run(self, new: NewRun, log_directory: str) -> RunRow:
        with self._writing() as conn:
            self.dialect.require_characters(conn, values.exact_texts(new.definition, log_directory))
            run_id = self._insert_run_row(conn, new, log_directory)
            text = definition_to_json(new.definition)
            numbered = zip(new.definition.task_numbers, new.definition.tasks, strict=True)
            Changes(self.dialect, conn, run_id).add(list(numbered), {})
            conn.execute(sql.INSERT_DEFINITION, {"run_id": run_id, "definition": text})
            if new.environment is not None:
                conn.execute(sql.INSERT_ENVIRONMENT, {"run_id": run_id, "environment": new.environment})
            row = reading.run_by_id(conn, run_id)
        assert row is not None
        return row

    def _insert_run_row(self, conn: Connection, new: NewRun, log_directory: str) -> int:
        run_id = self.dialect.new_run_id(conn)
        row = _run_columns(new)
        if run_id is not None:
            row |= {"id": run_id, "folder": _folder(new, log_directory, run_id)}
        if new.call_digest is not None and new.call_no is None:
            row["call_no"] = reading.equal_calls(conn, new) + 1
        try:
            inserted = conn.execute(_INSERT_RUN, row)
        except IntegrityError:
            if reading.run_by_uid(conn, new.uid) is None:
                raise
            raise _AlreadyThere from None
        if run_id is None:
            [run_id] = inserted.inserted_primary_key or [0]
            folder = _folder(new, log_directory, int(run_id))
            conn.execute(_SET_FOLDER, parameters(run=run_id, mine=1, folder=folder))
        return int(run_id)

    def _created_before(self, uid: str) -> RunRow:
        with self._reading() as conn:
            row = reading.run_by_uid(conn, uid)
        assert row is not None
        return row

    def children(self, run_id: int, uid: str, task: str | None = None) -> list[RunRow]:
        """The runs that tasks of this run have made in this database, oldest first; all, or those of one task."""
        with self._reading() as conn:
            return reading.children(conn, run_id, uid, task)

    def take_child(self, run_id: int, *, read: int, attempt: int) -> bool:
        """By compare-and-set: False if the attempt of the parent is no longer `read`."""
        with self._writing(run_id) as conn:
            return conn.execute(_TAKE, parameters(run=run_id, read=read, attempt=attempt)).rowcount == 1

    def set_folder(self, run_id: int, fence: int, folder: str) -> None:
        """Keep where the attempts' logs of this run are."""
        with self._writing(run_id) as conn:
            self.dialect.require_characters(conn, [("path", folder)])
            found = conn.execute(_SET_FOLDER, parameters(run=run_id, mine=fence, folder=folder))
            self._require_owned(conn, found.rowcount, run_id, fence)

    def keep_environment(self, run_id: int, fence: int, environment: str) -> None:
        """Keep this text instead."""
        with self._writing(run_id) as conn:
            owned = conn.execute(_HEARTBEAT, parameters(run=run_id, mine=fence))
            self._require_owned(conn, owned.rowcount, run_id, fence)
            if conn.execute(_KEEP, parameters(run=run_id, environment=environment)).rowcount == 0:
                conn.execute(sql.INSERT_ENVIRONMENT, {"run_id": run_id, "environment": environment})

    # -------------------------------------------------------------------------------------- ownership

    def acquire(self, run_id: int, owner: Owner, *, fence: int, lapsed: bool = False) -> int:
        """Repeated after a commit whose answer was lost, it finds that it is the owner already."""
        with self._writing(run_id) as conn:
            seen = reading.run_and_time(conn, run_id)
            if seen is None:
                raise self._not_found(conn, run_id)
            run, now = seen
            who = parameters(run=run_id, read=fence, idle=idle_until(run, now), **values.owner(owner))
            if conn.execute(_ACQUIRE_LAPSED if lapsed else _ACQUIRE, who).rowcount == 0:
                row = reading.run_by_id(conn, run_id)
                assert row is not None
                if row.fence != fence + 1 or row.owner != owner:
                    raise _superseded(run_id, fence, row.fence)
        return fence + 1

    def heartbeat(self, run_id: int, fence: int) -> Pulse:
        """Renew the lease."""
        who = parameters(run=run_id, mine=fence)
        with self._writing(run_id) as conn:
            if conn.dialect.update_returning:
                row = conn.execute(_HEARTBEAT_ASKING, who).first()
                self._require_owned(conn, int(row is not None), run_id, fence)
            else:  # SQLite before 3.35
                self._require_owned(conn, conn.execute(_HEARTBEAT, who).rowcount, run_id, fence)
                row = conn.execute(_ASKED, parameters(run=run_id)).first()
        assert row is not None
        return Pulse(row.cancelled_by)

    def request_cancel(self, run_id: int, by: str) -> None:
        """Record who asked for the run's end and when; the first one stays. Of no effect once the run has ended."""
        with self._writing(run_id) as conn:
            asked = conn.execute(_REQUEST_CANCEL, parameters(run=run_id, by=values.cut(by, 255) or "?"))
            if asked.rowcount == 0 and reading.run_by_id(conn, run_id) is None:
                raise self._not_found(conn, run_id)

    # ------------------------------------------------------------------------------------ transitions

    def apply(self, run_id: int, fence: int, batch: Batch) -> None:
        """A constant number of statements, however many transitions there are."""
        with self._writing(run_id) as conn:
            first = sql.advance_run(batch.run_state, batch.release)
            if self.dialect.many(conn, first, [values.advance_run(run_id, fence, batch)]) != 1:
                self._explain_refusal(conn, run_id, fence, batch.run_state)
            Changes(self.dialect, conn, run_id).make(batch)

    def was_applied(self, run_id: int, fence: int, number: int) -> bool:
        """Waits for the row's lock: a commit that is still under way on the server is over when this answers."""
        with self._writing(run_id) as conn:
            row = conn.execute(_LOCKED, parameters(run=run_id)).first()
            if row is None:
                raise self._not_found(conn, run_id)
        if row.fence != fence:
            raise _superseded(run_id, fence, row.fence)
        return bool(row.batch_no >= number)

    def edit(self, run_id: int, fence: int, edit: Edit) -> None:
        """Repeated after a commit whose answer was lost, it finds the definition replaced already."""
        values.require_storable(edit.definition)
        text = definition_to_json(edit.definition)
        with self._writing(run_id) as conn:
            owned = conn.execute(_HEARTBEAT, parameters(run=run_id, mine=fence))
            self._require_owned(conn, owned.rowcount, run_id, fence)
            self.dialect.require_characters(conn, values.exact_texts(edit.definition))
            changes = Changes(self.dialect, conn, run_id)
            if reading.definition_text(conn, run_id) != text:
                conn.execute(_REDEFINE, parameters(run=run_id, definition=text))
                changes.remove(edit.removed)
                changes.add(edit.added, edit.attempts)
                changed = [values.change_task(run_id, number, task) for number, task in edit.changed]
                changes.set("changed task", sql.CHANGE_TASK, changed)
            changes.set("reset", sql.RESET_TASK, [values.this_task(run_id, one) for one in edit.resets])

    def _require_owned(self, conn: Connection, touched: int, run_id: int, fence: int) -> None:
        if touched != 1:
            self._explain_refusal(conn, run_id, fence, None)

    def _explain_refusal(self, conn: Connection, run_id: int, fence: int, to: RunState | None) -> None:
        """The run's row did not match: say why. Always raises."""
        row = reading.run_by_id(conn, run_id)
        if row is None:
            raise self._not_found(conn, run_id)
        if row.fence != fence or row.owner is None:
            raise _superseded(run_id, fence, row.fence)
        raise StoreRefused(f"{self.url}: run {run_id} does not go from {row.state} to {to}")


class _AlreadyThere(Exception):
    """The run was inserted by an earlier try whose answer was lost."""


def _folder(new: NewRun, log_directory: str, run_id: int) -> str:
    folder = f"{log_directory.rstrip('/')}/run-{run_id}"
    values.require_storable(new.definition, folder)
    return folder


def _run_columns(new: NewRun) -> dict[str, Any]:
    definition = new.definition
    return {
        "run_uid": new.uid,
        "state": RunState.PENDING.value,
        "taskfile": definition.taskfile,
        "cwd": definition.cwd,
        "config_path": definition.config or None,
        "datasources": definition.datasources or None,
        "oneshot": definition.oneshot or None,
        "folder": "?",  # named after the id
        "created_by": new.owner.user or "?",
        "fence": 1,
        "batch_no": 0,
        "parent_run": new.parent_run,
        "parent_task": values.cut(new.parent_task, TEXT_BYTES),
        "parent_attempt": new.parent_attempt,
        "parent_uid": new.parent_uid,
        "call_digest": new.call_digest,
        "call_no": new.call_no,
    } | values.owner(new.owner)


def _superseded(run_id: int, fence: int, now: int) -> Superseded:
    return Superseded(
        f"run {run_id} is no longer owned by this supervisor (fence {fence}, now {now})",
        hint=f"See who has it: mflow status {run_id}",
    )
