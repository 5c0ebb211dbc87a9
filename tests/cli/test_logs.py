"""`mflow logs` through the real entry point."""

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mflow.core.states import RunState, TaskState
from tests.cli.project import Project, bash_tasks

DATABASE = ("--database", "sqlite:///mflow.db")


@pytest.fixture
def tried_twice(project: Project) -> Project:
    """Task extract of run 1 failed, and succeeded at its second try; load was never started."""
    run = project.new_run(*bash_tasks(extract=(), load=("extract",)))
    project.begin(run, 0, printed="first\n")
    project.end(run, 0, TaskState.PENDING, 1, not_before=datetime.now(UTC))
    project.begin(run, 0, attempt=2, printed="second\n")
    project.end(run, 0, TaskState.SUCCESS, 0, attempt=2)
    return project


def test_the_last_attempts_log_as_it_is(tried_twice: Project) -> None:
    Path(tried_twice.log(1, 0, 2)).write_bytes(b"second \x1b[31m\xff\n")
    shown = tried_twice.start("logs", "1", "extract", *DATABASE, errors="surrogateescape")
    assert shown.communicate() == ("second \x1b[31m\udcff\n", "")
    assert shown.returncode == 0


def test_an_earlier_attempt(tried_twice: Project) -> None:
    assert tried_twice.mflow("logs", "1", "extract", "--attempt", "1", *DATABASE).out == "first\n"


def test_an_attempt_that_was_not(tried_twice: Project) -> None:
    shown = tried_twice.mflow("logs", "1", "extract", "--attempt", "3", *DATABASE)
    assert shown.code == 2
    assert 'task "extract" of run 1 has no attempt 3; there are: 1, 2' in shown.err


def test_where_all_logs_are(tried_twice: Project) -> None:
    assert tried_twice.mflow("logs", "1", *DATABASE).out.splitlines() == [
        "TASK     STATE    ATTEMPT  END          LOG",
        f"extract  SUCCESS  2        exit code 0  {tried_twice.log(1, 0, 2)}",
    ]


def test_a_near_miss_of_a_task_is_answered_with_the_task(tried_twice: Project) -> None:
    shown = tried_twice.mflow("logs", "1", "extarct", *DATABASE)
    assert shown.code == 2
    assert shown.err.splitlines() == ['mflow: error: run 1 has no task "extarct" (did you mean "extract"?)']


def test_a_task_that_was_not_started(tried_twice: Project) -> None:
    shown = tried_twice.mflow("logs", "1", "load", *DATABASE)
    assert shown.code == 2
    assert "has not been started" in shown.err


def test_a_log_that_is_gone(tried_twice: Project) -> None:
    Path(tried_twice.log(1, 0, 2)).unlink()
    shown = tried_twice.mflow("logs", "1", "extract", *DATABASE)
    assert shown.code == 2
    assert f"the log {tried_twice.log(1, 0, 2)} is gone" in shown.err


def test_a_pipe_in_the_place_of_a_log_does_not_hang(tried_twice: Project) -> None:
    path = Path(tried_twice.log(1, 0, 2))
    path.unlink()
    os.mkfifo(path)
    shown = tried_twice.mflow("logs", "1", "extract", *DATABASE)
    assert shown.code == 2
    assert "not a regular file" in shown.err


def test_an_attempt_needs_a_task(tried_twice: Project) -> None:
    assert tried_twice.mflow("logs", "1", "--attempt", "1", *DATABASE).code == 2


def test_without_a_run_the_newest_outer_one_is_listed_and_named(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0)
    inner = project.new_run(*bash_tasks(inner=()), parent=run)
    project.begin(inner, 0)
    shown = project.mflow("logs", *DATABASE)
    assert shown.code == 0, shown
    assert shown.err == f"mflow: run {run}, the newest\n"
    assert [line.split()[0] for line in shown.out.splitlines()] == ["TASK", "a"]


def test_following_a_run_that_is_over_prints_all_of_every_attempt(tried_twice: Project) -> None:
    tried_twice.begin(1, 1, printed="no line end")
    tried_twice.end(1, 1, TaskState.FAILED, 7)
    tried_twice.finish(1, RunState.FAILED)
    shown = tried_twice.mflow("logs", "-f", *DATABASE)
    assert shown.code == 0, shown
    assert sorted(shown.out.splitlines()) == ["extract #2 | second", "extract | first", "load | no line end"]
    assert "mflow: load: exit code 7\n" in shown.err
    assert shown.err.endswith("mflow: run 1 has ended: FAILED\n")


