"""`mflow status` through the real entry point, on a database filled by hand."""

import json
import re

import pytest

from mflow.core.model import Identity
from mflow.core.states import RunState, TaskState
from mflow.engine.identity import own_identity
from tests.cli.project import Project, bash_tasks
from tests.cli.rows import NOON

DATABASE = ("--database", "sqlite:///mflow.db")
NOBODY = Identity("elsewhere", "boot", 1, 4711, 99)


@pytest.fixture
def failed(project: Project) -> Project:
    """Run 1 has failed: extract is SUCCESS, load failed at its first try, report is blocked."""
    run = project.new_run(*bash_tasks(extract=(), load=("extract",), report=("load",)))
    project.begin(run, 0, printed="rows: 12\n")
    project.end(run, 0, TaskState.SUCCESS, 0)
    project.begin(run, 1, printed="loading\n\x1b[31mno space left\x1b[0m\n")
    project.end(run, 1, TaskState.FAILED, 3)
    project.finish(run, RunState.FAILED)
    return project


def test_the_page_of_a_failed_run(failed: Project) -> None:
    shown = failed.mflow("status", "1", *DATABASE)
    assert (shown.code, shown.err) == (0, "")
    lines = [line for line in shown.out.splitlines() if not line.startswith("  started ")]
    assert (
        "\n".join(lines)
        == f"""\
run 1: FAILED
  task file  {failed.folder}/tasks.json
  tasks      1 FAILED, 1 SUCCESS, 1 PENDING (1 blocked)
  logs       {failed.folder}/logs/run-1

TASK     STATE    TRY     STARTED              TOOK   DETAIL
extract  SUCCESS  1 of 1  2026-05-04 12:00:00  1.5 s  exit code 0
load     FAILED   1 of 1  2026-05-04 12:00:00  1.5 s  exit code 3
report   PENDING                                      blocked by load

load FAILED: exit code 3
  last lines of {failed.log(1, 1)}:
    | loading
    | no space left
  blocked behind it: report
  whole log: mflow logs 1 load --database sqlite:///mflow.db

next:
  mflow resume 1 --database sqlite:///mflow.db  runs what is not SUCCESS again, and all behind it"""
    )


def test_without_a_run_the_newest_is_named(failed: Project) -> None:
    second = failed.new_run(*bash_tasks(a=()))
    shown = failed.mflow("status", *DATABASE)
    assert shown.out.startswith(f"run {second}: RUNNING\n")


def test_json_is_the_contract(failed: Project) -> None:
    shown = failed.mflow("status", "1", "--json", *DATABASE).json
    assert list(shown) == ["run", "counts", "tasks"]
    assert shown["run"]["state"] == "FAILED"
    assert shown["run"]["owner"] is None
    assert shown["counts"] == {"PENDING": 1, "RUNNING": 0, "SUCCESS": 1, "FAILED": 1}
    assert [task["blocked_by"] for task in shown["tasks"]] == [[], [], ["load"]]
    assert [task["exit_code"] for task in shown["tasks"]] == [0, 3, None]


def test_an_owner_that_lives_is_alive(project: Project) -> None:
    project.new_run(*bash_tasks(a=()))
    shown = project.mflow("status", "--json", *DATABASE).json["run"]
    assert shown["state"] == "RUNNING"
    assert shown["owner"]["alive"] is True
    assert shown["owner"]["pid"] == own_identity().pid
    assert shown["owner"]["user"] == "ana"


def test_an_owner_that_died_leaves_an_interrupted_run(project: Project) -> None:
    here = own_identity()
    project.new_run(
        *bash_tasks(a=()),
        owner=Identity(here.host, here.boot_id, here.pid_ns, here.pid, here.start_ticks - 1),
    )
    shown = project.mflow("status", "--json", *DATABASE).json["run"]
    assert (shown["state"], shown["owner"]["alive"]) == ("INTERRUPTED", False)
    assert "mflow resume" in project.mflow("status", *DATABASE).out


def test_an_owner_on_another_host_is_not_guessed_about(project: Project) -> None:
    project.new_run(*bash_tasks(a=()), owner=NOBODY)
    shown = project.mflow("status", "--json", *DATABASE).json["run"]
    assert (shown["state"], shown["owner"]["alive"]) == ("RUNNING", None)


