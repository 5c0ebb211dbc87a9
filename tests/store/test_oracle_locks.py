"""Who holds a lock that mflow waits for is named, with what ends it: a dead session may hold it for hours."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mflow.core.errors import StoreUnavailable
from mflow.core.model import Batch, RunRow
from mflow.store import admin
from mflow.store.repository import SqlStore
from tests.store import older_tables
from tests.store.databases import Control, Database, oracle_url
from tests.store.samples import claim, running
from tests.store.test_migrations import drop_everything

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
]

BATCH = Batch(2, claims=(claim(0),))

DIES = """
import sys
from mflow.store.connect import open_store
store = open_store(sys.argv[1])
conn = store.dialect.begin(store.engine, int(sys.argv[2]), write=True)
conn.exec_driver_sql(f"UPDATE mflow_runs SET folder = folder WHERE id = {sys.argv[2]}")
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mflow.store.oracle_connect.CALL_SECONDS", 0.4)


@pytest.fixture
def store(oracle: Database, control: Control) -> SqlStore:
    return oracle.open()


@pytest.fixture
def run(store: SqlStore) -> RunRow:
    return running(store)


@pytest.fixture
def privileges(control: Control) -> Iterator[None]:
    """Nobody may look at V$SESSION who was not granted it."""
    control("options", enforce_privileges=True)
    yield
    control("options", enforce_privileges=False)


@pytest.fixture
def dead(run: RunRow, control: Control) -> Iterator[dict[str, object]]:
    """A session that has locked the run's row; its process was killed, which the server has not noticed."""
    control("options", dead_session_seconds=60)
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, oracle_url(), str(run.id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "locked\n"
    [session] = [each for each in control("sessions") if each["in_transaction"]]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    yield session
    control("options", dead_session_seconds=0)
    control("kill", sid=session["sid"], how="disconnect")


def test_dead_session_that_holds_the_row_is_named(
    store: SqlStore, run: RunRow, control: Control, dead: dict[str, object]
) -> None:
    name = f"{dead['sid']},{dead['serial']}"
    calls = (
        lambda: store.apply(run.id, 1, BATCH),
        lambda: store.heartbeat(run.id, 1),
        lambda: store.request_cancel(run.id, "ana"),
    )
    for call in calls:
        with pytest.raises(StoreUnavailable) as caught:
            call()
        assert f"the row of run {run.id} is locked by session {name} (user MFLOW, machine " in str(
            caught.value
        )
        assert f"mflow run {run.id}" in str(caught.value)
        assert f"ALTER SYSTEM KILL SESSION '{name}' IMMEDIATE ends it" in str(caught.value)
        assert "have a DBA end its session" in caught.value.hint
        assert not caught.value.applied_unknown
    with store.engine.connect() as conn:
        conn.exec_driver_sql(f"ALTER SYSTEM KILL SESSION '{name}' IMMEDIATE")
    store.apply(run.id, 1, BATCH)


@pytest.mark.usefixtures("dead", "privileges")
def test_without_the_privilege_it_is_said_what_a_dba_looks_for(store: SqlStore, run: RunRow) -> None:
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert "this user may not see whose" in str(caught.value)
    for words in ("blocking_session", "w.module = 'mflow'", "KILL SESSION", "GRANT SELECT ON v_$session"):
        assert words in caught.value.hint


@pytest.mark.usefixtures("privileges")
def test_one_grant_is_enough(store: SqlStore, run: RunRow, control: Control, dead: dict[str, object]) -> None:
    user = control("sessions")[0]["user"]
    control("grant", user=user, privilege="SELECT ON V$SESSION")
    try:
        with pytest.raises(StoreUnavailable, match=f"session {dead['sid']},{dead['serial']} "):
            store.apply(run.id, 1, BATCH)
    finally:
        control("revoke", user=user, privilege="SELECT ON V$SESSION")


def test_nobody_is_named_who_only_waits(
    oracle: Database, store: SqlStore, run: RunRow, control: Control, dead: dict[str, object]
) -> None:
    """Two wait for the row, one behind the other: both name the one who holds it."""
    process = subprocess.Popen(
        [sys.executable, "-c", DIES, oracle_url(), str(run.id)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        control_waits(control, 1)
        with pytest.raises(StoreUnavailable, match=f"locked by session {dead['sid']},{dead['serial']} "):
            store.apply(run.id, 1, BATCH)
    finally:
        process.kill()
        process.communicate()


def control_waits(control: Control, count: int) -> None:
    """Until so many sessions wait for a row of the runs."""
    while (
        sum(bool(each["active"]) and "UPDATE mflow_runs" in str(each["sql"]) for each in control("sessions"))
        < count
    ):
        pass


def test_lock_that_is_gone_names_nobody(store: SqlStore, run: RunRow, control: Control) -> None:
    control("fail", regex="UPDATE mflow_tasks", code=54)
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert "locked by" not in str(caught.value)
    store.apply(run.id, 1, BATCH)


# ------------------------------------------------------------------------------------------------ db upgrade


@pytest.fixture
def older(oracle: Database, tmp_path: Path) -> Iterator[Database]:
    """Tables of version 0001."""
    drop_everything(oracle.open())
    older_tables.make_oracle(oracle, tmp_path)
    yield oracle
    admin.upgrade(oracle.where)


def test_upgrade_says_who_holds_the_tables(older: Database, control: Control) -> None:
    with older.stores[0].engine.begin() as conn:
        conn.exec_driver_sql("UPDATE mflow_attempts SET message = 'x'")
        [session] = [each for each in control("sessions") if each["in_transaction"]]
        with pytest.raises(StoreUnavailable, match="ORA-00054") as caught:
            admin.upgrade(older.where)
    name = f"{session['sid']},{session['serial']}"
    assert f"the tables of mflow are locked by session {name} " in str(caught.value)
    assert f"KILL SESSION '{name}' IMMEDIATE" in str(caught.value)
    assert "mflow db upgrade" in caught.value.hint
    assert admin.upgrade(older.where)[1].up_to_date


def test_upgrade_waits_for_locks_and_for_a_statement_that_takes_long(
    older: Database, control: Control
) -> None:
    control("clear_transcript")
    control("fail", regex="CREATE INDEX", action="none", seconds=1.5)
    assert admin.upgrade(older.where)[1].up_to_date
    [(waits, first)] = [
        (int(each["sql"].rpartition("=")[2]), each["seq"])
        for each in control("transcript", regex="DDL_LOCK_TIMEOUT")
    ]
    assert waits >= 10
    assert all(each["seq"] > first for each in control("transcript", regex="^(ALTER TABLE|CREATE)"))
