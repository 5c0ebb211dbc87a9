"""A worker killed in each phase of an oracle attempt, through the whole program: nothing committed is done twice."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.project import Project
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Database, oracle_source
from tests.tasks.oracle_site import Start, holder_of, install_kill, wait_until, with_connections

pytestmark = pytest.mark.oracle

_INSERT = "insert into task_rows values (1)"
_OWN_COMMIT = f"begin {_INSERT}; commit; update task_rows set a = a where a = 0; {_INSERT}; commit; end;"
"""Waits, in the middle, for whoever has the row 0 locked."""


@pytest.fixture(autouse=True)
def orphans(control: Control) -> Iterator[None]:
    """A call goes on when its client is gone, as in a real database; after the test none is left."""
    before = control("options")
    control("options", orphans=True)
    yield
    control("options", **before)


def _log(project: Project, attempt: int) -> Path:
    return project.folder / "logs" / "run-1" / f"load.{attempt}.log"


def _says(project: Project, words: str, attempt: int = 1) -> bool:
    log = _log(project, attempt)
    return log.exists() and words in log.read_text()


def _kill_worker(project: Project, attempt: int = 1) -> None:
    os.kill(holder_of(str(_log(project, attempt))), signal.SIGKILL)


def _task(project: Project) -> Any:
    (task,) = project.mflow("status", "--json").json["tasks"]
    return task


def _in_call(control: Control, words: str) -> bool:
    return any(words in (each["sql"] or "") for each in control("sessions") if each["module"] == "mflow")


def _rows(database: Database) -> list[int]:
    return sorted(int(row[0]) for row in database.select("SELECT a FROM task_rows"))


def _waits(database: Database) -> bool:
    """Whether a task's session waits for the row."""
    return bool(database.select("SELECT 1 FROM v$session WHERE module = 'mflow' AND event LIKE 'enq: TX%'"))


def _load(project: Project, command: str, **keys: Any) -> None:
    project.tasks(load={"type": "oracle", "command": command, "db": "siper_fisco", "retries": 1, **keys})


def test_a_block_with_a_commit_of_its_own_is_not_run_again(
    project: Project, start: Start, database: Database, control: Control, locked: Database
) -> None:
    _load(project, _OWN_COMMIT)
    supervisor = start("run")
    wait_until(lambda: _waits(database))
    _kill_worker(project)
    _, err = supervisor.communicate(timeout=PATIENCE_SECONDS)
    assert supervisor.returncode == 1, err
    task = _task(project)
    assert (task["state"], task["outcome"]) == ("FAILED", "UNKNOWN")
    assert "a statement was sent that may commit by itself" in task["message"]
    assert _rows(database) == [0, 1]
    locked.connection.commit()
    wait_until(lambda: not control("orphans"))
    assert _rows(database) == [0, 1, 1]  # the call went on, and nothing came beside it
    assert project.mflow("resume", "1").code == 1
    assert (_task(project)["outcome"], _rows(database)) == ("UNKNOWN", [0, 1, 1])


def test_a_commit_that_a_procedure_hides_is_not_run_again(
    project: Project, start: Start, database: Database, control: Control, locked: Database
) -> None:
    database.execute(f"CREATE PROCEDURE mflow_test_p IS {_OWN_COMMIT}")
    _load(project, "begin mflow_test_p; end;")
    supervisor = start("run")
    wait_until(lambda: _waits(database))
    _kill_worker(project)
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 1
    assert (_task(project)["outcome"], _rows(database)) == ("UNKNOWN", [0, 1])


def test_without_a_retry_the_resume_finds_it_out(
    project: Project, start: Start, database: Database, control: Control, locked: Database
) -> None:
    _load(project, _OWN_COMMIT, retries=0)
    supervisor = start("run")
    wait_until(lambda: _waits(database))
    supervisor.kill()
    _kill_worker(project)
    supervisor.communicate()
    assert project.mflow("resume", "1").code == 1
    assert (_task(project)["outcome"], _rows(database)) == ("UNKNOWN", [0, 1])


def test_an_idempotent_task_is_run_again_once_the_call_is_ended(
    project: Project, start: Start, database: Database, control: Control, locked: Database
) -> None:
    _load(project, _OWN_COMMIT, idempotent=True)
    supervisor = start("run")
    wait_until(lambda: _waits(database))
    _kill_worker(project)
    wait_until(lambda: _says(project, " is gone", 2))
    assert not control("orphans")
    locked.connection.commit()
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 0
    assert (_task(project)["attempts"], _rows(database)) == (2, [0, 1, 1, 1])


