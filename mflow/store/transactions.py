"""A database, and transactions on it: its dialect begins and ends them, and tells what their errors mean."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mflow.core.errors import RunNotFound, StoreError, StoreUnavailable
from mflow.store.dialects import Dialect
from mflow.store.failures import Kind, to_error
from mflow.store.scripts import READ_VERSION


class Transactions:
    """One database; each transaction is one bounded attempt."""

    def __init__(self, engine: Engine, dialect: Dialect, url: str, *, warnings: list[str]) -> None:
        """`warnings` may grow while the database is used."""
        self.url = url
        self.warnings = warnings
        self.engine = engine
        self.dialect = dialect

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.url!r})"

    def close(self) -> None:
        """Let go of the database. Never raises."""
        try:
            self.dialect.close()
            self.engine.dispose()
        except self.dialect.errors:
            pass

    def schema_version(self) -> str | None:
        """The version of the tables; None if they are not there."""
        with self._reading() as conn:
            try:
                found: str | None = conn.exec_driver_sql(READ_VERSION).scalar()
            except DBAPIError as error:
                if self.dialect.failure(error).kind is not Kind.OUTDATED:
                    raise
                return None
        return found

    def _reading(self) -> AbstractContextManager[Connection]:
        return self._transaction(None, write=False)

    def _writing(self, run_id: int | None = None) -> AbstractContextManager[Connection]:
        return self._transaction(run_id, write=True)

    @contextmanager
    def _transaction(self, run_id: int | None, *, write: bool) -> Iterator[Connection]:
        """Committed at the end of the block, rolled back by any exception."""
        conn, committing = None, False
        try:
            conn = self.dialect.begin(self.engine, run_id, write=write)
            yield conn
            committing = True
            self.dialect.commit(conn)
        except BaseException as error:
            if conn is not None:
                self.dialect.rollback(conn)
            if isinstance(error, self.dialect.errors):
                raise self._error(error, run_id, write=write, committing=committing) from error
            raise

    def _error(self, error: Exception, run_id: int | None, *, write: bool, committing: bool) -> StoreError:
        if isinstance(error, PoolTimeout):
            return StoreUnavailable(f"{self.url}: no connection became free")
        failure = self.dialect.failure(error)
        if write and not committing:
            failure = self.dialect.name_blocker(self.engine, error, failure, run_id)
        return to_error(failure.at(self.url), committing=committing and write)

    def _not_found(self, conn: Connection, run_id: int) -> RunNotFound:
        if self.dialect.is_origins_run(conn, run_id):
            return RunNotFound(
                f"{self.url}: run {run_id} is a run of the old tool",
                hint="It is in the tables TASKS and TASKS_MASTER, which mflow leaves alone.",
            )
        return RunNotFound(f"{self.url}: no run {run_id}", hint="`mflow runs` lists those that there are.")
