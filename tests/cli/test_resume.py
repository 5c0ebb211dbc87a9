"""`mflow resume` and `mflow cancel` through the real entry point."""

import os
import signal
from pathlib import Path

import pytest

from mflow.core.states import RunState
from tests.cli.project import Project, bash_tasks, wait_for

DATABASE = ("--database", "sqlite:///mflow.db")


@pytest.fixture
def failed(project: Project) -> Project:
    """Run 1: a is SUCCESS, b failed because a file is missing, c is blocked."""
    project.tasks(
        a="echo a >> ledger",
        b={"command": "test -e there && echo b >> ledger", "depends": ["a"]},
        c={"command": "echo c >> ledger", "depends": ["b"]},
    )
    assert project.mflow().code == 1
    return project


def test_from_any_folder_what_is_not_success_is_run(
    failed: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    (failed.folder / "there").touch()
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    done = failed.mflow("resume", "1", "--database", f"sqlite:///{failed.folder}/mflow.db", cwd=elsewhere)
    assert done.code == 0, done
    assert done.out.startswith("run 1\n")
    assert (failed.folder / "ledger").read_text().split() == ["a", "b", "c"]
    assert list(elsewhere.iterdir()) == []


def test_a_run_that_is_success_has_nothing_to_do(project: Project) -> None:
    project.tasks(a="echo a >> ledger").mflow()
    for words in (("resume", "1"), ("--resume", "1"), ("resume", "1", "--taskfile", "tasks.json")):
        done = project.mflow(*words)
        assert (done.code, done.out) == (0, "run 1\n")
        assert done.err.endswith("mflow: run 1 is SUCCESS: there is nothing to do\n")
    assert (project.folder / "ledger").read_text() == "a\n"


def test_an_edited_task_file_is_told_of_and_not_used(failed: Project) -> None:
    failed.tasks(
        a="echo a >> ledger",
        b={"command": "echo edited >> ledger", "depends": ["a"]},
        d={"command": "echo d >> ledger", "depends": ["b"]},
    )
    done = failed.mflow("resume", "1")
    assert done.code == 1
    path = failed.folder / "tasks.json"
    assert done.err.splitlines()[2:7] == [
        f"mflow: the task file {path} differs from what run 1 was started with, which goes on as it was",
        "mflow:   changed: b",
        "mflow:   new: d",
        "mflow:   removed: c",
        f"mflow: to use the file as it is now, stop this run and type: mflow resume 1 --taskfile {path}",
    ]
    assert (failed.folder / "ledger").read_text() == "a\n"


def test_an_edited_task_file_is_used_when_it_is_named(failed: Project) -> None:
    failed.tasks(
        a="echo a >> ledger",
        b={"command": "echo edited >> ledger", "depends": ["a"]},
        d={"command": "echo d >> ledger", "depends": ["b"]},
    )
    done = failed.mflow("resume", "1", "--taskfile", "tasks.json")
    assert done.code == 0, done
    assert "mflow: run 1 follows the edited task file from here on\n" in done.err
    assert (failed.folder / "ledger").read_text().split() == ["a", "edited", "d"]
    shown = failed.mflow("status", "--json").json
    assert [(task["id"], task["state"]) for task in shown["tasks"]] == [
        ("a", "SUCCESS"),
        ("b", "SUCCESS"),
        ("d", "SUCCESS"),
    ]


def test_a_task_file_whose_name_cannot_be_kept_is_bad_input(failed: Project) -> None:
    (failed.folder / "tasks.json").rename(failed.folder / "t\udcff.json")
    done = failed.mflow("resume", "1", "--taskfile", "t\udcff.json")
    assert (done.code, done.out) == (2, "")
    assert "a path is not valid UTF-8" in done.err


def test_of_changed_tasks_it_is_said_which_are_run_again(failed: Project) -> None:
    failed.tasks(
        a="echo changed >> ledger",
        b={"command": "echo b >> ledger", "depends": ["a"]},
        c={"command": "echo c >> ledger", "depends": ["b"]},
    )
    unused = failed.mflow("resume", "1").err
    assert "mflow:   changed: a, b\n" in unused
    assert "SUCCESS already, and not run again even with the file as it is now: a\n" in unused
    done = failed.mflow("resume", "1", "--taskfile", "tasks.json")
    assert done.code == 0
    assert "mflow:   changed: a, b\n" in done.err
    assert "mflow:   changed, and run as the file says now: b\n" in done.err
    assert "mflow:   changed, but SUCCESS already, and not run again: a\n" in done.err
    assert (failed.folder / "ledger").read_text().split() == ["a", "b", "c"]


def test_a_task_that_left_and_comes_back_is_a_further_attempt(failed: Project) -> None:
    failed.tasks(a="echo a >> ledger")
    assert failed.mflow("resume", "1", "--taskfile", "tasks.json").code == 0
    failed.tasks(a="echo a >> ledger", b="echo b$MFLOW_ATTEMPT >> ledger")
    done = failed.mflow("resume", "1", "--taskfile", "tasks.json")
    assert done.code == 0, done
    assert (failed.folder / "ledger").read_text().split() == ["a", "b2"]


def test_a_changed_task_is_not_waited_for_as_it_was(project: Project) -> None:
    project.tasks(a={"command": "exit 1", "retry": {"attempts": 2, "wait_seconds": 3600}})
    running = project.start("run")
    assert running.stdout
    while "next try" not in running.stdout.readline():
        assert running.poll() is None
    running.terminate()
    running.communicate()
    assert running.returncode == 143
    project.tasks(a="true")
    assert project.mflow("resume", "1", "--taskfile", "tasks.json").code == 0


def test_a_broken_edited_file_changes_nothing(failed: Project) -> None:
    failed.file("tasks.json", "{")
    named = failed.mflow("resume", "1", "--taskfile", "tasks.json")
    assert (named.code, named.out) == (2, "")
    (failed.folder / "there").touch()
    unnamed = failed.mflow("resume", "1")
    assert unnamed.code == 0
    assert "mflow: warning: " in unnamed.err
    assert "goes on with the tasks that it was started with" in unnamed.err


def test_secrets_come_back_from_the_task_file(project: Project) -> None:
    tasks = {
        "a": {
            "command": "test -e there && echo $API_TOKEN > got",
            "env": [{"key": "API_TOKEN", "value": "tok77"}],
        }
    }
    assert project.tasks(**tasks).mflow().code == 1
    assert b"tok77" not in (project.folder / "mflow.db").read_bytes()
    (project.folder / "there").touch()
    (project.folder / "tasks.json").rename(project.folder / "away.json")
    without = project.mflow("resume", "1")
    assert (without.code, without.out) == (2, "")
    assert "secrets are never kept" in without.err
    (project.folder / "away.json").rename(project.folder / "tasks.json")
    assert project.mflow("resume", "1").code == 0
    assert (project.folder / "got").read_text() == "tok77\n"


def test_a_run_whose_owner_lives_is_refused(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))  # this process is the owner
    done = project.mflow("resume", str(run), *DATABASE)
    assert (done.code, done.out) == (3, "")
    assert (
        f"run {run} is driven by ana on {os.uname().nodename}, pid {os.getpid()}, since 2026-05-04"
        in done.err
    )
    assert f"mflow resume {run} --takeover --database sqlite:///mflow.db" in done.err