def test_a_released_run_that_is_not_over_is_interrupted(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.finish(run, None)
    assert project.mflow("status", "--json", *DATABASE).json["run"]["state"] == "INTERRUPTED"


def test_unknown_run(project: Project) -> None:
    project.new_run(*bash_tasks(a=()))
    shown = project.mflow("status", "99", *DATABASE)
    assert shown.code == 3
    assert "no run 99" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("run", ["x", "0", "-1", "1.5", "99999999999999999999999"])
def test_what_is_no_run_number_is_bad_usage(project: Project, run: str) -> None:
    shown = project.mflow("status", *DATABASE, "--", run)
    assert shown.code == 2
    assert shown.err.startswith(f'mflow: error: "{run}" is not the number of a run')


def test_no_database_is_exit_4_says_where_it_looked_and_makes_none(project: Project) -> None:
    shown = project.mflow("status", *DATABASE)
    assert shown.code == 4
    assert f"sqlite:///{project.folder}/mflow.db" in shown.err or "sqlite:///mflow.db" in shown.err
    assert "--database" in shown.err
    assert list(project.folder.iterdir()) == []


def test_a_database_without_runs(project: Project) -> None:
    project.store().close()
    shown = project.mflow("status", *DATABASE)
    assert (shown.code, shown.out) == (3, "")
    assert "no run in this database yet" in shown.err


def test_a_password_in_the_option_is_refused_and_not_repeated(project: Project) -> None:
    shown = project.mflow("status", "--database", "oracle+oracledb://scott:tiger77@db/x")
    assert shown.code == 2
    assert "must not hold a password" in shown.err
    assert "tiger77" not in shown.err


def test_runs_newest_first(failed: Project) -> None:
    failed.new_run(*bash_tasks(a=(), b=()), owner=NOBODY)
    shown = failed.mflow("runs", "--json", *DATABASE).json["runs"]
    assert [(run["id"], run["state"], run["counts"]["PENDING"]) for run in shown] == [
        (2, "RUNNING", 2),
        (1, "FAILED", 1),
    ]
    lines = failed.mflow("runs", *DATABASE).out.splitlines()
    assert lines[0].split() == ["RUN", "STATE", "STARTED", "TOOK", "TASKS", "TASK", "FILE"]
    assert lines[1].startswith("2    RUNNING  ")
    assert "1 FAILED, 1 SUCCESS, 1 PENDING" in lines[2]
    assert len(failed.mflow("runs", "--limit", "1", *DATABASE).out.splitlines()) == 2


def test_no_runs(project: Project) -> None:
    project.store().close()
    assert project.mflow("runs", *DATABASE).out == "no runs yet\n"
    assert json.loads(project.mflow("runs", "--json", *DATABASE).out) == {"runs": []}


def test_without_a_run_the_newest_outer_one_is_shown(project: Project) -> None:
    outer = project.new_run(*bash_tasks(a=()))
    inner = project.new_run(*bash_tasks(b=()), parent=outer)
    assert project.mflow("status", *DATABASE).out.startswith(f"run {outer}: RUNNING\n")
    shown = project.mflow("status", str(inner), "--json", *DATABASE).json["run"]
    assert shown["parent"] == {"run": outer, "task": None, "attempt": None}


def test_json_has_what_a_task_depends_on_and_where_logs_are(failed: Project) -> None:
    shown = failed.mflow("status", "1", "--json", *DATABASE).json
    assert [task["depends"] for task in shown["tasks"]] == [[], ["extract"], ["load"]]
    assert shown["run"]["log_directory"] == f"{failed.folder}/logs/run-1"
    assert "attempts_made" not in shown["tasks"][0]


def test_all_attempts_are_there_if_they_are_asked_for(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=(), b=()))
    project.begin(run, 0)
    project.end(run, 0, TaskState.PENDING, 3, not_before=NOON)
    project.begin(run, 0, attempt=2)
    project.end(run, 0, TaskState.SUCCESS, 0, attempt=2)
    tasks = project.mflow("status", "--json", "--attempts", *DATABASE).json["tasks"]
    made = tasks[0]["attempts_made"]
    assert [(one["attempt"], one["outcome"], one["exit_code"]) for one in made] == [
        (1, "EXITED", 3),
        (2, "EXITED", 0),
    ]
    assert made[0]["log"] == project.log(run, 0)
    assert made[0]["duration_s"] == 1.5
    assert tasks[1]["attempts_made"] == []
    page = project.mflow("status", "--attempts", *DATABASE).out
    assert re.search(r"\na +SUCCESS +2 of 1 .*\na +EXITED +#1 .*exit code 3\n", page), page


def test_a_cancelled_run_is_called_so_and_waits_for_nothing(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0)
    project.end(run, 0, TaskState.PENDING, 3, not_before=NOON)
    assert "next try at" in project.mflow("status", *DATABASE).out
    store = project.store()
    store.request_cancel(run, "eva@beta")
    store.close()
    assert "next try at" not in project.mflow("status", *DATABASE).out
    project.finish(run, RunState.FAILED)
    page = project.mflow("status", *DATABASE).out
    assert page.startswith(f"run {run}: FAILED, cancelled\n")
    assert "  cancelled  by eva@beta at " in page
    assert "next try at" not in page
    shown = project.mflow("status", "--json", *DATABASE).json
    assert (shown["run"]["state"], shown["run"]["cancelled_by"]) == ("FAILED", "eva@beta")
    assert shown["run"]["cancelled_at"]
    assert shown["tasks"][0]["not_before"] is None
    assert project.mflow("runs", *DATABASE).out.splitlines()[1].split()[1] == "CANCELLED"
    assert project.mflow("runs", "--json", *DATABASE).json["runs"][0]["cancelled_by"] == "eva@beta"


def test_times_are_those_of_one_zone_which_is_named(project: Project) -> None:
    project.env["TZ"] = "Asia/Kolkata"
    project.tasks(a="true")
    assert project.mflow().code == 0
    logged = (project.folder / "logs" / "mflow.log").read_text().split()[0]
    [started] = re.findall(r"  started +(\S+ \S+ \S+),", project.mflow("status").out)
    assert started.endswith(" +0530")
    assert logged.endswith("+05:30")
    assert logged[:13] == started[:13].replace(" ", "T")
