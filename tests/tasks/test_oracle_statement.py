"""One statement as users of the origin write it."""

import pytest

from mflow.tasks.oracle.statement import Statement, read_command

_ORIGIN = "begin \n siper.test_data_gen.DESVIO_14_1; \n end;"


def test_the_origins_sample_runs_as_it_is() -> None:
    assert read_command(_ORIGIN) == Statement(_ORIGIN, is_block=True)


@pytest.mark.parametrize("end", ["\n/", "\n/\n", "\n  / \n\n", "\r\n/\r\n", "\n/\n/\n"])
def test_a_block_keeps_its_semicolon_and_loses_the_slash(end: str) -> None:
    assert read_command(_ORIGIN + end).text == _ORIGIN


@pytest.mark.parametrize(
    "end", ["", ";", " ; ", ";\n", ";\n/", "\n/", ";;", "; -- done", ";\n/* done */\n/\n"]
)
def test_a_statement_loses_both(end: str) -> None:
    assert read_command(f"update t set a = ';' || 1/2{end}").text.startswith("update t set a = ';' || 1/2")
    assert not read_command(f"update t set a = ';' || 1/2{end}").text.endswith((";", "/"))


def test_execute_is_understood() -> None:
    assert read_command("exec siper.p(1);") == Statement("BEGIN siper.p(1); END;", is_block=True)
    assert read_command("exec siper.p(1,\n  2);\n/").text == "BEGIN siper.p(1,\n  2); END;"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" -- nothing\n", "empty"),
        ("/", "empty"),
        ("delete from a; delete from b;", "several statements"),
        ("delete from a;\nbegin null; end;\n/", "several statements"),
        ("set serveroutput on\nbegin null; end;", "SET serveroutput on"),
        ("@x.sql", "@x.sql"),
    ],
)
def test_what_is_no_single_statement_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=r"several|empty|SQL\*Plus") as caught:
        read_command(text)
    assert said in str(caught.value)


def test_what_mflow_does_not_know_is_for_the_database_to_judge() -> None:
    assert read_command("frobnicate the table;").text == "frobnicate the table"


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("begin null; end;", "PL/SQL block"),
        ("<<a>> begin null; end;", "PL/SQL block"),
        ("declare x number; begin null; end;", "PL/SQL block"),
        ("/* x */ insert into t values (1)", "INSERT"),
        ("create or replace procedure p is begin null; end;", "CREATE PROCEDURE"),
        ("create table t (a number)", "CREATE TABLE"),
        ("(select 1 from dual)", "SELECT"),
    ],
)
def test_titles(text: str, title: str) -> None:
    assert read_command(text).title == title


@pytest.mark.parametrize(
    ("text", "commits"),
    [
        ("commit", True),
        ("create table t (a number)", True),
        ("create or replace procedure p is begin commit; end;", True),
        ("begin p; commit; end;", True),
        ("begin p; -- commit\n end;", False),
        ("insert into commit_log values ('commit')", False),
        ("alter session set nls_date_format = 'YYYY'", False),
        ("alter table t add b number", True),
        ("truncate table t", True),
        ("rollback", False),
    ],
)
def test_what_commits_by_itself(text: str, commits: bool) -> None:
    assert read_command(text).commits is commits


@pytest.mark.parametrize(
    "text",
    [
        "insert into commit_log values ('commit')",
        "update t set a = f(a)",
        "merge into t using u on (t.a = u.a) when matched then update set b = 1",
        "select f(a) from t",
        "with x as (select 1 a from dual) select * from x",
        "with function f return number is begin return 1; end; select f from dual",
        "lock table t in exclusive mode",
        "alter session set nls_date_format = 'YYYY'",
        "begin null; end;",
        "begin update t set a = 1; /* commit; */ delete from u; end;",
        "begin insert into t values (f(1)); dbms_output.put_line('done'); sys.dbms_session.sleep(:n); end;",
    ],
)
def test_what_commits_nothing_by_itself(text: str) -> None:
    assert not read_command(text).may_commit


@pytest.mark.parametrize(
    "text",
    [
        "begin p; end;",
        "begin insert into t values (1); commit; end;",
        "begin siper.p(1); end;",
        "begin dbms_output.put_line(f); end;",
        "begin dbms_output.put_line(f(1)); end;",
        'begin dbms_output.put_line("F"); end;',
        "begin dbms_lock.allocate_unique('x', :h); end;",
        "begin execute immediate 'truncate table t'; end;",
        "declare x number := f; begin null; end;",
        "begin if f then null; end if; end;",
        "begin update t set a = 1; exception when others then p; end;",
        "begin begin commit; end; end;",
        "<<a>> begin null; end;",
        "call p()",
        "exec p(1)",
        "commit",
        "truncate table t",
        "create table t (a number)",
        "alter system kill session '1,2'",
        "create procedure p is begin null; end;",
        "grant select on t to u",
    ],
)
def test_what_may_commit_by_itself(text: str) -> None:
    assert read_command(text).may_commit
