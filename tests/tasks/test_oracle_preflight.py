"""What is found before anything runs."""

from pathlib import Path

from mflow.tasks.oracle.preflight import preflight
from tests.cli.project import Project


def with_connection(folder: Path) -> Project:
    """A folder of a user whose connection `x` leads nowhere."""
    project = Project(folder)
    connection = {"name": "x", "connection_string": "h/s", "user": "u", "password": "hidden"}
    project.file("oracle.json", {"connections": [connection]})
    return project


def test_a_good_task(tmp_path: Path) -> None:
    assert (
        preflight({"command": "begin p(:a); end;", "binds": {"a": "${A}"}}, {"A": "1"}, str(tmp_path)) == []
    )


def test_a_command_that_is_no_single_statement_is_wrong_on_any_host(tmp_path: Path) -> None:
    options = {"command": "delete from a; delete from b;"}
    for here in (True, False):
        (problem,) = preflight(options, {}, str(tmp_path), here=here)
        assert problem.startswith("command: the command holds several statements: ")


def test_every_problem_of_a_script_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("spool x\ncommit;\nhost ls\n")
    first, second = preflight({"script": "a.sql"}, {}, str(tmp_path))
    assert first.startswith("script: a.sql: line 1: SPOOL of SQL*Plus cannot be honoured")
    assert second.startswith("script: a.sql: line 3: HOST of SQL*Plus cannot be honoured")


def test_what_a_script_says_is_wrong_on_any_host_and_access_to_it_is_not(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("spool x\n")
    (problem,) = preflight({"script": "a.sql"}, {}, str(tmp_path), here=False)
    assert "SPOOL of SQL*Plus cannot be honoured" in problem
    assert preflight({"script": "."}, {}, str(tmp_path), here=False) == []


def test_a_script_that_an_earlier_task_may_make_is_no_problem(tmp_path: Path) -> None:
    assert preflight({"script": "a.sql"}, {}, str(tmp_path)) == []
    assert preflight({"script": "."}, {}, str(tmp_path)) == [f"script: Is a directory: {tmp_path}"]


def test_a_bind_whose_variable_is_not_set_is_named(tmp_path: Path) -> None:
    options = {"command": "commit", "binds": {"day": "${DAY}"}}
    assert preflight(options, {}, str(tmp_path)) == ["binds.day: the environment variable DAY is not set"]


def test_a_run_stops_before_anything_starts(tmp_path: Path) -> None:
    project = with_connection(tmp_path)
    project.file("load.sql", "insert into t values (1);\n@more\n")
    project.tasks(first="touch started", load={"type": "oracle", "script": "load.sql", "db": "x"})
    done = project.mflow()
    assert done.code == 2
    assert 'task "load": script: load.sql: line 2: @more of SQL*Plus cannot be honoured' in done.err
    assert not (tmp_path / "started").exists()


def test_validate_tells_all_at_once(tmp_path: Path) -> None:
    project = with_connection(tmp_path)
    project.file("load.sql", "spool here\n")
    bind = {"type": "oracle", "command": "begin p(:a); end;", "binds": {"a": "${NOBODY_SETS_IT}"}, "db": "x"}
    project.tasks(load={"type": "oracle", "script": "load.sql", "db": "x"}, bind=bind)
    done = project.mflow("validate")
    assert done.code == 2
    assert 'error: tasks.json:1:12 task "load": script: load.sql: line 1: SPOOL of SQL*Plus' in done.err
    assert 'task "bind": binds.a: the environment variable NOBODY_SETS_IT' in done.err
