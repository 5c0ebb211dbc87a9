"""Fixtures: attempts of an oracle task against the Oracle under test."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.project import Project
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Attempts, Database, oracle_source
from tests.tasks.oracle_site import Start, with_connections


@pytest.fixture
def database() -> Iterator[Database]:
    """The database behind the attempts' back, with an empty table TASK_ROWS (A NUMBER)."""
    database = Database(oracle_source())
    database.drop("TABLE task_rows", "PROCEDURE mflow_test_p", "PROCEDURE mflow_kill_session")
    database.drop("FUNCTION mflow_session_state", "PACKAGE mflow_test_data_gen")
    database.execute("CREATE TABLE task_rows (a NUMBER)")
    yield database
    database.close()


@pytest.fixture
def attempts(tmp_path: Path, database: Database) -> Attempts:
    """Attempts in a folder of their own."""
    return Attempts(tmp_path, oracle_source())


@pytest.fixture
def control(database: Database) -> Iterator[Control]:
    """What injects faults into the stand-in; after the test there are none, and the stand-in has had no defect."""
    if "MFLOW_TEST_ORACLE_CONTROL" not in os.environ:
        pytest.skip("faults can be injected into a stand-in only: MFLOW_TEST_ORACLE_CONTROL is not set")
    control = Control(os.environ["MFLOW_TEST_ORACLE_CONTROL"])
    control.calm()
    yield control
    control.calm()
    control("kill", module="mflow")  # what a dead client has left
    assert control("internal_errors") == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A folder whose oracle.json names the database under test."""
    return with_connections(Project(tmp_path), oracle_source())


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Starts mflow; what a failed test leaves running is stopped."""
    started: list[subprocess.Popen[str]] = []

    def begin(*words: str) -> "subprocess.Popen[str]":
        started.append(project.start(*words))
        return started[-1]

    yield begin
    for each in started:
        if each.poll() is None:
            each.terminate()
        each.communicate(timeout=PATIENCE_SECONDS)


@pytest.fixture
def locked(database: Database) -> Iterator[Database]:
    """One row, 0, that another session has locked until it commits."""
    database.execute("INSERT INTO task_rows VALUES (0)")
    other = Database(oracle_source())
    with other.connection.cursor() as cursor:
        cursor.execute("UPDATE task_rows SET a = a")
    yield other
    other.close()
