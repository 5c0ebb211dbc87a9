"""All that differs between databases: a handful of hooks each. No other module asks which database it has.

(How the database's clock is written stands in `clock.py`, by SQLAlchemy's own means for that.)
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError

from mflow.core.model import Datasource
from mflow.store import sqlite_file
from mflow.store.failures import Failure, Kind
from mflow.store.statements import Row, Statement
from mflow.store.tables import UtcTimestamp

BUSY_SECONDS = 5.0
"""One bounded attempt: how long a statement waits for another process's lock on a SQLite file."""


class Dialect:
    """The hooks, with what holds for most databases."""

    name: str
    driver_error: type[Exception]  # what the driver itself raises

    def many(self, conn: Connection, statement: Statement, rows: Sequence[Row]) -> int:
        """Execute the statement for all rows at once; how many rows of the table it touched (-1 for an insert)."""
        values = [dict(zip(statement.names, row, strict=True)) for row in rows]
        return conn.execute(statement.construct, values).rowcount

    def failure(self, error: BaseException) -> Failure:
        """What the driver's error means."""
        raise NotImplementedError

    def mark(self, conn: Connection, run_id: int | None) -> None:
        """Let the database's administrator see what the connection is used for."""

    def new_run_id(self, conn: Connection) -> int | None:
        """The id of a new run, if it must be known before its row is inserted."""
        return None

    def is_origins_run(self, conn: Connection, run_id: int) -> bool:
        """Whether the id is that of a run of the tool that mflow takes the place of."""
        return False


class Sqlite(Dialect):
    """A file, shared by many processes of one host."""

    name = "sqlite"
    driver_error = sqlite3.Error

    def __init__(self) -> None:
        self._compiled: dict[Statement, tuple[str, Callable[[Row], Row]]] = {}

    def engine(self, path: str, *, read_only: bool = False) -> Engine:
        """An engine for the file, which need not exist yet; `read_only` for one that must not change."""
        engine = sa.create_engine(
            "sqlite://",
            creator=lambda: sqlite_file.connect(path, busy_seconds=BUSY_SECONDS, read_only=read_only),
            poolclass=sa.QueuePool,
            pool_size=1,
            hide_parameters=True,
        )
        event.listen(engine, "begin", _begin)
        return engine

    def many(self, conn: Connection, statement: Statement, rows: Sequence[Row]) -> int:
        """By the driver alone: SQLAlchemy's way costs several times what SQLite needs for a small batch."""
        compiled = self._compiled.get(statement) or self._compile(conn, statement)
        cursor = conn.connection.cursor()
        try:
            cursor.executemany(compiled[0], map(compiled[1], rows))
            return cursor.rowcount
        finally:
            cursor.close()

    def failure(self, error: BaseException) -> Failure:
        """By SQLite's result code."""
        original = error.orig if isinstance(error, DBAPIError) else error
        return sqlite_file.explain(original)

    def _compile(self, conn: Connection, statement: Statement) -> tuple[str, Callable[[Row], Row]]:
        compiled = statement.construct.compile(dialect=conn.dialect)
        order: list[str] = compiled.positiontup  # type: ignore[attr-defined]
        stamps = [i for i, name in enumerate(order) if isinstance(compiled.binds[name].type, UtcTimestamp)]  # type: ignore[attr-defined]
        arrange = _arranger([statement.names.index(name) for name in order], stamps)
        self._compiled[statement] = str(compiled), arrange
        return self._compiled[statement]


def _begin(conn: Connection) -> None:
    conn.exec_driver_sql(conn.get_execution_options().get("mflow_begin", "BEGIN"))


def _arranger(places: list[int], stamps: list[int]) -> Callable[[Row], Row]:
    """From the order of a statement's names to the order of its question marks, instants as SQLite stores them."""
    pick = itemgetter(*places)
    if not stamps:
        return pick

    def arrange(row: Row) -> Row:
        values = list(pick(row))
        for i in stamps:
            if values[i] is not None:
                values[i] = _stored(values[i])
        return values

    return arrange


def _stored(instant: datetime) -> str:
    """As SQLAlchemy's own type for SQLite writes it."""
    return instant.astimezone(UTC).isoformat(" ", "microseconds")[:26]


__all__ = ["Datasource", "Dialect", "Kind", "Sqlite"]
