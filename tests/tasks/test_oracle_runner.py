"""Attempts against an Oracle database: what is run, shown, committed, undone and said."""

from pathlib import Path

import pytest

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from tests.tasks.oracle_bench import Attempts, Database

pytestmark = pytest.mark.oracle

WELL = AttemptEnd(Outcome.EXITED, exit_code=0)


def test_the_origins_sample_runs_as_it_is(attempts: Attempts, database: Database) -> None:
    database.execute(
        "CREATE PACKAGE mflow_test_data_gen AS PROCEDURE desvio_14_1; END;",
        "CREATE PACKAGE BODY mflow_test_data_gen AS PROCEDURE desvio_14_1 IS BEGIN "
        "INSERT INTO task_rows VALUES (14.1); END; END;",
    )
    command = f"begin \n {attempts.source.user}.mflow_test_data_gen.DESVIO_14_1; \n end;"
    assert attempts.run(command=command) == WELL
    assert database.select("SELECT a FROM task_rows") == [(14.1,)]


@pytest.mark.parametrize("end", ["", ";", ";\n/\n"])
def test_a_statement_is_committed(attempts: Attempts, database: Database, end: str) -> None:
    assert attempts.run(command=f"INSERT INTO task_rows VALUES (1){end}").ok
    assert database.select("SELECT a FROM task_rows") == [(1,)]
    assert "mflow: INSERT: 1 row, " in attempts.text


def test_a_failure_is_rolled_back_and_told_with_code_message_and_stack(
    attempts: Attempts, database: Database
) -> None:
    database.execute(
        "CREATE PROCEDURE mflow_test_p IS BEGIN INSERT INTO task_rows VALUES (1); "
        "RAISE_APPLICATION_ERROR(-20001, 'no such period'); END;"
    )
    end = attempts.run(command="BEGIN mflow_test_p; END;")
    assert (end.outcome, end.error) == (Outcome.ERROR, "ORA-20001")
    assert end.message is not None
    assert end.message.startswith("ORA-20001: no such period; ORA-06512: at ")
    assert "MFLOW_TEST_P" in end.message
    assert end.retry_safe is False
    assert "mflow: PL/SQL block: failed, " in attempts.text
    assert "mflow: ORA-20001: no such period" in attempts.text
    assert "ORA-06512: at " in attempts.text
    assert "MFLOW_TEST_P" in attempts.text
    assert database.select("SELECT a FROM task_rows") == []


def test_no_row_is_a_number_too(attempts: Attempts) -> None:
    assert attempts.run(command="update task_rows set a = 2 where a = 1").ok
    assert "mflow: UPDATE: 0 rows, " in attempts.text


def test_an_unknown_procedure_is_told_in_one_line(attempts: Attempts) -> None:
    end = attempts.run(command="begin nobody.knows_it; end;")
    assert end.error == "ORA-06550"
    assert end.message is not None
    assert end.message.startswith("ORA-06550: line 1, column 7:; PLS-00201: identifier 'NOBODY.KNOWS_IT'")


def test_dbms_output_is_logged_without_limit(attempts: Attempts) -> None:
    loop = "FOR i IN 1 .. 2500 LOOP DBMS_OUTPUT.PUT_LINE('line ' || i); END LOOP;"
    assert attempts.run(command=f"BEGIN {loop} DBMS_OUTPUT.PUT_LINE(NULL); END;").ok
    lines = [line for line in attempts.text.splitlines() if not line.startswith("mflow: ")]
    assert lines == [*(f"line {no}" for no in range(1, 2501)), ""]


def test_dbms_output_is_logged_after_a_failure_too(attempts: Attempts) -> None:
    end = attempts.run(
        command="BEGIN DBMS_OUTPUT.PUT_LINE('reached'); RAISE_APPLICATION_ERROR(-20002, 'x'); END;"
    )
    assert end.error == "ORA-20002"
    assert "\nreached\n" in attempts.text


