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


def test_following_needs_a_task(tried_twice: Project) -> None:
    assert tried_twice.mflow("logs", "1", "--follow", *DATABASE).code == 2


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