def test_following_a_run_shows_what_comes_until_its_end(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=(), b=("a",)))
    project.begin(run, 0, printed="one\nhalf a ")
    following = project.start("logs", str(run), "-f", *DATABASE)
    assert following.stdout
    assert following.stdout.readline() == "a | one\n"
    with open(project.log(run, 0), "a", encoding="utf-8") as log:
        log.write("line\n")
    assert following.stdout.readline() == "a | half a line\n"
    project.end(run, 0, TaskState.SUCCESS, 0)
    project.begin(run, 1, printed="two\n")
    assert following.stdout.readline() == "b | two\n"
    project.end(run, 1, TaskState.SUCCESS, 0)
    project.finish(run, RunState.SUCCESS)
    rest = following.communicate()
    assert following.returncode == 0
    assert rest == ("", f"mflow: run {run} has ended: SUCCESS\n")


def test_following_a_run_ends_when_nobody_drives_it(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0, printed="one\n")
    project.finish(run, None)
    shown = project.mflow("logs", str(run), "-f", *DATABASE)
    assert (shown.code, shown.out) == (0, "a | one\n")
    assert shown.err.startswith(f"mflow: nobody drives run {run} now; to go on: mflow resume ")


def test_the_log_of_a_task_that_left_the_run_can_be_read(project: Project) -> None:
    project.tasks(**{"a": "true", "b/c": "echo printed; exit 1"})
    assert project.mflow().code == 1
    assert project.mflow("resume", "1").code == 1
    project.tasks(a="true")
    assert project.mflow("resume", "1", "--taskfile", "tasks.json").code == 0
    shown = project.mflow("logs", "1", "b/c")
    assert (shown.code, shown.out) == (0, "printed\n")
    assert "has left run 1" in shown.err
    assert project.mflow("logs", "1", "b/c", "--attempt", "1").out == "printed\n"
    wrong = project.mflow("logs", "1", "b/c", "--attempt", "3")
    assert (wrong.code, "attempts: 1, 2" in wrong.err) == (2, True)
    listed = project.mflow("logs", "1").out.splitlines()
    assert "has left the run" in listed[-1]
    assert "b_c~" in listed[-1]
    assert project.mflow("logs", "1", "never").code == 2


def test_following_what_is_over_prints_it_and_ends(tried_twice: Project) -> None:
    shown = tried_twice.mflow("logs", "1", "extract", "--follow", *DATABASE)
    assert (shown.code, shown.out) == (0, "second\n")
    assert shown.err == "mflow: attempt 2: exit code 0\n"


def test_following_goes_from_attempt_to_attempt(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0, printed="one\n")
    following = project.start("logs", str(run), "a", "--follow", *DATABASE)
    assert following.stdout
    assert following.stderr
    assert following.stdout.readline() == "one\n"
    with open(project.log(run, 0), "a", encoding="utf-8") as log:
        log.write("more\n")
    assert following.stdout.readline() == "more\n"
    project.end(run, 0, TaskState.PENDING, 1, not_before=datetime.now(UTC))
    assert following.stderr.readline().startswith("mflow: attempt 1: exit code 1; next try at ")
    project.begin(run, 0, attempt=2, printed="two\n")
    assert following.stdout.readline() == "two\n"
    project.end(run, 0, TaskState.SUCCESS, 0, attempt=2)
    rest = following.communicate()
    assert following.returncode == 0
    assert rest == ("", "mflow: attempt 2: exit code 0\n")


def test_following_ends_when_nobody_drives_the_run(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0, printed="one\n")
    project.finish(run, None)
    shown = project.mflow("logs", str(run), "a", "--follow", *DATABASE)
    assert (shown.code, shown.out) == (0, "one\n")
    assert shown.err.startswith(f"mflow: nobody drives run {run} now; to go on: mflow resume ")


def test_following_a_task_that_never_came_ends_with_the_run(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.finish(run, RunState.FAILED)
    assert project.mflow("logs", str(run), "a", "--follow", *DATABASE).code == 0
