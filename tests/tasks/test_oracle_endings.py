"""Stopping an attempt, losing its connection, and the attempt after one that was never proven over."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mflow.core.contracts import StopStep
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Attempts, Database
from tests.tasks.oracle_site import install_kill

pytestmark = [
    pytest.mark.oracle,
    # The driver leaves the socket of a connection that was reset to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_SAY_SO = "DBMS_APPLICATION_INFO.SET_CLIENT_INFO('asleep')"
_SLEEP = f"BEGIN INSERT INTO task_rows VALUES (1); {_SAY_SO}; DBMS_SESSION.SLEEP(50); END;"
_INSERT = "INSERT INTO task_rows VALUES (1)"


def _await_call(database: Database, attempts: Attempts) -> None:
    """Until the statement sleeps in the database, as V$SESSION says."""
    query = "SELECT 1 FROM v$session WHERE sid = :sid AND serial# = :serial AND client_info = 'asleep'"
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        facts = attempts.bench.facts.get("oracle")
        if facts and database.select(query, sid=facts["sid"], serial=facts["serial"]):
            return
        time.sleep(0.02)
    raise AssertionError(f"the call did not begin: {attempts.text}")


def _rows(database: Database) -> list[tuple[Any, ...]]:
    return database.select("SELECT a FROM task_rows")


# --------------------------------------------------------------------------------------------- stopping


@pytest.mark.parametrize("idempotent", [False, True])
def test_a_call_that_heeds_a_cancel_is_rolled_back(
    attempts: Attempts, database: Database, idempotent: bool
) -> None:
    attempts.start(command=_SLEEP, idempotent=idempotent)
    _await_call(database, attempts)
    attempts.stop(StopStep.ASK)
    end = attempts.finish()
    assert (end.outcome, end.message) == (Outcome.CANCELLED, "stopped; what was not committed is rolled back")
    assert end.retry_safe is idempotent
    assert "ORA-01013" in attempts.text
    assert "mflow: rolled back" in attempts.text
    assert _rows(database) == []


def test_output_from_before_the_cancel_is_kept(attempts: Attempts, database: Database) -> None:
    attempts.start(command=f"BEGIN DBMS_OUTPUT.PUT_LINE('so far'); {_SAY_SO}; DBMS_SESSION.SLEEP(50); END;")
    _await_call(database, attempts)
    attempts.stop(StopStep.ASK)
    assert attempts.finish().outcome is Outcome.CANCELLED
    assert "\nso far\n" in attempts.text


def test_stopped_between_two_statements_nothing_more_is_sent(
    attempts: Attempts, database: Database, tmp_path: Path
) -> None:
    (tmp_path / "two.sql").write_text(f"{_SLEEP}\n/\ninsert into task_rows values (2);\n")
    attempts.start(script="two.sql")
    _await_call(database, attempts)
    attempts.stop(StopStep.ASK)
    assert attempts.finish().outcome is Outcome.CANCELLED
    assert "mflow: INSERT" not in attempts.text
    assert _rows(database) == []


def test_stopped_before_the_call_nothing_is_sent(attempts: Attempts, database: Database) -> None:
    def stop(facts: Mapping[str, Any]) -> bool:
        attempts.stop(StopStep.ASK)
        return True

    attempts.keep = stop
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.message) == (
        Outcome.CANCELLED,
        "stopped before anything was sent to the database",
    )
    assert _rows(database) == []


def _stop_what_does_not_answer(
    attempts: Attempts, database: Database, control: Control, **options: Any
) -> AttemptEnd:
    """All three steps, while the network holds back every answer of the session."""
    attempts.start(command=_SLEEP, **options)
    _await_call(database, attempts)
    control("pause", seconds=PATIENCE_SECONDS, action="7/load")
    for step in StopStep:
        attempts.stop(step)
    return attempts.finish()


def test_a_call_that_does_not_end_is_killed_by_the_dbas_procedure(
    attempts: Attempts, database: Database, control: Control
) -> None:
    install_kill(database)
    end = _stop_what_does_not_answer(attempts, database, control)
    assert end.outcome is Outcome.CANCELLED
    assert end.message is not None
    assert end.message.endswith("was ended; what it had not committed is undone")
    facts = attempts.bench.facts["oracle"]
    named = f"session SID {facts['sid']}, SERIAL# {facts['serial']}, instance 1, user MFLOW"
    assert f"mflow: {named} was told to end\n" in attempts.text
    assert f"mflow: {named} is gone\n" in attempts.text
    assert control("transcript", regex="(?i)begin mflow_kill_session")
    assert not control("transcript", regex="(?i)^alter system")
    assert _rows(database) == []


def test_without_the_procedure_alter_system_is_tried(
    attempts: Attempts, database: Database, control: Control
) -> None:
    end = _stop_what_does_not_answer(attempts, database, control)
    assert end.outcome is Outcome.CANCELLED
    facts = attempts.bench.facts["oracle"]
    (sent,) = control("transcript", regex="(?i)^alter system")
    assert sent["sql"] == f"ALTER SYSTEM KILL SESSION '{facts['sid']},{facts['serial']},@1' IMMEDIATE"


@pytest.mark.parametrize("why", ["not wanted", "not granted"])
def test_what_must_not_be_killed_is_unknown_and_names_what_the_dba_needs(
    attempts: Attempts, database: Database, control: Control, why: str
) -> None:
    control("fail", regex="(?i)^alter system", code=1031)
    end = _stop_what_does_not_answer(attempts, database, control, kill_session=why != "not wanted")
    assert end.outcome is Outcome.UNKNOWN
    facts = attempts.bench.facts["oracle"]
    assert end.message == (
        f"its call did not end when told to; session SID {facts['sid']}, SERIAL# {facts['serial']}, instance 1, "
        f"user MFLOW is still there; a DBA ends it with: "
        f"ALTER SYSTEM KILL SESSION '{facts['sid']},{facts['serial']},@1' IMMEDIATE;"
    )
    assert ("ORA-01031" in attempts.text) is (why == "not granted")


def test_what_cannot_be_looked_up_is_unknown(
    attempts: Attempts, database: Database, control: Control
) -> None:
    attempts.start(command=_SLEEP)
    _await_call(database, attempts)
    control("fail", regex="(?i)from g?v\\$session", code=942, times=1000)
    control("fail", regex="(?i)^alter system", code=1031)
    control("pause", seconds=PATIENCE_SECONDS, action="7/load")
    for step in StopStep:
        attempts.stop(step)
    end = attempts.finish()
    assert end.outcome is Outcome.UNKNOWN
    assert end.message is not None
    assert "cannot be looked up by this user; a DBA ends it with: ALTER SYSTEM KILL SESSION" in end.message


def test_the_state_function_serves_where_the_views_are_not_granted(
    attempts: Attempts, database: Database, control: Control
) -> None:
    install_kill(database)
    attempts.start(command=_SLEEP)
    _await_call(database, attempts)
    control("fail", regex="(?i)^select status from g?v\\$session", code=942, times=1000)
    control("pause", seconds=PATIENCE_SECONDS, action="7/load")
    for step in StopStep:
        attempts.stop(step)
    end = attempts.finish()
    assert end.outcome is Outcome.CANCELLED
    assert " is gone\n" in attempts.text


def test_the_procedure_ends_only_sessions_of_mflow(database: Database) -> None:
    install_kill(database)
    ((sid, serial),) = database.select(
        "SELECT sid, serial# FROM v$session WHERE sid = SYS_CONTEXT('USERENV', 'SID')"
    )
    with pytest.raises(Exception, match="is none of yours that mflow has opened"):
        database.execute(f"BEGIN mflow_kill_session({sid}, {serial}, 1); END;")
    database.execute("BEGIN mflow_kill_session(1, 999999, 1); END;")  # not there: nothing to do


# ----------------------------------------------------------------------------------- no connection at all


def test_a_refused_login_is_not_tried_again(attempts: Attempts) -> None:
    attempts.source = replace(attempts.source, password="WrongPassword1")
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-01017", False)
    assert "mflow does not try again" in attempts.text
    assert "WrongPassword1" not in attempts.text


def test_a_database_that_is_not_there_may_be_tried_again(attempts: Attempts, control: Control) -> None:
    control("refuse", seconds=PATIENCE_SECONDS)
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-12541", True)
    assert end.message is not None
    assert end.message.startswith("no connection: DPY-6005: cannot connect to database")


def test_an_unknown_host_is_one_clear_line(attempts: Attempts) -> None:
    attempts.source = replace(attempts.source, connection_string="no-such-host.invalid:1521/x")
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-12545", True)


# ------------------------------------------------------------------------------------- lost connections


def test_a_deadlock_may_be_tried_again(attempts: Attempts, control: Control) -> None:
    control("fail", regex="(?i)^insert into task_rows", code=60)
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-00060", True)


def test_a_deadlock_after_a_commit_of_its_own_may_not(
    attempts: Attempts, control: Control, tmp_path: Path
) -> None:
    (tmp_path / "two.sql").write_text(f"{_INSERT};\ncommit;\ndelete from task_rows;\n")
    control("fail", regex="(?i)^delete", code=60)
    assert attempts.run(script="two.sql").retry_safe is False


@pytest.mark.parametrize("how", ["disconnect", "reset"])
def test_a_connection_lost_during_the_call_is_unknown(attempts: Attempts, control: Control, how: str) -> None:
    control("fail", regex="(?i)^insert into task_rows", action=how, when="after")
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.UNKNOWN, "DPY-4011", False)
    assert end.message is not None
    assert end.message.startswith(
        "the connection was lost during the call, so whether it took effect is not known"
    )
    assert "session SID " in end.message


def test_a_lost_call_of_an_idempotent_task_may_be_tried_again(
    attempts: Attempts, control: Control, database: Database
) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect", when="after")
    end = attempts.run(command=_INSERT, idempotent=True)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "DPY-4011", True)
    assert attempts.run(command=_INSERT, idempotent=True).ok
    assert _rows(database) == [(1,)]


def test_a_commit_whose_answer_was_lost_is_unknown(
    attempts: Attempts, control: Control, database: Database
) -> None:
    control("drop_commit", when="after", module="mflow")
    end = attempts.run(command=_INSERT)
    assert end.outcome is Outcome.UNKNOWN
    assert end.message is not None
    assert end.message.startswith("the connection was lost during the commit")
    assert _rows(database) == [(1,)]


def test_a_session_that_the_server_says_it_ended_is_an_error(
    attempts: Attempts, control: Control, database: Database
) -> None:
    attempts.start(command=_SLEEP)
    _await_call(database, attempts)
    control("kill", action="7/load", how="error")
    end = attempts.finish()
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "ORA-00028", False)
    assert _rows(database) == []


# --------------------------------------------------------------------------------- an attempt before this


def _abandoned(attempts: Attempts, database: Database, control: Control) -> Mapping[str, Any]:
    """What was recorded of an attempt whose worker is dead, while its session still works."""
    attempts.start(command=_SLEEP)
    _await_call(database, attempts)
    facts = dict(attempts.bench.facts)
    control("pause", seconds=PATIENCE_SECONDS, action="7/load")
    return facts


def test_an_earlier_session_is_ended_before_the_next_attempt(
    attempts: Attempts, database: Database, control: Control
) -> None:
    facts = _abandoned(attempts, database, control)
    second = Attempts(attempts.bench.log.parent, attempts.source)
    second.number = 1
    control("fail", regex="(?i)^insert", action="none")
    control("resume")
    control("clear_faults")
    end = second.run(command=_INSERT, previous=facts)
    assert end.ok
    assert f"session SID {facts['oracle']['sid']}, SERIAL# {facts['oracle']['serial']}" in second.text
    assert _rows(database) == [(1,)]
    assert attempts.finish().error == "ORA-00028"


def test_an_earlier_session_that_cannot_be_ended_stops_the_next_attempt(
    attempts: Attempts, database: Database, control: Control
) -> None:
    facts = _abandoned(attempts, database, control)
    second = Attempts(attempts.bench.log.parent, attempts.source)
    second.number = 1
    end = second.run(command=_INSERT, previous=facts, kill_session=False)
    assert (end.outcome, end.retry_safe) == (Outcome.UNKNOWN, False)
    assert end.message is not None
    assert end.message.startswith("not run, because of an earlier attempt: session SID ")
    assert "is still there; a DBA ends it with: ALTER SYSTEM KILL SESSION" in end.message
    assert second.bench.facts["oracle"] == facts["oracle"]  # so that the attempt after this one asks again
    control("kill", action="7/load", how="error")
    control("resume")
    assert attempts.finish().error == "ORA-00028"


def test_an_earlier_attempt_that_had_committed_is_not_run_again(
    attempts: Attempts, database: Database
) -> None:
    assert attempts.run(command=_INSERT).ok
    end = attempts.run(command=_INSERT, previous=attempts.bench.facts)
    assert end.ok
    assert end.message == "an earlier attempt had committed it before its worker died"
    assert _rows(database) == [(1,)]


def test_an_earlier_attempt_lost_in_its_commit_is_unknown(
    attempts: Attempts, database: Database, control: Control
) -> None:
    control("drop_commit", when="after", module="mflow")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    end = attempts.run(command=_INSERT, previous=attempts.bench.facts)
    assert end.outcome is Outcome.UNKNOWN
    assert end.message is not None
    assert "it was lost while it committed, so whether it took effect is not known" in end.message
    assert _rows(database) == [(1,)]
    assert attempts.run(command=_INSERT, previous=attempts.bench.facts, idempotent=True).ok
    assert _rows(database) == [(1,), (1,)]


def test_without_its_log_an_earlier_attempt_is_unknown(attempts: Attempts, control: Control) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    facts = attempts.bench.facts
    attempts.bench.log.unlink()
    end = attempts.run(command=_INSERT, previous=facts)
    assert end.outcome is Outcome.UNKNOWN
    assert end.message is not None
    assert "its log cannot be read" in end.message


def test_an_earlier_attempt_whose_session_is_gone_is_run_again(
    attempts: Attempts, database: Database, control: Control
) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    assert attempts.run(command=_INSERT, previous=attempts.bench.facts).ok
    assert _rows(database) == [(1,)]


def test_while_an_earlier_session_is_in_doubt_no_end_forgets_it(attempts: Attempts, control: Control) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    assert attempts.run(command=_INSERT).outcome is Outcome.UNKNOWN
    facts = attempts.bench.facts
    control("refuse", seconds=PATIENCE_SECONDS)
    end = attempts.run(command=_INSERT, previous=facts)
    assert end.outcome is Outcome.UNKNOWN
    assert attempts.bench.facts == facts
