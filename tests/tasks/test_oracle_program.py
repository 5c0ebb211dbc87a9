"""Oracle tasks through the whole program: a supervisor's and a worker's death, a cancel, and no secret anywhere."""

import json
import os
import signal
from dataclasses import replace
from typing import Any

import pytest

from tests.cli.project import Project
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Database, oracle_source
from tests.tasks.oracle_site import Start, holder_of, wait_until, with_connections

pytestmark = pytest.mark.oracle

_UPDATE = "begin \n update task_rows set a = a + 1; \n end;"


def _waits_for_lock(database: Database) -> bool:
    """Whether the task's session waits for the row."""
    query = "SELECT 1 FROM v$session WHERE module = 'mflow' AND action = '1/load' AND event LIKE 'enq: TX%'"
    return bool(database.select(query))


def _task(project: Project) -> Any:
    (task,) = project.mflow("status", "--json").json["tasks"]
    return task


def _log(project: Project, attempt: int = 1) -> str:
    return project.mflow("logs", "1", "load", "--attempt", str(attempt)).out


def test_the_origins_tasks(project: Project, database: Database) -> None:
    database.execute("INSERT INTO task_rows VALUES (0)")
    project.tasks(
        tarea1="true",
        load={"type": "oracle", "command": _UPDATE, "Db": "siper_fisco", "depends": ["tarea1"]},
    )
    done = project.mflow()
    assert done.code == 0, done
    assert database.select("SELECT a FROM task_rows") == [(1,)]


def test_code_message_and_stack_are_in_status(project: Project) -> None:
    project.tasks(load={"type": "oracle", "command": "begin raise no_data_found; end;", "db": "siper_fisco"})
    assert project.mflow().code == 1
    task = _task(project)
    assert (task["outcome"], task["error"]) == ("ERROR", "ORA-01403")
    assert task["message"] == "ORA-01403: no data found; ORA-06512: at line 1"


def test_an_attempt_goes_on_without_its_supervisor_and_is_adopted(
    project: Project, start: Start, database: Database, locked: Database
) -> None:
    project.tasks(load={"type": "oracle", "command": _UPDATE, "db": "siper_fisco"})
    supervisor = start("run")
    wait_until(lambda: _waits_for_lock(database))
    supervisor.kill()
    supervisor.communicate()
    resumed = start("resume", "1")
    assert resumed.stderr is not None
    wait_until(lambda: "adopted" in (resumed.stderr.readline() if resumed.stderr else ""))
    locked.connection.commit()
    _, err = resumed.communicate(timeout=PATIENCE_SECONDS)
    assert resumed.returncode == 0, err
    assert database.select("SELECT a FROM task_rows") == [(1,)]
    assert (_task(project)["state"], _task(project)["attempts"]) == ("SUCCESS", 1)


def test_a_cancel_ends_the_work_in_the_database(
    project: Project, start: Start, database: Database, locked: Database
) -> None:
    project.tasks(load={"type": "oracle", "command": _UPDATE, "db": "siper_fisco"})
    supervisor = start("run")
    wait_until(lambda: _waits_for_lock(database))
    assert project.mflow("cancel", "1").code == 0
    supervisor.communicate(timeout=PATIENCE_SECONDS)
    assert supervisor.returncode == 1
    assert not _waits_for_lock(database)
    task = _task(project)
    assert (task["state"], task["outcome"], task["error"]) == ("FAILED", "CANCELLED", "ORA-01013")


def test_a_deadline_ends_the_work_in_the_database(
    project: Project, database: Database, locked: Database
) -> None:
    keys = {"type": "oracle", "command": _UPDATE, "db": "siper_fisco", "timeout_seconds": 5, "retries": 2}
    project.tasks(load=keys)
    assert project.mflow().code == 1
    assert not _waits_for_lock(database)
    task = _task(project)
    assert (task["outcome"], task["error"], task["attempts"]) == ("TIMED_OUT", "ORA-01013", 1)
    assert "rolled back" in _log(project)


def test_after_its_workers_death_the_session_is_ended_before_the_next_try(
    project: Project, start: Start, database: Database, locked: Database
) -> None:
    project.tasks(load={"type": "oracle", "command": _UPDATE, "db": "siper_fisco", "retries": 1})
    supervisor = start("run")
    wait_until(lambda: _waits_for_lock(database))
    os.kill(holder_of(_task(project)["log"]), signal.SIGKILL)
    wait_until(lambda: " is gone" in _log(project, 2) and _waits_for_lock(database))
    locked.connection.commit()
    supervisor.communicate(timeout=PATIENCE_SECONDS)
    assert supervisor.returncode == 0
    assert database.select("SELECT a FROM task_rows") == [(1,)]
    assert _task(project)["attempts"] == 2


def test_no_secret_is_written_anywhere(project: Project, database: Database, control: Control) -> None:
    password, wrong, bind = "Zx9_the_password", "Qq7_not_the_password", "Hh3_a_bound_token"
    user = f"MFLOW_S{os.urandom(4).hex().upper()}"
    control("create_user", user=user, password=password)
    source = replace(oracle_source(), user=user, password=password)
    with_connections(project, replace(source, name="a"), replace(source, name="b", password=wrong))
    echo = (
        "begin dbms_output.put_line('the token is ' || :token); raise_application_error(-20001, :token); end;"
    )
    look = "tr '\\0' '\\n' < /proc/$PPID/environ; tr '\\0' ' ' < /proc/$PPID/cmdline; env"
    project.tasks(
        good={"type": "oracle", "command": "select user from dual", "db": "a", "fetch": 1},
        refused={"type": "oracle", "command": "select user from dual", "db": "b"},
        echoes={"type": "oracle", "command": echo, "db": "a", "binds": {"token": bind}},
        quotes={
            "type": "oracle",
            "command": f"begin raise_application_error(-20002, '{password}'); end;",
            "db": "a",
        },
        looks=look,
    )
    assert project.mflow().code == 1
    shown = project.mflow("status", "--json")
    outcomes = {task["id"]: task["error"] or task["outcome"] for task in shown.json["tasks"]}
    assert outcomes == {
        "good": "EXITED",
        "refused": "ORA-01017",
        "echoes": "ORA-20001",
        "quotes": "ORA-20002",
        "looks": "EXITED",
    }
    written = {path: path.read_bytes() for path in project.folder.rglob("*") if path.is_file()}
    theirs = {project.folder / "oracle.json", project.folder / "tasks.json"}
    found = {
        (str(path), secret)
        for path, content in written.items()
        for secret in (password, wrong, bind)
        if path not in theirs and secret.encode() in content
    }
    # What users write into a command is theirs: the kept definition repeats it.
    assert {path for path, secret in found if secret == password} <= {
        str(path) for path in written if path.name.startswith("mflow.db")
    }
    assert not [path for path, secret in found if secret != password]
    assert not any(secret in shown.out + shown.err for secret in (password, wrong, bind))
    assert any(b"the token is ***" in content for content in written.values())
    assert json.loads((project.folder / "oracle.json").read_text())["connections"][0]["password"] == password