def test_a_long_line_of_output_is_whole(attempts: Attempts) -> None:
    assert attempts.run(command="BEGIN DBMS_OUTPUT.PUT_LINE(RPAD('x', 32000, 'x')); END;").ok
    assert "x" * 32000 in attempts.text


# --------------------------------------------------------------------------------------------------- rows


def test_the_first_rows_of_a_query_become_a_table(attempts: Attempts) -> None:
    command = (
        "SELECT LEVEL AS id, CASE WHEN LEVEL = 1 THEN NULL ELSE 'name ' || LEVEL END AS name "
        "FROM dual CONNECT BY LEVEL <= 5 ORDER BY 1"
    )
    assert attempts.run(command=command, fetch=3).ok
    assert (
        "ID  NAME\n--  ------\n1\n2   name 2\n3   name 3\nmflow: SELECT: the first 3 rows, " in attempts.text
    )


def test_all_rows_if_there_are_no_more(attempts: Attempts) -> None:
    assert attempts.run(command="SELECT 1 AS a FROM dual", fetch=5).ok
    assert "A\n-\n1\nmflow: SELECT: 1 row, " in attempts.text


def test_no_rows_are_a_table_too(attempts: Attempts) -> None:
    assert attempts.run(command="SELECT a FROM task_rows", fetch=5).ok
    assert "A\n-\nmflow: SELECT: 0 rows, " in attempts.text


def test_without_fetch_rows_are_read_and_counted(attempts: Attempts) -> None:
    assert attempts.run(command="SELECT LEVEL FROM dual CONNECT BY LEVEL <= 2345").ok
    assert "mflow: SELECT: 2345 rows read, " in attempts.text


def test_values_of_all_kinds_are_shown(attempts: Attempts) -> None:
    command = (
        "SELECT 12345678901234567890.123 AS n, TO_DATE('2024-05-06', 'YYYY-MM-DD') AS d, HEXTORAW('0aFF') AS r, "
        "TO_CLOB('a' || CHR(10) || 'b') AS c FROM dual"
    )
    assert attempts.run(command=command, fetch=1).ok
    assert "12345678901234567890.123  2024-05-06 00:00:00  0AFF  a b" in attempts.text


# -------------------------------------------------------------------------------------------------- binds


def test_binds_are_named_and_never_pasted(attempts: Attempts, database: Database) -> None:
    attempts.environ = {"PERIOD": "'; DROP TABLE task_rows"}
    database.drop("TABLE task_binds")
    database.execute("CREATE TABLE task_binds (a VARCHAR2(50), b NUMBER, c VARCHAR2(9))")
    end = attempts.run(
        command="INSERT INTO task_binds VALUES (:Period, :b, :c)",
        binds=[["period", "${PERIOD}"], ["B", 2.5], ["c", None]],
    )
    assert end == WELL
    assert database.select("SELECT a, b, c FROM task_binds") == [("'; DROP TABLE task_rows", 2.5, None)]
    database.drop("TABLE task_binds")


@pytest.mark.parametrize(
    ("binds", "said"),
    [
        ({}, "`binds` has no value for :A"),
        ({"a": 1, "b": 2}, "`binds`: nothing uses :B"),
        ({"a": "${NOT_THERE}"}, "binds.a: the environment variable NOT_THERE is not set"),
    ],
)
def test_wrong_binds_start_nothing(
    attempts: Attempts, database: Database, binds: dict[str, object], said: str
) -> None:
    end = attempts.run(command="INSERT INTO task_rows VALUES (:a)", binds=binds)
    assert (end.outcome, end.message) == (Outcome.NOT_STARTED, f"cannot start: {said}")
    assert database.select("SELECT a FROM task_rows") == []


# ------------------------------------------------------------------------------------------------ scripts


