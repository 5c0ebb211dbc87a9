"""All that differs between databases: a handful of hooks each, SQLite's here, Oracle's in `oracle.py`.

No other module asks which database it has. (How the database's clock is written stands in `clock.py`, by
SQLAlchemy's own means for that.)
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.sql.compiler import SQLCompiler

from mflow.store import sqlite_file
from mflow.store.failures import Failure
from mflow.store.statements import Row, Statement
from mflow.store.tables import UtcTimestamp, instant_to_text, runs

BUSY_SECONDS = 5.0
"""One bounded attempt: how long a statement waits for another process's lock on a SQLite file."""


class Dialect:
    """The hooks, with what holds for most databases. One object serves one store."""

    name: str
    driver_errors: tuple[type[Exception], ...]  # what the driver itself raises
    upgrades_itself = False  # by any `mflow run`; else only by `mflow db upgrade`
    newest_first: Sequence[sa.ColumnElement[Any]] = (runs.c.id.desc(),)

    @property
    def errors(self) -> tuple[type[Exception], ...]:
        """What `failure` understands."""
        return (DBAPIError, PoolTimeout, *self.driver_errors)

    def begin(self, engine: Engine, run_id: int | None, *, write: bool) -> Connection:
        """A connection in a new transaction; `run_id` is what it will be used for, if that is known."""
        conn = engine.connect()
        conn.begin()
        return conn

    def commit(self, conn: Connection) -> None:
        """Commit, and let go of the connection whatever comes of it."""
        try:
            conn.commit()
        finally:
            conn.close()

    def rollback(self, conn: Connection) -> None:
        """Undo what there is to undo, and let go of the connection. Never raises."""
        try:
            conn.close()
        except self.errors:  # the connection is gone, and with it the transaction
            conn.invalidate()
            conn.close()

    def close(self) -> None:
        """Let go of what the hooks hold between transactions."""

    def many(self, conn: Connection, statement: Statement, rows: Sequence[Row]) -> int:
        """Execute the statement for all rows at once; how many rows of the table it touched (-1: an insert)."""
        keys = statement.keys
        values = [dict(zip(keys, row, strict=True)) for row in rows]
        return conn.execute(statement.construct, values).rowcount

    def failure(self, error: BaseException) -> Failure:
        """What the driver's error means."""
        raise NotImplementedError

    def name_blocker(
        self, engine: Engine, error: BaseException, failure: Failure, run_id: int | None
    ) -> Failure:
        """The failure of a write, with who holds the lock that it waited for, if it did and that can be seen.

        `run_id` is the run whose row it began with; None if it was an upgrade.
        """
        return failure

    @contextmanager
    def upgrading(self, conn: Connection) -> Iterator[None]:
        """What an upgrade needs to be different on its connection."""
        yield

    def require_characters(self, conn: Connection, texts: Iterable[tuple[str, str]]) -> None:
        """Raise StoreRefused for a text, told after what it is, that the database would not keep as it is."""

    def new_run_id(self, conn: Connection) -> int | None:
        """The id of a new run, if it must be known before its row is inserted."""
        return None

    def is_origins_run(self, conn: Connection, run_id: int) -> bool:
        """Whether the id is that of a run of the tool that mflow takes the place of."""
        return False