def test_while_the_session_is_made_ready_nothing_was_sent(
    project: Project, start: Start, database: Database, control: Control
) -> None:
    with_connections(
        project,
        oracle_source(),
        session_sql=["alter session set nls_date_format = 'YYYY-MM-DD'", "begin null; end;"],
    )
    control("fail", regex="(?i)begin null", action="none", seconds=PATIENCE_SECONDS, when="before")
    _load(project, f"begin {_INSERT}; commit; end;")
    supervisor = start("run")
    wait_until(lambda: _in_call(control, "begin null"))
    _kill_worker(project)
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 0
    assert (_task(project)["attempts"], _rows(database)) == (2, [1])


def test_before_the_first_statement_nothing_was_sent(
    project: Project, start: Start, database: Database, control: Control
) -> None:
    """The state database is locked, so the session's identity is not kept yet."""
    _load(project, f"begin {_INSERT}; commit; end;")
    control("fail", regex="(?i)unique_session_id", action="none", seconds=1, when="before")
    supervisor = start("run")
    wait_until(lambda: _in_call(control, "unique_session_id"))
    with closing(sqlite3.connect(project.folder / "mflow.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        wait_until(lambda: _says(project, "mflow: ready"))
        _kill_worker(project)
        other.execute("ROLLBACK")
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 0
    assert (_task(project)["attempts"], _rows(database)) == (2, [1])


@pytest.mark.parametrize(("when", "rows"), [("before", []), ("after", [1])])
def test_in_its_commit_it_is_unknown(
    project: Project, start: Start, database: Database, control: Control, when: str, rows: list[int]
) -> None:
    control("drop_commit", how="silent", when=when, module="mflow", hold=0.5)
    _load(project, _INSERT)
    supervisor = start("run")
    wait_until(lambda: _says(project, "mflow: committing"))
    _kill_worker(project)
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 1
    assert _task(project)["outcome"] == "UNKNOWN"
    wait_until(lambda: not control("orphans"))
    assert _rows(database) == rows


def test_what_commits_nothing_by_itself_is_run_again_in_the_middle_of_a_script_too(
    project: Project, start: Start, database: Database, control: Control
) -> None:
    control("fail", regex="(?i)^update task_rows", action="none", seconds=PATIENCE_SECONDS, when="before")
    project.file("two.sql", f"{_INSERT};\nupdate task_rows set a = 2;\n")
    keys = {"type": "oracle", "script": "two.sql", "db": "siper_fisco", "retries": 1}
    project.tasks(load=keys)
    supervisor = start("run")
    wait_until(lambda: _in_call(control, "update"))
    _kill_worker(project)
    assert supervisor.wait(timeout=PATIENCE_SECONDS) == 0
    assert (_task(project)["attempts"], _rows(database)) == (2, [2])


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_session_of_a_changed_user_is_not_taken_for_gone(
    project: Project, start: Start, database: Database, control: Control, locked: Database, idempotent: bool
) -> None:
    """By the function that a DBA has installed, which may tell a user of his own sessions only."""
    install_kill(database)
    user = f"MFLOW_U{os.urandom(4).hex().upper()}"
    control("create_user", user=user, password="Secret_1")
    _load(project, _OWN_COMMIT, retries=0, idempotent=idempotent)
    supervisor = start("run")
    wait_until(lambda: _waits(database))
    supervisor.kill()
    _kill_worker(project)
    supervisor.communicate()
    with_connections(project, replace(oracle_source(), user=user, password="Secret_1", schema="MFLOW"))
    control("grant", user="MFLOW", privilege="SELECT ON GV$SESSION")
    for name in ("MFLOW_KILL_SESSION", "MFLOW_SESSION_STATE"):
        control("grant", user=user, privilege=f"EXECUTE ON MFLOW.{name}")
    control("options", enforce_privileges=True)
    assert project.mflow("resume", "1").code == 1
    task = _task(project)
    assert task["outcome"] == "UNKNOWN"
    assert "is still there; a DBA ends it with: ALTER SYSTEM KILL SESSION" in task["message"]
    assert _rows(database) == [0, 1]
