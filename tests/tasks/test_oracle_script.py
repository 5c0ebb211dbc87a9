"""Scripts taken apart as SQL*Plus does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.tasks.oracle.scanning import Kind, scan
from mflow.tasks.oracle.script import Note, split
from mflow.tasks.oracle.statement import Statement


def _texts(script: str) -> list[str]:
    found = split(script)
    assert found.problems == ()
    return [step.text for step in found.steps if isinstance(step, Statement)]


def _problem(script: str) -> str:
    (problem,) = split(script).problems
    return problem


def test_sql_ends_at_a_semicolon_and_loses_it() -> None:
    assert _texts("insert into t values (1);\n\ncommit ;\n") == ["insert into t values (1)", "commit"]


def test_sql_ends_at_a_slash_too() -> None:
    assert _texts("select 1\nfrom dual\n/\nselect 2 from dual\n  /  \n") == [
        "select 1\nfrom dual",
        "select 2 from dual",
    ]


def test_a_slash_that_divides_ends_nothing() -> None:
    assert _texts("select 10 / 2\n, 4 /\n2 from dual;") == ["select 10 / 2\n, 4 /\n2 from dual"]


def test_a_block_ends_at_a_slash_and_keeps_its_semicolons() -> None:
    text = "declare\n  x number;\nbegin\n  x := 1;\n  p(x);\nend;\n/\nselect 1 from dual;"
    found = split(text).steps
    assert found == (
        Statement("declare\n  x number;\nbegin\n  x := 1;\n  p(x);\nend;", 1, is_block=True),
        Statement("select 1 from dual", 8),
    )


@pytest.mark.parametrize(
    "head",
    [
        "create procedure p is begin null; end;",
        "create or replace procedure p is begin null; end;",
        "CREATE OR REPLACE EDITIONABLE PACKAGE BODY p AS x number; END;",
        "create or replace /* no; */ function f return number is begin return 1; end;",
        "create trigger t before insert on x for each row begin :new.a := 1; end;",
        "create type t as object (a number);",
        "<<outer>> begin null; end;",
        "with function f return number is begin return 1; end; select f from dual",
    ],
)
def test_what_holds_plsql_is_read_up_to_the_slash(head: str) -> None:
    first, second = split(f"{head}\n/\nselect 1 from dual;").steps
    assert first == Statement(head, 1, is_block=True)
    assert isinstance(second, Statement)


def test_java_is_not_scanned_as_sql() -> None:
    head = "create or replace and compile java source named j as"
    java = f"{head}\npublic class J {{ // it's\n  char c = '\\''; /* ; */\n}}"
    assert _texts(f"{java}\n/\nselect 1 from dual;") == [java, "select 1 from dual"]


@pytest.mark.parametrize(
    "literal",
    [
        "'a;\nb'",
        "'it''s;'",
        "q'[a;'\n/\nb]'",
        "Q'{;}'",
        "nq'!it's;!'",
        "N'x;'",
        '"a;b"',
        "/* ;\n/\n */ 1",
        "-- ;\n 1",
    ],
)
def test_terminators_in_literals_names_and_comments_are_none(literal: str) -> None:
    text = f"select {literal} from dual"
    assert _texts(f"{text};\nselect 2 from dual;") == [text, "select 2 from dual"]


def test_two_statements_on_one_line() -> None:
    assert _texts("delete from a; delete from b;") == ["delete from a", "delete from b"]


def test_the_last_statement_may_lack_its_end() -> None:
    assert _texts("delete from a;\ndelete from b\n") == ["delete from a", "delete from b"]
    assert _texts("begin\n  null;\nend;\n") == ["begin\n  null;\nend;"]


def test_comments_and_blank_lines_between_are_passed_over() -> None:
    assert _texts("-- a;\n\n/* b;\n/ */ REM it's a remark;\nremark &x\ndelete from a;") == ["delete from a"]


def test_lines_are_counted_from_one_and_carriage_returns_are_no_matter() -> None:
    found = split("\r\n-- x\r\nselect 1\r\nfrom dual;\r\n\r\nbegin null; end;\r\n/\r\n").steps
    assert found == (Statement("select 1\nfrom dual", 3), Statement("begin null; end;", 6, is_block=True))


def test_execute_is_the_block_it_stands_for() -> None:
    found = split("exec siper.p(1, 'a;b');\nEXECUTE pkg.go -\n (2)\n").steps
    assert found == (
        Statement("BEGIN siper.p(1, 'a;b'); END;", 1, is_block=True),
        Statement("BEGIN pkg.go  (2); END;", 2, is_block=True),
    )


def test_prompt_is_printed_in_its_place() -> None:
    found = split("prompt it's done; all\ndelete from a;\nPROMPT\n").steps
    assert found == (
        Note("it's done; all", 1, is_output=True),
        Statement("delete from a", 2),
        Note("", 3, is_output=True),
    )


@pytest.mark.parametrize(
    "line",
    [
        "set serveroutput on size unlimited format wrapped",
        "SET ECHO OFF FEEDBACK ON VERIFY OFF;",
        "set lines 200 pages 0 trims on",
        "set autocommit off",
        "set colsep ' | '",
        "whenever sqlerror exit sql.sqlcode rollback",
        "WHENEVER SQLERROR EXIT FAILURE ROLLBACK;",
        "whenever oserror exit 9",
        "show errors",
        "column a format a30",
        "ttitle 'x'",
        "timing start",
        "clear screen",
    ],
)
def test_harmless_commands_are_passed_over_with_a_line(line: str) -> None:
    first, second = split(f"{line}\ndelete from a;").steps
    assert isinstance(first, Note)
    assert "passed over" in first.text
    assert second == Statement("delete from a", 2)


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("@other.sql", "@other.sql"),
        ("@@sub/other", "@@sub/other"),
        ("start other.sql", "START"),
        ("spool out.txt", "SPOOL"),
        ("conn scott/tiger@db", "CONNECT"),
        ("host ls", "HOST"),
        ("!ls", "!"),
        ("define x = 1", "DEFINE"),
        ("accept x prompt 'it'", "ACCEPT"),
        ("variable n number", "VARIABLE"),
        ("print n", "PRINT"),
        ("whenever sqlerror continue", "WHENEVER"),
        ("whenever sqlerror exit 1", "WHENEVER"),
        ("set autocommit on", "SET AUTOCOMMIT ON"),
        ("set sqlterminator off", "SET SQLTERMINATOR OFF"),
        ("set define '^'", "SET DEFINE ^"),
        ("set foo on", "SET foo"),
        ("exit 3", "EXIT 3"),
        ("exit rollback", "EXIT ROLLBACK"),
        ("pause", "PAUSE"),
        ("column x new_value y", "COLUMN ... NEW_VALUE"),
        ("r", "RUN"),
        ("copy from a@b insert t using select 1 from dual", "COPY"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name_and_line(line: str, name: str) -> None:
    assert _problem(f"delete from a;\n{line}\n").startswith(
        f"line 2: {name} of SQL*Plus cannot be honoured: "
    )


def test_no_password_of_a_refused_connect_is_repeated() -> None:
    assert "tiger" not in _problem("connect scott/tiger@db")


def test_set_transaction_role_and_constraints_are_sql() -> None:
    assert _texts("set transaction read only;\nset role all;\nset constraints all deferred;") == [
        "set transaction read only",
        "set role all",
        "set constraints all deferred",
    ]


@pytest.mark.parametrize(
    "text", ["delete from a where b = &x;", "select '&&x' from dual;", "prompt &x\n", 'select "&x" from a;']
)
def test_a_substitution_variable_is_refused(text: str) -> None:
    assert "line 1: &x is a substitution variable" in _problem(text)


@pytest.mark.parametrize(
    "text", ["select 'R & D' from dual;", "select 1 /* &x */ from dual; -- &x", "rem &x\nselect 1 from a;"]
)
def test_an_ampersand_that_substitutes_nothing_is_none(text: str) -> None:
    assert len(_texts(text)) == 1


def test_set_define_off_makes_ampersands_plain() -> None:
    assert _texts("set define off\nselect '&x' from dual;") == ["select '&x' from dual"]
    assert "line 3" in _problem("set scan off\nset define on\nselect '&x' from dual;")


def test_a_second_run_by_slash_is_refused() -> None:
    assert "line 2: SQL*Plus would run the statement before this `/` a second time" in _problem(
        "delete from a;\n/\n"
    )
    assert "run the last statement once more" in _problem("prompt x\n/\n")


def test_exit_ends_the_script() -> None:
    assert _texts("delete from a;\nexit;\n") == ["delete from a"]
    first, note = split("delete from a;\nquit success\ndelete from b;").steps
    assert first == Statement("delete from a", 1)
    assert isinstance(note, Note)
    assert "line 2: QUIT: what follows it is not run" in note.text


@pytest.mark.parametrize(
    ("text", "what"),
    [("select 'a;\n", "a literal"), ("select 1 /* ;", "a comment"), ('select "a;', "a quoted name")],
)
def test_what_never_ends_is_named_where_it_begins(text: str, what: str) -> None:
    assert f"line 2: {what} begins here and never ends" in _problem(f"-- x\n{text}")


def test_an_unknown_word_is_refused() -> None:
    assert "line 1: 'foo' begins neither SQL nor" in _problem("foo bar\n")


def test_all_problems_are_reported_together() -> None:
    assert len(split("spool a\nconnect b\ndelete from a;\nfoo\n").problems) == 3


# ------------------------------------------------------------------------------------------- properties

_PIECES = st.sampled_from(
    [
        "a",
        " ",
        "\n",
        ";",
        "/",
        "'",
        '"',
        "--",
        "/*",
        "*/",
        "q'[",
        "]'",
        "begin ",
        "end",
        "select ",
        "\n/\n",
        "&",
        "&x",
        ".",
    ]
)


@given(st.lists(_PIECES, max_size=30).map("".join) | st.text(max_size=60))
def test_scanning_leaves_no_gap(text: str) -> None:
    assert "".join(token.text for token in scan(text)) == text


@given(st.lists(_PIECES, max_size=40).map("".join) | st.text(max_size=60))
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    found = split(text)
    for step in found.steps:
        if isinstance(step, Statement) and not step.text.startswith("BEGIN "):
            assert step.text.strip() in text.replace("\r\n", "\n")


_LITERALS = st.one_of(
    st.text(max_size=8)
    .filter(lambda text: "&" not in text and "\r" not in text)
    .map(lambda text: "'" + text.replace("'", "''") + "'"),
    st.text(max_size=8)
    .filter(lambda text: "]'" not in text + "]" and "&" not in text and "\r" not in text)
    .map(lambda text: f"q'[{text}]'"),
    st.text(max_size=8)
    .filter(lambda text: "*/" not in text and not text.endswith("*") and "\r" not in text)
    .map(lambda text: f"1 /* {text} */"),
    st.text(alphabet="ab;/ \n", max_size=8).map(lambda text: f'"{text}x"'),
)
_SQL = st.lists(_LITERALS, min_size=1, max_size=4).map(lambda parts: f"select {', '.join(parts)} from dual")
_BLOCK = st.lists(_LITERALS, min_size=1, max_size=4).map(lambda parts: f"begin p({', '.join(parts)}); end;")


@given(
    st.lists(
        st.tuples(_SQL, st.sampled_from([";", "\n/", " ;"])) | st.tuples(_BLOCK, st.just("\n/")), max_size=6
    )
)
def test_what_was_put_together_comes_apart(pairs: list[tuple[str, str]]) -> None:
    assert _texts("".join(f"{text}{end}\n" for text, end in pairs)) == [text for text, _ in pairs]


def test_kinds_of_pieces() -> None:
    kinds = [
        (token.kind, token.text) for token in scan("a$1 q'(b)' -- c\n\"d\"") if token.kind is not Kind.BLANK
    ]
    assert kinds == [
        (Kind.WORD, "a$1"),
        (Kind.LITERAL, "q'(b)'"),
        (Kind.COMMENT, "-- c"),
        (Kind.QUOTED, '"d"'),
    ]
