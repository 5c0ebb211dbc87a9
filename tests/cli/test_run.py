"""`mflow run` through the real entry point: what it prints, what it records, how it ends."""

import json
import os
import re
import signal
from pathlib import Path

import pytest

from tests.cli.project import Project, wait_for

TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")

DEFAULT = "the default: no --database, no MFLOW_DATABASE, no connection mflow, no database in config.json"


def timeless(text: str) -> str:
    """The text with instants and durations made equal."""
    return re.sub(r"\d+\.\d s", "0.0 s", TIME.sub("T", text))


def test_a_run_that_goes_well(project: Project) -> None:
    done = project.tasks(a="echo made > made", b={"command": "cat made", "depends": ["a"]}).mflow()
    assert done.code == 0
    assert timeless(done.out).splitlines() == [
        "run 1",
        "T a #1 started",
        "T a #1 SUCCESS, 0.0 s",
        "T b #1 started",
        "T b #1 SUCCESS, 0.0 s",
    ]
    assert timeless(done.err).splitlines() == [
        f"mflow: state database sqlite:///{project.folder}/mflow.db ({DEFAULT})",
        f"mflow: task file {project.folder}/tasks.json",
        "run 1: SUCCESS, 2 tasks in 0.0 s",
    ]
    assert (project.folder / "logs" / "run-1" / "b.1.log").read_text() == "made\n"


def test_a_failure_ends_in_a_block_to_act_on(project: Project) -> None:
    done = project.tasks(
        extract="echo reading; echo 'no space left' >&2; exit 3",
        load={"command": "true", "depends": ["extract"]},
    ).mflow("run", "--database", "sqlite:///mflow.db")
    assert done.code == 1
    assert "T extract #1 FAILED: exit code 3, 0.0 s" in timeless(done.out)
    assert (
        timeless(done.err).partition("tasks.json\n")[2]
        == f"""
extract FAILED: exit code 3
  last lines of {project.folder}/logs/run-1/extract.1.log:
    | reading
    | no space left
  blocked behind it: load
  whole log: mflow logs 1 extract --database sqlite:///mflow.db

run 1: FAILED after 0.0 s: 1 FAILED, 1 PENDING (1 blocked)
next:
  mflow status 1 --database sqlite:///mflow.db        how it stands
  mflow logs 1 extract --database sqlite:///mflow.db  what it printed
  mflow resume 1 --database sqlite:///mflow.db        goes on; what is SUCCESS does not run again
"""
    )


def test_the_origins_call(project: Project) -> None:
    project.tasks(a="exit 1").file("dag.json", {"tasks": [{"id": "x", "type": "bash", "command": "true"}]})
    project.file("conf.json", {"max_process_concurrency": 1, "log_directory": "./elsewhere/"})
    done = project.mflow("--taskfile", "dag.json", "--config", "conf.json")
    assert done.code == 0, done
    assert (project.folder / "elsewhere" / "run-1" / "x.1.log").exists()
    assert f"mflow: config {project.folder}/conf.json" in done.err


def test_all_problems_are_said_and_nothing_is_started_nor_made(project: Project) -> None:
    project.tasks(a="true", b={"command": "true", "depends": ["aa"]}).file("config.json", '{"max_process')
    done = project.mflow()
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert any(
        line.startswith('mflow: error: tasks.json:1:119 task "b": depends[0]: no task') for line in lines
    )
    assert any(line.startswith("mflow: error: config.json:1:2: ") for line in lines)
    assert sorted(path.name for path in project.folder.iterdir()) == ["config.json", "tasks.json"]


def test_oneshot_runs_one_task_without_what_it_depends_on(project: Project) -> None:
    project.tasks(a="touch a-ran", b={"command": "touch b-ran", "depends": ["a"]})
    done = project.mflow("--oneshot", "b")
    assert done.code == 0, done
    assert (project.folder / "b-ran").exists()
    assert not (project.folder / "a-ran").exists()
    assert "(only b)" in project.mflow("status").out


def test_a_run_inside_a_run_records_its_parent(project: Project) -> None:
    inner = " ".join(project.command("--taskfile", "inner.json"))
    project.file("inner.json", {"tasks": [{"id": "in", "type": "bash", "command": "true"}]})
    project.tasks(outer=inner)
    assert project.mflow().code == 0
    assert "  part of    run 1, task outer, attempt 1" in project.mflow("status", "2").out


def test_a_log_directory_that_cannot_be_used_is_said_before_anything_is_made(project: Project) -> None:
    project.tasks(a="true").file("config.json", {"log_directory": "tasks.json/logs"})
    done = project.mflow()
    assert (done.code, done.out) == (2, "")
    assert "log directory" in done.err
    assert "log_directory in config.json" in done.err
    assert not (project.folder / "mflow.db").exists()


