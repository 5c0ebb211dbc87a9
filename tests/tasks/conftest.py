"""Fixtures: attempts of an oracle task against the Oracle under test."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.store.databases import Control
from tests.tasks.oracle_bench import Attempts, Database, oracle_source


@pytest.fixture
def database() -> Iterator[Database]:
    """The database behind the attempts' back, with an empty table MFLOW_TEST_T (A NUMBER)."""
    database = Database(oracle_source())
    database.drop("TABLE mflow_test_t", "PROCEDURE mflow_test_p", "PROCEDURE mflow_kill_session")
    database.drop("FUNCTION mflow_session_state", "PACKAGE mflow_test_data_gen")
    database.execute("CREATE TABLE mflow_test_t (a NUMBER)")
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
    assert control("internal_errors") == []