def test_a_stopped_supervisor_is_taken_over(project: Project) -> None:
    project.tasks(a="touch started; while [ ! -e go ]; do sleep 0.05; done; echo a >> ledger")
    running = project.start("run")
    wait_for(running, project.folder / "started")
    running.send_signal(signal.SIGSTOP)
    taking = project.start("resume", "1", "--takeover")
    assert taking.stdout
    assert taking.stdout.readline() == "run 1\n"
    assert running.wait() == -signal.SIGKILL
    running.communicate()
    (project.folder / "go").touch()
    taking.communicate()
    assert taking.returncode == 0
    assert (project.folder / "ledger").read_text() == "a\n"


def test_after_a_kill_9_the_task_is_adopted(project: Project) -> None:
    project.tasks(
        a="touch started; while [ ! -e go ]; do sleep 0.05; done; echo a >> ledger",
        b={"command": "echo b >> ledger", "depends": ["a"]},
    )
    running = project.start("run")
    wait_for(running, project.folder / "started")
    running.kill()
    running.communicate()
    assert project.mflow("status", "--json").json["run"]["state"] == "INTERRUPTED"
    (project.folder / "go").touch()
    done = project.mflow("resume", "1")
    assert done.code == 0, done
    assert (project.folder / "ledger").read_text().split() == ["a", "b"]


