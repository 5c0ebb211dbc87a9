"""Signals, terminals and pipes: what stops a run, what does not, and how it is left."""

import os
import signal
import subprocess
from typing import Any

import pytest

from mflow.core.states import Outcome
from mflow.engine.ownership import wake
from mflow.store.connect import open_store
from tests.chaos import census
from tests.chaos.site import Site, eventually


def gated(site: Site) -> Any:
    """One gated task and one behind it."""
    gate = site.gate("a")
    site.tasks(a=gate.command("echo a"), b={"depends": ["a"], "command": "true"})
    return gate


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
@pytest.mark.parametrize("to_group", [False, True], ids=["process", "group"])
def test_a_stop_ends_tasks_and_leaves_the_run_to_be_resumed(
    site: Site, signum: signal.Signals, code: int, to_group: bool
) -> None:
    gate = gated(site)
    run = site.run()
    gate.pid()
    (os.killpg if to_group else os.kill)(run.pid, signum)
    done = run.end()
    assert done.code == code
    assert f"resume {run.id}" in done.err
    site.assert_nobody_left()
    assert site.states(run.id) == {"a": "PENDING", "b": "PENDING"}
    [attempt] = site.attempts(run.id, "a")
    assert attempt.end is not None
    assert attempt.end.outcome is Outcome.CANCELLED
    assert site.rows(run.id)["a"].tries == 0
    again = site.resume(run.id)
    gate.pid()
    gate.open()
    assert again.end().code == 0


def test_a_task_that_ignores_everything_is_killed_when_the_grace_is_over(site: Site) -> None:
    gate = site.gate("a")
    site.config(kill_grace_seconds=0.5)
    site.tasks(a=f"trap '' TERM INT HUP; {gate.tell()}; while :; do sleep 600; done")
    run = site.run()
    pid = gate.pid()
    run.kill(signal.SIGTERM)
    assert run.end().code == 143
    assert not census.kill(pid, 0)
    site.assert_nobody_left()
    assert site.states(run.id) == {"a": "PENDING"}


@pytest.mark.parametrize(("signum", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_before_anything_has_begun(site: Site, signum: signal.Signals, code: int) -> None:
    gate = gated(site)
    run = site.run()
    assert run.id == 1
    run.kill(signum)
    done = run.end()
    assert done.code == code, done
    assert "resume 1" in done.err
    site.assert_nobody_left()
    again = site.resume(1)
    gate.pid()
    gate.open()
    assert again.end().code == 0


def test_a_hang_up_stops_nothing(site: Site) -> None:
    gate = gated(site)
    run = site.run()
    gate.pid()
    os.killpg(run.pid, signal.SIGHUP)
    gate.open()
    assert run.end().code == 0
    assert len(site.attempts(run.id, "a")) == 1


def test_a_run_that_is_stopped_and_continued(site: Site) -> None:
    """Its task ends meanwhile; the worker keeps the outcome in a file until the supervisor hears it."""
    gate = gated(site)
    run = site.run(start_new_session=False, process_group=0)
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    os.killpg(run.pid, signal.SIGTSTP)
    os.waitid(os.P_PID, run.pid, os.WSTOPPED | os.WNOWAIT)
    gate.open()
    outcome = site.folder / "logs" / f"run-{run.id}" / "a.1.outcome"
    eventually(outcome.exists)
    os.killpg(run.pid, signal.SIGCONT)
    assert run.end().code == 0
    assert len(site.attempts(run.id, "a")) == 1
    assert not outcome.exists()
    site.assert_nobody_left()


def test_a_request_that_comes_before_the_supervisor_listens_is_neither_deadly_nor_lost(site: Site) -> None:
    gated(site)
    run = site.run()
    eventually((site.folder / "mflow.db").exists)
    store = open_store(f"sqlite:///{site.folder}/mflow.db", create=True)
    made = eventually(store.newest_run)
    assert made is not None
    store.request_cancel(made.id, "somebody")
    wake(made)
    store.close()
    done = run.end()
    assert done.code == 1, done
    assert str(site.row(run.id).state) == "FAILED"
    assert site.rows(run.id)["b"].attempts == 0
    site.assert_nobody_left()


# ------------------------------------------------------------------------------------------ terminals and pipes


def test_a_terminal_that_goes_away_stops_nothing(site: Site) -> None:
    gate = gated(site)
    ours, theirs = os.openpty()
    process = site.start(
        "run",
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        preexec_fn=lambda: os.login_tty(theirs),
    )
    os.close(theirs)
    gate.pid()
    os.close(ours)
    gate.open()
    assert process.wait(30) == 0
    assert site.states(1) == {"a": "SUCCESS", "b": "SUCCESS"}
    site.assert_nobody_left()


def test_a_reader_that_goes_away_stops_nothing(site: Site) -> None:
    gate = gated(site)
    run = site.run()
    assert run.id == 1
    assert run.process.stdout is not None
    run.process.stdout.close()
    gate.pid()
    gate.open()
    assert run.process.wait(30) == 0
    assert site.states(1) == {"a": "SUCCESS", "b": "SUCCESS"}


def test_a_reader_that_stops_reading_stops_nothing(site: Site) -> None:
    """A pipe that nobody empties is full after 64 KiB."""
    site.tasks(**{f"{'long' * 20}{no}": "true" for no in range(300)})
    run = site.run()
    assert run.id == 1
    eventually(lambda: list(site.states(1).values()) == ["SUCCESS"] * 300)
    assert run.end().code == 0


@pytest.mark.parametrize(
    "redirection", [">&- 2>&- <&-", "> /dev/full 2> /dev/full", "> /dev/null 2>&1 < /dev/null"]
)
def test_a_run_without_anything_to_write_to(site: Site, redirection: str) -> None:
    site.tasks(a="echo a", b={"depends": ["a"], "command": "true"})
    command = " ".join(site.command("run"))
    done = subprocess.run(
        ["bash", "-c", f"{command} {redirection}"],
        cwd=site.folder,
        env=site.environ(),
        timeout=60,
        check=False,
    )
    assert site.states(1) == {"a": "SUCCESS", "b": "SUCCESS"}
    assert done.returncode == 0
    site.assert_nobody_left()