def test_two_databases_share_a_log_directory(project: Project) -> None:
    project.tasks(a="echo $MFLOW_RUN_ID").file("config.json", {"log_directory": "logs"})
    for name in ("one", "two"):
        assert project.mflow("--database", f"sqlite:///{name}.db").out.startswith("run 1\n")
    folders = sorted(path.name for path in (project.folder / "logs").iterdir() if path.is_dir())
    assert folders[0] == "run-1"
    assert re.fullmatch(r"run-1-[0-9a-f]{8}", folders[1])
    shown = project.mflow("logs", "1", "a", "--database", "sqlite:///two.db")
    assert (shown.code, shown.out) == (0, "1\n")


def test_a_database_that_cannot_be_used_is_exit_4(project: Project) -> None:
    project.tasks(a="touch ran").file("mflow.db", "this is no database at all, but text\n" * 40)
    done = project.mflow()
    assert (done.code, done.out) == (4, "")
    assert "mflow.db" in done.err
    assert "Traceback" not in done.err
    assert not (project.folder / "ran").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_ends_the_tasks_and_leaves_the_run_resumable(
    project: Project, number: signal.Signals, code: int
) -> None:
    project.tasks(a="echo $$ > pid; touch started; sleep 60", b={"command": "true", "depends": ["a"]})
    project.file("config.json", {"kill_grace_seconds": 2})
    running = project.start("run")
    assert running.stdout
    assert running.stdout.readline() == "run 1\n"
    assert " a #1 started" in running.stdout.readline()
    wait_for(running, project.folder / "started")
    running.send_signal(number)
    _, err = running.communicate()
    assert running.returncode == code
    assert f"run 1: stopped by {number.name}" in err
    assert "mflow resume 1" in err
    assert not Path(f"/proc/{(project.folder / 'pid').read_text().strip()}").exists()
    assert project.mflow("status", "--json").json["run"]["state"] == "INTERRUPTED"


def test_a_reader_and_a_terminal_that_go_do_not_stop_a_run(project: Project) -> None:
    project.tasks(a="while [ ! -e go ]; do sleep 0.05; done", b={"command": "touch b-ran", "depends": ["a"]})
    running = project.start("run")
    assert running.stdout
    assert running.stderr
    assert running.stdout.readline() == "run 1\n"
    running.stdout.close()
    running.stderr.close()
    running.send_signal(signal.SIGHUP)
    (project.folder / "go").touch()
    assert running.wait() == 0
    assert (project.folder / "b-ran").exists()


def test_secrets_do_not_show(project: Project) -> None:
    project.file(
        "oracle.json",
        {"connections": [{"name": "x", "connection_string": "h/x", "user": "u", "password": "tiger77"}]},
    )
    project.tasks(a={"command": "echo the password is tiger77; exit 1"})
    done = project.mflow("run", "--database", "sqlite:///mflow.db")
    assert done.code == 1
    assert "    | the password is ***" in done.err
    assert "tiger77" not in done.out + done.err


def test_a_task_sees_the_database_but_not_its_password(project: Project) -> None:
    from mflow.cli.driving import task_environ
    from mflow.core.model import Config

    environ = task_environ({"MFLOW_DATABASE": "oracle+oracledb://u:tiger77@h/x", "A": "1"}, Config(1, "/l"))
    assert environ == {"MFLOW_DATABASE": "oracle+oracledb://u@h/x", "A": "1"}


def test_validate_says_ok_and_what_would_be_used(project: Project) -> None:
    project.tasks(a="true").file("config.json", {"max_process_concurrency": 2, "surprise": 1})
    shown = project.mflow("validate", "--database", "sqlite:////srv/x.db")
    assert (shown.code, shown.out) == (
        0,
        f"""\
ok: 1 task, 1 warning
  task file       {project.folder}/tasks.json
  config          {project.folder}/config.json
  datasources     none
  state database  sqlite:////srv/x.db (--database)
""",
    )
    assert shown.err.startswith("mflow: warning: config.json:1:32: surprise: ")
    strict = project.mflow("validate", "--strict")
    assert (strict.code, strict.out) == (2, "")
    assert strict.err.startswith("mflow: error: config.json:1:32: surprise: ")


def test_schema_is_a_json_schema(project: Project) -> None:
    shown = project.mflow("schema")
    assert shown.code == 0
    assert "tasks" in json.loads(shown.out)["properties"]


def test_the_environment_names_the_database(project: Project) -> None:
    project.env["MFLOW_DATABASE"] = f"sqlite:///{project.folder}/env.db"
    assert project.tasks(a="true").mflow().code == 0
    assert (project.folder / "env.db").exists()
    assert "(MFLOW_DATABASE)" in project.mflow("validate").out
    assert os.fspath(project.folder / "mflow.db") not in project.mflow("status").err


def test_a_run_whose_folder_cannot_be_made_says_so_and_keeps_the_reason(project: Project) -> None:
    (project.folder / "logs").symlink_to("/proc")
    done = project.tasks(a="true").mflow("run")
    assert done.code == 2
    assert "mflow: error: run 1 cannot begin: the folder" in done.err
    status = project.mflow("status", "1").out
    assert "run 1: FAILED, cancelled" in status
    assert "by mflow itself: the folder" in status