def test_no_such_run(failed: Project) -> None:
    for command in ("resume", "cancel", "logs"):
        done = failed.mflow(command, "99")
        assert (done.code, done.out) == (3, ""), done
        assert "no run 99" in done.err


def test_oneshot_does_not_go_with_resume(failed: Project) -> None:
    assert failed.mflow("--oneshot", "a", "--resume", "1").code == 2


# ------------------------------------------------------------------------------------------------ cancel


def test_cancel_ends_a_run_that_is_driven_and_waits_for_it(project: Project) -> None:
    project.tasks(a="echo $$ > pid; touch started; sleep 60", b={"command": "true", "depends": ["a"]})
    running = project.start("run")
    wait_for(running, project.folder / "started")
    done = project.mflow("cancel", "1")
    assert (done.code, done.out) == (0, "run 1 has ended: FAILED\n")
    assert not Path(f"/proc/{(project.folder / 'pid').read_text().strip()}").exists()
    _, err = running.communicate()
    assert running.returncode == 1
    assert "FAILED, cancelled by " in err
    shown = project.mflow("status", "--json").json
    assert [(task["state"], task["outcome"]) for task in shown["tasks"]] == [
        ("FAILED", "CANCELLED"),
        ("PENDING", None),
    ]
    assert "  cancelled  by " in project.mflow("status").out


def test_cancel_without_waiting(project: Project) -> None:
    project.tasks(a="touch started; sleep 60")
    running = project.start("run")
    wait_for(running, project.folder / "started")
    done = project.mflow("cancel", "1", "--no-wait")
    assert (done.code, done.out) == (0, "run 1 was asked to end\n")
    running.communicate()
    assert running.returncode == 1


def test_cancel_of_what_nobody_drives_ends_its_orphans(project: Project) -> None:
    project.tasks(a="echo $$ > pid; touch started; sleep 60", b={"command": "true", "depends": ["a"]})
    running = project.start("run")
    wait_for(running, project.folder / "started")
    running.kill()
    running.communicate()
    done = project.mflow("cancel", "1")
    assert done.code == 0, done
    assert "nobody drives run 1" in done.err
    assert not Path(f"/proc/{(project.folder / 'pid').read_text().strip()}").exists()
    shown = project.mflow("status", "--json").json
    assert shown["run"]["state"] == "FAILED"
    assert [(task["state"], task["outcome"]) for task in shown["tasks"]] == [
        ("FAILED", "CANCELLED"),
        ("PENDING", None),
    ]


def test_cancel_of_a_run_that_was_never_begun(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.finish(run, None)
    assert project.mflow("cancel", str(run), *DATABASE).code == 0
    assert project.mflow("status", "--json", *DATABASE).json["run"]["state"] == "FAILED"


def test_cancel_of_what_has_ended_says_so(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.finish(run, RunState.FAILED)
    done = project.mflow("cancel", str(run), *DATABASE)
    assert (done.code, done.out, done.err) == (0, f"run {run} has ended already: FAILED\n", "")
