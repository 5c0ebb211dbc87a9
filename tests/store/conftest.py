"""Fixtures: a database of each kind, with mflow's tables and no rows in them."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mflow.store.repository import SqlStore
from tests.store.databases import Control, Database, oracle_url


@pytest.fixture(params=["sqlite", "given", pytest.param("oracle", marks=pytest.mark.oracle)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of every kind in turn."""
    if request.param == "oracle":
        yield from _emptied(request.getfixturevalue("oracle_place"))
    elif request.param == "sqlite":
        yield from _emptied(f"sqlite:///{tmp_path}/mflow.db")
    else:
        if "MFLOW_TEST_DATABASE" not in os.environ:
            pytest.skip("no further database: MFLOW_TEST_DATABASE is not set")
        yield from _emptied(os.environ["MFLOW_TEST_DATABASE"])


@pytest.fixture
def store(database: Database) -> SqlStore:
    """A store on it."""
    return database.open()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """A SQLite file that is not there yet."""
    yield from _closed(Database(f"sqlite:///{tmp_path}/mflow.db"))


@pytest.fixture
def oracle_place() -> str:
    """The Oracle under test. Nothing disturbs it."""
    if "MFLOW_TEST_ORACLE_CONTROL" in os.environ:
        Control(os.environ["MFLOW_TEST_ORACLE_CONTROL"]).calm()
    return oracle_url()


@pytest.fixture
def oracle(oracle_place: str) -> Iterator[Database]:
    """An Oracle database."""
    yield from _emptied(oracle_place)


@pytest.fixture
def control(oracle: Database) -> Iterator[Control]:
    """What injects faults into it; after the test there are none, and the stand-in itself has had no defect."""
    if "MFLOW_TEST_ORACLE_CONTROL" not in os.environ:
        pytest.skip("faults can be injected into a stand-in only: MFLOW_TEST_ORACLE_CONTROL is not set")
    control = Control(os.environ["MFLOW_TEST_ORACLE_CONTROL"])
    yield control
    control.calm()
    assert control("internal_errors") == []


def _emptied(where: str) -> Iterator[Database]:
    database = Database(where)
    database.empty()
    yield from _closed(database)


def _closed(database: Database) -> Iterator[Database]:
    yield database
    database.close()
