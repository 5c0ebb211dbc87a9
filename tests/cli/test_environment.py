"""A run in another environment than it began in: what its files took stays, what tasks see is named."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.project import Project

WAIT = "test -e go"


@pytest.fixture
def began(project: Project) -> Project:
    """Run 1 took BDATE in config.json and in a task, and failed since a file is missing."""
    project.file("config.json", {"log_directory": "logs", "env": {"DAY": "day ${BDATE}"}})
    project.tasks(
        a={"command": f"echo $X, $DAY, ${{BDATE-unset}} >> seen; {WAIT}", "env": {"X": "${BDATE}$NOTHING"}},
    )
    project.env |= {"BDATE": "2026-11-23", "FOO": "one", "DB_PASSWORD": "hush4711"}
    assert project.mflow().code == 1
    return project


def seen(project: Project) -> list[str]:
    """What the attempts of the task have seen."""
    return (project.folder / "seen").read_text().splitlines()


def kept(project: Project) -> str:
    """What the database holds of the environment of run 1."""
    with closing(sqlite3.connect(project.folder / "mflow.db")) as connection:
        [[text]] = connection.execute("select environment from mflow_environments where run_id = 1")
    assert isinstance(text, str)
    return text


def test_files_keep_the_values_of_the_start_and_what_is_gone_is_named(began: Project) -> None:
    del began.env["BDATE"]
    began.env["FOO"] = "two"
    (began.folder / "go").touch()
    done = began.mflow("resume", "1")
    assert done.code == 0, done
    assert seen(began) == ["2026-11-23, day 2026-11-23, 2026-11-23", "2026-11-23, day 2026-11-23, unset"]
    told = [
        line for line in done.err.splitlines() if "when run 1 began" in line or "since run 1 began" in line
    ]
    gone = "mflow: warning: BDATE was set when run 1 began and is not now: tasks do not inherit it"
    assert told == [
        f"{gone}; where the files say ${{BDATE}} the first value stays",
        "mflow: warning: FOO has changed since run 1 began: tasks inherit what is set now",
    ]


def test_every_resume_takes_the_first_values_also_a_second_one(began: Project) -> None:
    began.env["BDATE"] = "2026-11-24"
    assert began.mflow("resume", "1").code == 1
    del began.env["BDATE"]
    (began.folder / "go").touch()
    assert began.mflow("resume", "1").code == 0
    assert [line.rpartition(", ")[0] for line in seen(began)] == ["2026-11-23, day 2026-11-23"] * 3


def test_the_same_environment_draws_no_word(began: Project) -> None:
    began.env["SSH_TTY"] = "/dev/pts/7"
    done = began.mflow("resume", "1")
    assert "began" not in done.err
    assert "warning" not in done.err


def test_a_variable_that_was_not_there_stays_empty_and_is_named(began: Project) -> None:
    began.env["NOTHING"] = "something"
    (began.folder / "go").touch()
    done = began.mflow("resume", "1")
    assert done.code == 0
    assert seen(began)[1].startswith("2026-11-23, ")
    assert "NOTHING is set now and was not when run 1 began" in done.err
    command = f"mflow resume 1 --taskfile {began.folder / 'tasks.json'}"
    assert (
        f"write the value into the file, or use a variable of another name there, and type {command}\n"
        in done.err
    )


def test_no_secret_and_no_inherited_value_is_in_the_database(began: Project) -> None:
    text = kept(began)
    assert '"BDATE":"2026-11-23"' in text
    assert "hush4711" not in text
    assert '"one"' not in text


def test_an_edited_file_takes_a_new_variable_once_and_keeps_it(began: Project) -> None:
    began.tasks(a={"command": f"echo $X $Z >> seen; {WAIT}", "env": {"X": "${BDATE}", "Z": "${CENTRE}"}})
    began.env |= {"CENTRE": "madrid", "BDATE": "2026-11-24"}
    assert began.mflow("resume", "1", "--taskfile", "tasks.json").code == 1
    del began.env["CENTRE"]
    (began.folder / "go").touch()
    assert began.mflow("resume", "1").code == 0
    assert seen(began)[1:] == ["2026-11-23 madrid"] * 2


def test_a_secret_comes_from_the_resume_and_without_it_nothing_starts(project: Project) -> None:
    project.tasks(a={"command": f"echo $DB_PASSWORD >> seen; {WAIT}", "env": {"DB_PASSWORD": "${ORAPW}"}})
    project.env["ORAPW"] = "first1"
    assert project.mflow().code == 1
    assert "first1" not in kept(project)
    del project.env["ORAPW"]
    done = project.mflow("resume", "1")
    assert (done.code, done.out) == (2, "")
    assert 'task "a": DB_PASSWORD: the environment has no variable ORAPW' in done.err
    project.env["ORAPW"] = "second2"
    (project.folder / "go").touch()
    assert project.mflow("resume", "1").code == 0
    assert seen(project) == ["first1", "second2"]


def test_a_secret_that_never_was_set_is_told_at_the_resume_as_at_the_start(project: Project) -> None:
    project.tasks(
        a={"command": "true", "env": {"TOKEN": "$TOK_A"}},
        b={"command": f"echo [$TOKEN] >> seen; {WAIT}", "depends": ["a"], "env": {"TOKEN": "x${TOK_X}"}},
    )
    empty = 'no variable "TOK_X": it is taken as empty'
    assert empty in project.mflow().err
    done = project.mflow("resume", "1")
    [line] = [line for line in done.err.splitlines() if "no variable" in line]
    assert line == f'mflow: warning: {project.folder}/tasks.json task "b": env.TOKEN: {empty}'
    assert project.mflow("resume", "1", "--taskfile", "tasks.json").err.count(empty) == 1
    project.env["TOK_X"] = "here"
    (project.folder / "go").touch()
    done = project.mflow("resume", "1")
    assert (done.code, "TOK_X" in done.err) == (0, False)
    assert seen(project) == ["[x]"] * 3 + ["[xhere]"]


def test_a_secret_of_a_task_that_is_done_is_not_asked_for(project: Project) -> None:
    project.tasks(
        a={"command": "true", "env": {"DB_PASSWORD": "${ORAPW}"}}, b={"command": WAIT, "depends": ["a"]}
    )
    project.env["ORAPW"] = "first1"
    assert project.mflow().code == 1
    del project.env["ORAPW"]
    (project.folder / "go").touch()
    assert project.mflow("resume", "1").code == 0


def test_a_run_that_an_older_mflow_began_goes_on_with_one_word(began: Project) -> None:
    with closing(sqlite3.connect(began.folder / "mflow.db")) as connection, connection:
        connection.execute("delete from mflow_environments")
    began.env["BDATE"] = "2026-11-25"
    first, second = began.mflow("resume", "1"), began.mflow("resume", "1")
    assert "run 1 was begun by an earlier mflow" in first.err
    assert "begun by an earlier" not in second.err
    assert [line.partition(",")[0] for line in seen(began)] == ["2026-11-23", "2026-11-25", "2026-11-25"]


# ------------------------------------------------------------------------------------------- connections


@pytest.fixture
def of_oracle(project: Project) -> Project:
    """Run 1 was left before an Oracle task of it began; the password of its connection is in PW."""
    connections = [
        {"name": name, "connection_string": "127.0.0.1:1/none", "user": "u", "password": f"${{{variable}}}"}
        for name, variable in (("dwh", "PW"), ("other", "OTHER_PW"))
    ]
    project.file("oracle.json", {"connections": connections})
    oracle = {"type": "oracle", "db": "dwh", "command": "begin null; end;"}
    project.tasks(first=WAIT, load=oracle | {"depends": ["first"]})
    project.env["PW"] = "hush4711"
    assert project.mflow().code == 1
    (project.folder / "go").touch()
    return project


def row(project: Project) -> tuple[object, ...]:
    """State and fence of run 1."""
    with closing(sqlite3.connect(project.folder / "mflow.db")) as connection:
        found: tuple[object, ...] = connection.execute(
            "select state, fence, batch_no from mflow_runs"
        ).fetchone()
    return found


@pytest.mark.parametrize("more", [(), ("--taskfile", "tasks.json")], ids=["as it was", "edited"])
def test_a_password_that_is_not_set_is_the_reason_and_nothing_starts(
    of_oracle: Project, more: tuple[str, ...]
) -> None:
    del of_oracle.env["PW"]
    before = row(of_oracle)
    done = of_oracle.mflow("resume", "1", *more)
    assert (done.code, done.out) == (2, ""), done
    assert 'connection "dwh": password: the environment has no variable PW' in done.err
    assert "oracle.json" in done.err
    assert "hint:" in done.err
    assert row(of_oracle) == before
    assert "no connection" not in done.err


def test_only_connections_that_are_still_needed_must_be_there(of_oracle: Project) -> None:
    with closing(sqlite3.connect(of_oracle.folder / "mflow.db")) as connection, connection:
        connection.execute("update mflow_tasks set state = 'SUCCESS' where task_id = 'load'")
    del of_oracle.env["PW"]
    assert of_oracle.mflow("resume", "1", "--taskfile", "tasks.json").code == 0


def test_a_connection_that_has_left_its_file_is_named(of_oracle: Project) -> None:
    Path(of_oracle.folder / "oracle.json").write_text('{"connections": []}')
    done = of_oracle.mflow("resume", "1")
    assert (done.code, done.out) == (2, "")
    assert 'no connection "dwh"' in done.err