class Sqlite(Dialect):
    """A file, shared by many processes of one host.

    One connection is held, and the driver alone begins, commits and executes for many rows: SQLAlchemy's way costs
    several times what SQLite needs for a small batch. To SQLAlchemy the connection is in autocommit mode.
    """

    name = "sqlite"
    driver_errors = (sqlite3.Error,)
    upgrades_itself = True

    def __init__(self) -> None:
        self._path = ""
        self._file: tuple[int, int] | None = None  # which one is open
        self._newest: tuple[int, str] | None = None  # its newest run when it was first looked at
        self._held: tuple[Connection, sqlite3.Cursor] | None = None
        self._writing = False
        self._alone = False  # opened for reading only, the disk being full
        self._compiled: dict[Statement, tuple[str, Callable[[Row], Row]]] = {}

    def engine(self, path: str, *, read_only: bool = False) -> Engine:
        """An engine for the file, which need not exist yet; `read_only` for one that must not change."""
        self._path = path
        return sa.create_engine(
            "sqlite://",
            creator=lambda: self._open(path, read_only=read_only),
            isolation_level="AUTOCOMMIT",
            poolclass=sa.NullPool,
            hide_parameters=True,
        )

    def begin(self, engine: Engine, run_id: int | None, *, write: bool) -> Connection:
        """Writers queue for the file's one lock before they read anything.

        A file that was moved or deleted stays open, and takes what nobody will ever read: so the name is looked at.
        The file that has the name then must be the same database: in another one, a run of the same number and
        fence may be somebody else's.
        """
        if self._held and ((write and self._alone) or sqlite_file.which(self._path) != self._file):
            self.close()
        self._writing = write
        conn, cursor = self._hold(engine)
        if self._newest is None:
            self._newest = sqlite_file.newest_run(cursor)
        cursor.execute("BEGIN IMMEDIATE" if write else "BEGIN")
        return conn

    def commit(self, conn: Connection) -> None:
        """Durable when this returns."""
        self._end(conn, "COMMIT")

    def rollback(self, conn: Connection) -> None:
        """By closing the connection: after an error of the file the next attempt had better open it anew."""
        self.close()

    def close(self) -> None:
        """The last one who closes a WAL file tidies it up."""
        if self._held:
            self._held[0].close()
            self._held = None

    def many(self, conn: Connection, statement: Statement, rows: Sequence[Row]) -> int:
        """By the driver alone, each statement compiled once."""
        text, arrange = self._compiled.get(statement) or self._compile(conn, statement)
        _, cursor = self._hold(conn.engine)
        cursor.executemany(text, map(arrange, rows))
        return cursor.rowcount

    def failure(self, error: BaseException) -> Failure:
        """By SQLite's result code."""
        cause = (error.orig if isinstance(error, DBAPIError) else None) or error
        return sqlite_file.explain(cause, self._path)

    def _open(self, path: str, *, read_only: bool) -> sqlite3.Connection:
        """A run can be looked at though the disk is full and nobody else has the file open."""
        self._alone = not self._writing and not read_only and sqlite_file.lacks_room(path)
        return sqlite_file.connect(path, busy_seconds=BUSY_SECONDS, read_only=read_only, alone=self._alone)

    def _hold(self, engine: Engine) -> tuple[Connection, sqlite3.Cursor]:
        if self._held is None:
            self._file = sqlite_file.which(self._path)
            conn = engine.connect()
            try:
                cursor: sqlite3.Cursor = conn.connection.cursor()  # type: ignore[assignment]
                if self._newest is not None:
                    sqlite_file.require_run(self._path, cursor, self._newest)
            except BaseException:
                conn.close()
                raise
            self._held = conn, cursor
        assert self._held is not None
        return self._held

    def _end(self, conn: Connection, how: str) -> None:
        _, cursor = self._hold(conn.engine)
        cursor.execute(how)
        conn.rollback()  # of no effect on the file: SQLAlchemy only forgets that it has executed something

    def _compile(self, conn: Connection, statement: Statement) -> tuple[str, Callable[[Row], Row]]:
        compiled = statement.construct.compile(dialect=conn.dialect)
        assert isinstance(compiled, SQLCompiler)
        order = compiled.positiontup or []
        stamps = [i for i, name in enumerate(order) if compiled.binds[name].type is UtcTimestamp]
        arrange = _arranger([statement.keys.index(name) for name in order], stamps)
        self._compiled[statement] = str(compiled), arrange
        return self._compiled[statement]


def _arranger(places: list[int], stamps: list[int]) -> Callable[[Row], Row]:
    """From the order of a statement's names to the order of its question marks, instants as SQLite stores them."""
    pick = itemgetter(*places)
    if not stamps:
        return pick

    def arrange(row: Row) -> Row:
        values = list(pick(row))
        for i in stamps:
            values[i] = instant_to_text(values[i])
        return values

    return arrange