def test_a_script_is_one_transaction(attempts: Attempts, tmp_path: Path, database: Database) -> None:
    (tmp_path / "load.sql").write_text(
        "set serveroutput on\n"
        "prompt loading :x\n"
        "insert into task_rows values (:x);\n"
        "begin\n  dbms_output.put_line('in block;');\n  insert into task_rows values (2);\nend;\n/\n"
        "exec dbms_output.put_line('by exec')\n"
        "insert into task_rows select a from task_rows;\n",
        "utf-8",
    )
    assert attempts.run(script="load.sql", binds={"x": 1}) == WELL
    assert sorted(database.select("SELECT a FROM task_rows")) == [(1,), (1,), (2,), (2,)]
    text = attempts.text
    assert "mflow: line 1: SET serveroutput on of SQL*Plus is passed over\nloading :x\n" in text
    assert "mflow: line 3: INSERT\nmflow: INSERT: 1 row, " in text
    assert "mflow: line 4: PL/SQL block\nin block;\n" in text
    assert "\nby exec\n" in text
    assert "mflow: INSERT: 2 rows, " in text


def test_a_failing_statement_names_its_line_and_undoes_the_script(
    attempts: Attempts, tmp_path: Path, database: Database
) -> None:
    (tmp_path / "load.sql").write_text(
        "insert into task_rows values (1);\n\ninsert into mflow_test_no values (1);\ndelete from task_rows;\n"
    )
    end = attempts.run(script="load.sql")
    assert end.error == "ORA-00942"
    assert end.message == "line 3: ORA-00942: table or view does not exist"
    assert database.select("SELECT a FROM task_rows") == []


def test_what_sqlplus_alone_can_do_is_refused_before_anything_runs(
    attempts: Attempts, tmp_path: Path, database: Database
) -> None:
    (tmp_path / "load.sql").write_text("insert into task_rows values (1);\ncommit;\nspool x.txt\n@more.sql\n")
    end = attempts.run(script="load.sql")
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message is not None
    assert end.message.startswith("cannot start: load.sql: line 3: SPOOL of SQL*Plus cannot be honoured: ")
    assert "mflow: load.sql: line 4: @more.sql of SQL*Plus cannot be honoured: " in attempts.text
    assert database.select("SELECT a FROM task_rows") == []


# ------------------------------------------------------------------------------------ compilation errors


def test_compilation_errors_are_failures(attempts: Attempts) -> None:
    end = attempts.run(command="CREATE OR REPLACE PROCEDURE mflow_test_p IS BEGIN null END;\n/")
    assert (end.outcome, end.error) == (Outcome.ERROR, "ORA-24344")
    assert end.message is not None
    assert end.message.startswith("ORA-24344: PROCEDURE MFLOW_TEST_P line 1: PL")
    assert "mflow: PROCEDURE MFLOW_TEST_P line 1: PL" in attempts.text


# --------------------------------------------------------------------------------------------- the session


def test_the_session_is_marked_and_recorded_before_the_call(attempts: Attempts, database: Database) -> None:
    said = " || ' ' || ".join(
        f"SYS_CONTEXT('USERENV', '{name}')" for name in ("MODULE", "ACTION", "CLIENT_IDENTIFIER", "SID")
    )
    command = f"BEGIN INSERT INTO task_rows VALUES (1); COMMIT; DBMS_OUTPUT.PUT_LINE({said}); END;"
    kept: list[list[tuple[object, ...]]] = []

    def look(facts: object) -> bool:
        kept.append(database.select("SELECT a FROM task_rows"))
        return True

    attempts.keep = look
    assert attempts.run(command=command).ok
    assert kept == [[]]
    facts = attempts.bench.facts["oracle"]
    assert f"\nmflow 7/load mflow:{attempts.bench.run_uid}:0:1 {facts['sid']}\n" in attempts.text
    assert isinstance(facts["serial"], int)
    assert facts["instance"] == 1
    assert facts["db"] == "siper_fisco"
    assert facts["log"] == str(attempts.bench.log)


def test_nothing_is_sent_if_nobody_keeps_the_sessions_identity(
    attempts: Attempts, database: Database
) -> None:
    attempts.keep = lambda facts: False
    end = attempts.run(command="INSERT INTO task_rows VALUES (1)")
    assert end.outcome is Outcome.CANCELLED
    assert database.select("SELECT a FROM task_rows") == []
