"""What is Oracle's own among the hooks of `dialects.py`. Imported only where the database is an Oracle."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import oracledb
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mflow.core.errors import StoreRefused
from mflow.core.oracle_errors import codes_in, explain
from mflow.store import oracle_characters, oracle_locks, scripts
from mflow.store.dialects import Dialect
from mflow.store.failures import Failure, Kind
from mflow.store.oracle_dialect import OracleOfMflow, is_reading, mark_reading
from mflow.store.tables import run_ids, runs


class Oracle(Dialect):
    """Oracle by python-oracledb. Its tables may share a schema with those of the tool that mflow takes the place of."""

    name = "oracle"
    # A sequence that somebody has made anew may hand out lower numbers, or each instance of a cluster those it keeps.
    newest_first = (runs.c.created_at.desc(), runs.c.id.desc())

    driver_errors = (oracledb.Error, OSError)  # the socket's own errors pass through the driver at times

    def __init__(self) -> None:
        self._has_origin: bool | None = None
        self._characters: str | None = None

    def begin(self, engine: Engine, run_id: int | None, *, write: bool) -> Connection:
        """Marked in V$SESSION with the run; the mark travels with the next statement."""
        conn = super().begin(engine, run_id, write=write)
        mark_reading(conn, not write)
        action = None if run_id is None else f"run {run_id}"
        if conn.info.get("action") != action:
            conn.connection.driver_connection.action = action  # type: ignore[union-attr]
            conn.info["action"] = action
        return conn

    def commit(self, conn: Connection) -> None:
        """After reading alone there is nothing to commit: one round trip less."""
        if is_reading(conn):
            conn.close()
        else:
            super().commit(conn)

    def failure(self, error: BaseException) -> Failure:
        """By the code in the text."""
        found = explain(str((error.orig if isinstance(error, DBAPIError) else None) or error))
        if isinstance(error, OSError):
            return Failure(Kind.TRANSIENT, f"the connection was lost ({found.text})")
        if found.code == "ORA-00942":
            return Failure(
                Kind.OUTDATED, found.text, "The tables are missing, or this user may not see them."
            )
        gone = isinstance(error, DBAPIError) and error.connection_invalidated
        return Failure(
            Kind.TRANSIENT if found.nature.passing or gone else Kind.REFUSED, found.text, found.cure
        )

    def name_blocker(
        self, engine: Engine, error: BaseException, failure: Failure, run_id: int | None
    ) -> Failure:
        """A dead session may hold the row for hours: the one who is called at night must know which."""
        codes = set(codes_in(str((error.orig if isinstance(error, DBAPIError) else None) or error)))
        if _LOCKED.isdisjoint(codes) and (run_id is None or "DPY-4024" not in codes):
            return failure
        return oracle_locks.name_holder(engine, failure, run_id)

    @contextmanager
    def upgrading(self, conn: Connection) -> Iterator[None]:
        """An index of a large table takes its time, and tables are changed between the transactions of others."""
        session = conn.connection.driver_connection
        assert session is not None
        usual, session.call_timeout = session.call_timeout, 0
        try:
            conn.exec_driver_sql(f"ALTER SESSION SET DDL_LOCK_TIMEOUT = {scripts.DDL_LOCK_SECONDS}")
            assert isinstance(conn.dialect, OracleOfMflow)
            conn.dialect.learn_schema(conn)
            yield
        finally:
            session.call_timeout = usual

    def require_characters(self, conn: Connection, texts: Iterable[tuple[str, str]]) -> None:
        """Asks for the character set once, and only where there is more than ASCII."""
        for what, text in texts:
            if text.isascii():
                continue
            if self._characters is None:
                self._characters = str(conn.execute(_CHARACTER_SET).scalar_one())
            if lost := oracle_characters.lost(text, self._characters):
                raise StoreRefused(
                    f"a {what} cannot be kept: {text[:80]!r}: the state database's character set "
                    f"{self._characters} does not have {lost[:20]!r}",
                    hint="Rename it, or keep the state in a database of AL32UTF8, or in a SQLite file.",
                )

    def new_run_id(self, conn: Connection) -> int | None:
        """From the sequence, above every run of the tool that was there before."""
        new = int(conn.execute(_NEXT_ID).scalar_one())
        last = self._last_of_origin(conn)
        if last - new > _MOST_SKIPPED:
            raise StoreRefused(
                f"runs must be numbered above {last}, the last one in TASKS_MASTER, but the sequence is at {new}",
                hint=f"As the owner of the tables: ALTER SEQUENCE {run_ids.name} RESTART START WITH {last + 1}",
            )
        while new <= last:
            skipped = conn.execute(_NEXT_IDS, {"how_many": min(last - new + 1, 10_000)})
            new = max(int(value) for (value,) in skipped)
        return new

    def is_origins_run(self, conn: Connection, run_id: int) -> bool:
        """Whether TASKS_MASTER has it."""
        return self._knows_origin(conn) and conn.execute(_ORIGINS_RUN, {"run": run_id}).first() is not None

    def _last_of_origin(self, conn: Connection) -> int:
        return int(conn.execute(_ORIGINS_LAST).scalar() or 0) if self._knows_origin(conn) else 0

    def _knows_origin(self, conn: Connection) -> bool:
        """Whether there is a TASKS_MASTER with a numeric ID in the schema: nothing else of it is known or touched."""
        if self._has_origin is None:
            self._has_origin = conn.execute(_ORIGIN).first() is not None
        return self._has_origin


_LOCKED = frozenset({"ORA-00054", "ORA-04021", "ORA-30006"})
_MOST_SKIPPED = 1_000_000
_NEXT_ID = sa.select(run_ids.next_value())
_NEXT_IDS = sa.text("SELECT mflow_runs_seq.NEXTVAL FROM dual CONNECT BY LEVEL <= :how_many")
_CHARACTER_SET = sa.text("SELECT value FROM nls_database_parameters WHERE parameter = 'NLS_CHARACTERSET'")
_ORIGIN = sa.text(
    "SELECT 1 FROM all_tab_columns WHERE owner = SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA') "
    "AND table_name = 'TASKS_MASTER' AND column_name = 'ID' AND data_type = 'NUMBER'"
)
_ORIGINS_LAST = sa.text("SELECT MAX(id) FROM tasks_master")
_ORIGINS_RUN = sa.text("SELECT 1 FROM tasks_master WHERE id = :run")
