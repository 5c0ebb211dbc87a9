"""How a task's session is opened, read and cancelled: settings, breaks, round trips; and which session is which."""

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest

from mflow.core.contracts import StopStep
from mflow.core.states import Outcome
from mflow.tasks.oracle.fate import Fate, open_watch
from mflow.tasks.oracle.session import Marks, SessionId
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Attempts, Database, oracle_source

pytestmark = pytest.mark.oracle

_INSERT = "INSERT INTO task_rows VALUES (1)"


def _await(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


# --------------------------------------------------------------------------------------------- session_sql


def test_settings_are_made_before_anything_is_sent(attempts: Attempts, control: Control) -> None:
    attempts.source = replace(
        attempts.source, session_sql=("alter session set nls_date_format = 'YYYY';", "begin null; end;")
    )
    assert attempts.run(command=_INSERT).ok
    sent = [
        each["sql"] for each in control("transcript") if each["module"] == "mflow" and each["kind"] == "sql"
    ]
    assert sent[1:4] == ["alter session set nls_date_format = 'YYYY'", "begin null; end;", _INSERT]


def test_a_setting_that_fails_ends_the_attempt_with_its_error(attempts: Attempts, database: Database) -> None:
    settings = ("alter session set nls_date_format = 'YYYY'", "begin nobody.knows_it; end;")
    attempts.source = replace(attempts.source, session_sql=settings)
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-06550", False)
    assert (end.message or "").startswith("session_sql, statement 2: ORA-06550: ")
    assert attempts.bench.recorded == []
    assert database.select("SELECT a FROM task_rows") == []


def test_settings_that_are_no_statement_start_nothing(attempts: Attempts) -> None:
    attempts.source = replace(attempts.source, session_sql=("commit; commit",))
    end = attempts.run(command=_INSERT)
    assert end.outcome is Outcome.NOT_STARTED
    assert "session_sql of the connection 'siper_fisco': the command holds several statements" in (
        end.message or ""
    )


# -------------------------------------------------------------------------------------------------- breaks


@pytest.mark.parametrize("disabled", [False, True])
def test_breaks_go_in_band_if_so_told(attempts: Attempts, control: Control, disabled: bool) -> None:
    attempts.source = replace(attempts.source, disable_oob=disabled)
    seen: list[bool] = []

    def look(facts: object) -> bool:
        seen.extend(each["oob"] for each in control("sessions") if each["module"] == "mflow")
        return True

    attempts.keep = look
    assert attempts.run(command=_INSERT).ok
    assert seen == [not disabled]


def _stopped(attempts: Attempts, control: Control, command: str) -> Any:
    attempts.start(command=command)
    _await(lambda: any("SLEEP" in (each["sql"] or "") for each in control("sessions")))
    attempts.stop(StopStep.ASK)
    return attempts.finish()


def test_a_cancel_wrapped_by_parallel_query_is_a_stop(attempts: Attempts, control: Control) -> None:
    control("wrap_cancel")
    end = _stopped(attempts, control, "BEGIN DBMS_SESSION.SLEEP(50); END;")
    assert (end.outcome, end.error) == (Outcome.CANCELLED, "ORA-01013")
    assert "ORA-12801" in attempts.text


# --------------------------------------------------------------------------------------------- round trips


@pytest.mark.parametrize(
    ("rows", "fetch", "calls"), [(0, None, 0), (999, None, 0), (2345, None, 2), (100_000, 20, 0), (5, 20, 0)]
)
def test_rows_come_with_the_call_and_then_by_the_thousand(
    tmp_path: Path, database: Database, control: Control, rows: int, fetch: int | None, calls: int
) -> None:
    made: list[int] = []

    class Counting(oracledb.Connection):
        def close(self) -> None:
            made.extend(each["calls"] for each in control("sessions") if each["sid"] == self.session_id)
            super().close()

    driver = SimpleNamespace(**{**vars(oracledb), "connect": partial(oracledb.connect, conn_class=Counting)})
    attempts = Attempts(tmp_path, oracle_source(), lambda: driver)
    assert attempts.run(command="begin null; end;").ok
    command = f"select level from dual connect by level <= {rows}" if rows else "select a from task_rows"
    assert attempts.run(command=command, fetch=fetch).ok
    _await(lambda: len(made) == 2)
    assert made[1] - made[0] == calls


# ------------------------------------------------------------------------------------ which session it is


@pytest.fixture
def target(database: Database) -> SessionId:
    """The session of `database`, as an attempt would have recorded it."""
    said = "SYS_CONTEXT('USERENV', '{}')"
    names = ("SESSION_USER", "SESSIONID", "DB_UNIQUE_NAME", "CON_NAME", "SERVER_HOST")
    ((user, audit_id, name, pdb, host),) = database.select(
        f"SELECT {', '.join(said.format(each) for each in names)} FROM dual"
    )
    ((sid, serial),) = database.select(
        "SELECT sid, serial# FROM v$session WHERE sid = SYS_CONTEXT('USERENV', 'SID')"
    )
    return SessionId(int(sid), int(serial), 1, user, "", "", audit_id, name, pdb, host)


@pytest.mark.parametrize(
    ("changes", "fate"),
    [
        ({}, Fate.ALIVE),
        ({"serial": 999_999}, Fate.GONE),
        ({"audit_id": "999999"}, Fate.GONE),  # SID and SERIAL# are another session's by now
        ({"database": "ANOTHER"}, Fate.ELSEWHERE),
        ({"database": ""}, Fate.ELSEWHERE),
        ({"pdb": "ANOTHER"}, Fate.ELSEWHERE),
        ({"host": "another"}, Fate.ELSEWHERE),
        ({"serial": 999_999, "database": "ANOTHER"}, Fate.ELSEWHERE),
        ({"serial": 999_999, "instance": 2, "host": "another"}, Fate.GONE),  # GV$SESSION shows all instances
    ],
)
def test_a_session_is_looked_for_where_it_was(target: SessionId, changes: dict[str, Any], fate: Fate) -> None:
    watch = open_watch(oracledb, oracle_source(), Marks("7/load", "mflow:x"))
    assert watch.fate(replace(target, **changes)) is fate
    watch.close()


def test_what_was_elsewhere_is_never_killed_here(
    target: SessionId, database: Database, control: Control
) -> None:
    watch = open_watch(oracledb, oracle_source(), Marks("7/load", "mflow:x"))
    assert "was in another database" in watch.kill(replace(target, database="ANOTHER"))
    watch.close()
    assert not control("transcript", regex="(?i)kill")


def test_another_start_of_the_instance_proves_the_end(target: SessionId) -> None:
    watch = open_watch(oracledb, oracle_source(), Marks("7/load", "mflow:x"))
    session = watch._session  # the stand-in does not tell when it was started
    session.identity = replace(session.identity, started="2024-05-06 08:00:00")
    assert watch.fate(replace(target, started="2024-05-06 08:00:00")) is Fate.ALIVE
    assert watch.fate(replace(target, started="2024-05-05 08:00:00")) is Fate.GONE
    assert watch.fate(target) is Fate.ALIVE
    watch.close()


# -------------------------------------------------------------------------------- an attempt before this


def test_an_attempt_in_another_database_is_unknown(
    attempts: Attempts, control: Control, database: Database
) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    facts = {"oracle": {**attempts.bench.facts["oracle"], "database": "ANOTHER"}}
    end = attempts.run(command=_INSERT, previous=facts)
    assert (end.outcome, end.retry_safe) == (Outcome.UNKNOWN, False)
    assert "was in another database or instance than this connection leads to now" in (end.message or "")
    assert "it was in instance 1 on localhost of database ANOTHER" in (end.message or "")
    assert database.select("SELECT a FROM task_rows") == []


def test_a_text_that_cannot_be_run_does_not_forget_an_earlier_session(
    attempts: Attempts, control: Control
) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    facts = dict(attempts.bench.facts)
    end = attempts.run(script="not_there.sql", previous=facts)
    assert (end.outcome, attempts.bench.facts) == (Outcome.UNKNOWN, facts)
    assert (end.message or "").startswith("cannot start: No such file or directory: ")


def test_a_log_that_cannot_take_the_mark_leaves_that_to_the_state_database(
    attempts: Attempts, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mflow.tasks.oracle.log.Log.mark", lambda *_, **__: False)  # its disk is full
    kept: list[tuple[Any, list[Any]]] = []

    def keep(facts: Any) -> bool:
        kept.append((facts["oracle"]["log"], database.select("SELECT a FROM task_rows")))
        return True

    attempts.keep = keep
    command = "BEGIN INSERT INTO task_rows VALUES (1); COMMIT; END;"
    assert attempts.run(command=command).ok
    assert kept == [(str(attempts.bench.log), []), (None, [])]
    assert attempts.run(command=command, previous=attempts.bench.facts).outcome is Outcome.UNKNOWN
    assert database.select("SELECT a FROM task_rows") == [(1,)]
