"""A worker's workbench without a worker, and attempts run on it against the Oracle under test.

`MFLOW_TEST_ORACLE` names the database (`tests.store.databases` says how), `MFLOW_TEST_ORACLE_CONTROL` what injects
faults into a stand-in. The user needs CREATE SESSION, CREATE TABLE, CREATE PROCEDURE, ALTER SYSTEM and SELECT on
GV_$SESSION and V_$SESSION, all granted directly, and a quota.
"""

import os
import select
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import oracledb

from mflow.core.contracts import Job, Running, StopStep
from mflow.core.model import AttemptEnd, Datasource
from mflow.store.oracle_connect import datasource_of
from mflow.tasks.oracle import OracleRunner
from mflow.tasks.oracle.connection import load_driver
from tests.store.databases import oracle_url

PATIENCE_SECONDS = 60.0
"""A guard against a test that hangs."""


Keep = Callable[[Mapping[str, Any]], bool]
"""Whether facts are kept; a test may look around when it is asked."""


class Bench:
    """A `Workbench` whose facts are kept at once, or as a test says."""

    def __init__(self, log: Path, environ: Mapping[str, str] | None = None) -> None:
        self.log = log
        self.log_fd = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self.run_id = 7
        self.run_uid = "0123456789abcdef0123456789abcdef"
        self.environ: Mapping[str, str] = environ or {}
        self.facts: dict[str, Any] = {}
        self.recorded: list[Mapping[str, Any]] = []
        self.keep: Keep = lambda facts: True

    def record(self, facts: Mapping[str, Any], *, wait_seconds: float = 0.0) -> bool:
        """Keep them, if the test says so."""
        self.recorded.append(facts)
        self.facts.update(facts)
        return self.keep(facts)

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Running:
        """Oracle tasks start no process."""
        raise AssertionError("an oracle task starts no process")


class Attempts:
    """Runs attempts of one task, one after the other."""

    def __init__(self, folder: Path, source: Datasource, load: Callable[[], Any] = load_driver) -> None:
        self._folder = folder
        self._runner = OracleRunner(load)
        self.source = source
        self.environ: dict[str, str] = {}
        self.keep: Keep = lambda facts: True
        self.number = 0
        self.bench = Bench(folder / "none.log")
        self._running: Running | None = None

    def start(self, *, previous: Mapping[str, Any] | None = None, **options: Any) -> Running:
        """Begin an attempt with these keys of the task."""
        self.number += 1
        self.bench = Bench(self._folder / f"attempt{self.number}.log", self.environ)
        self.bench.keep = self.keep
        job = Job(
            task_no=0,
            attempt=self.number,
            task_id="load",
            type="oracle",
            options={"db": self.source.name, **options},
            env={},
            cwd=str(self._folder),
            timeout_seconds=None,
            log=str(self.bench.log),
            private={"datasource": self.source},
            previous=previous or {},
        )
        self._running = self._runner.start(job, self.bench)
        return self._running

    def finish(self) -> AttemptEnd:
        """Wait for its end, as a worker does."""
        assert self._running is not None
        ready, _, _ = select.select([self._running], [], [], PATIENCE_SECONDS)
        assert ready, f"no end after {PATIENCE_SECONDS} s; the log: {self.text}"
        end = self._running.finish()
        os.close(self.bench.log_fd)
        return end

    def run(self, *, previous: Mapping[str, Any] | None = None, **options: Any) -> AttemptEnd:
        """Both."""
        self.start(previous=previous, **options)
        return self.finish()

    def stop(self, step: StopStep) -> None:
        """Take a step of its ending."""
        assert self._running is not None
        self._running.stop(step)

    @property
    def text(self) -> str:
        """The log of the last attempt."""
        return self.bench.log.read_text()


def oracle_source() -> Datasource:
    """The database under test as a connection of oracle.json."""
    from sqlalchemy.engine import make_url

    return replace(datasource_of(make_url(oracle_url())), name="siper_fisco")


class Database:
    """The database behind the attempts' back."""

    def __init__(self, source: Datasource) -> None:
        self.connection = oracledb.connect(
            user=source.user, password=source.password, dsn=source.connection_string
        )

    def execute(self, *statements: str) -> None:
        """Do this and commit."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
        self.connection.commit()

    def select(self, query: str, **binds: Any) -> list[tuple[Any, ...]]:
        """All rows."""
        with self.connection.cursor() as cursor:
            return list(cursor.execute(query, binds).fetchall())

    def drop(self, *what: str) -> None:
        """Remove what may be there."""
        for each in what:
            with self.connection.cursor() as cursor, suppress(oracledb.DatabaseError):  # what is not there
                cursor.execute(f"DROP {each}")

    def close(self) -> None:
        """Log off."""
        self.connection.close()
