"""Beside the tables of the tool that mflow takes the place of, in one schema: they stay as they are.

Of them only the names are known, and that TASKS_MASTER may have a numeric ID.
"""

from collections.abc import Iterator

import pytest

from mflow.core.errors import RunNotFound, StoreRefused
from mflow.store import admin
from tests.store.databases import Database
from tests.store.samples import create, running

pytestmark = pytest.mark.oracle

ROWS = "SELECT id, name FROM tasks_master ORDER BY 1"
TASKS = "SELECT id, master, state FROM tasks ORDER BY 1"


@pytest.fixture
def origin(oracle: Database) -> Iterator[Database]:
    """A schema that the old tool has worked in."""
    oracle.execute(
        "CREATE TABLE tasks_master (id NUMBER NOT NULL, name VARCHAR2(100), CONSTRAINT tm_pk PRIMARY KEY (id))",
        "CREATE TABLE tasks (id NUMBER, master NUMBER, state VARCHAR2(20))",
        "INSERT INTO tasks_master (id, name) VALUES (7, 'c1.json')",
        "INSERT INTO tasks (id, master, state) VALUES (1, 7, 'SUCCESS')",
    )
    yield oracle
    oracle.execute("DROP TABLE tasks", "DROP TABLE tasks_master")


def last_of_origin(origin: Database, number: int) -> None:
    origin.execute(f"INSERT INTO tasks_master (id, name) VALUES ({number}, 'c2.json')")


def test_ids_go_on_above_theirs(origin: Database) -> None:
    store = origin.open()
    last = create(store).id + 25_000
    last_of_origin(origin, last)
    first = create(store)
    assert first.id > last
    assert create(store).id > first.id
    last_of_origin(origin, first.id + 100)  # the old tool is still in use
    assert create(origin.open()).id > first.id + 100


def test_run_found_only_there_is_one_of_the_old_tool(origin: Database) -> None:
    store = origin.open()
    for call in (store.read_run, store.read_definition):
        with pytest.raises(RunNotFound, match="run 7 is a run of the old tool") as caught:
            call(7)
        assert "TASKS_MASTER" in caught.value.hint
    with pytest.raises(RunNotFound, match="no run 8"):
        store.read_run(8)


def test_their_tables_stay_as_they_are(origin: Database) -> None:
    before = origin.select(ROWS), origin.select(TASKS)
    admin.upgrade(origin.where)
    store = origin.open()
    run = running(store)
    store.list_runs()
    store.read_tasks(run.id)
    assert (origin.select(ROWS), origin.select(TASKS)) == before


def test_id_out_of_reach_is_named_with_its_cure(origin: Database) -> None:
    last_of_origin(origin, 20_260_329_120_000)
    store = origin.open()
    with pytest.raises(StoreRefused, match="20260329120000") as caught:
        create(store)
    assert "ALTER SEQUENCE mflow_runs_seq RESTART START WITH 20260329120001" in caught.value.hint
    assert store.list_runs() == []


def test_master_table_of_unknown_shape_is_passed_over(oracle: Database) -> None:
    oracle.execute("CREATE TABLE tasks_master (id VARCHAR2(40), other NUMBER)")
    try:
        store = oracle.open()
        create(store)
        with pytest.raises(RunNotFound, match="no run 987654321"):
            store.read_run(987654321)
    finally:
        oracle.execute("DROP TABLE tasks_master")
