"""A stop that reached more than the supervisor, or only its fork server: it goes on with all that it needs."""

import os
import signal

import pytest

from mflow.engine import identity
from mflow.engine.identity import identity_of
from tests.chaos import census
from tests.chaos.site import Run, Site, eventually


@pytest.fixture
def run(site: Site) -> Run:
    """`first` runs; behind it are two tasks, the second of which needs a worker that is not there yet."""
    first, left, right = site.gate("first"), site.gate("left"), site.gate("right")
    site.tasks(
        first=first.command(),
        left={"depends": ["first"], "command": left.command()},
        right={"depends": ["first"], "command": right.command()},
    )
    run = site.run()
    first.pid()
    eventually(lambda: site.is_running(run.id, "first"))
    return run


def stop(pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: _is_stopped(pid), "stopped")


def _is_stopped(pid: int) -> bool:
    found = identity_of(pid)
    return found is not None and identity.is_stopped(found)


def assert_it_goes_on(site: Site, run: Run) -> None:
    site.gate_of("first").open()
    for name in ("left", "right"):
        site.gate_of(name).pid()
        site.gate_of(name).open()
    assert run.end().code == 0
    assert [len(site.attempts(run.id, name)) for name in ("first", "left", "right")] == [1, 1, 1]
    site.assert_nobody_left()


def test_of_a_group_that_was_stopped_the_supervisor_alone_is_told_to_go_on(site: Site, run: Run) -> None:
    os.killpg(run.pid, signal.SIGSTOP)
    eventually(lambda: _is_stopped(run.pid), "stopped")
    assert f"kill -CONT {run.pid}" in site.mflow("status", str(run.id)).out
    run.kill(signal.SIGCONT)
    assert_it_goes_on(site, run)


def test_the_fork_server_and_the_tracker_alone_are_stopped(site: Site, run: Run) -> None:
    for process in census.of_role(site.mark, "forkserver", "tracker"):
        stop(process.pid)
    assert_it_goes_on(site, run)


@pytest.mark.parametrize("ask", [signal.SIGTERM, signal.SIGINT])
def test_whose_fork_server_is_stopped_is_no_deafer(site: Site, run: Run, ask: signal.Signals) -> None:
    [server] = census.of_role(site.mark, "forkserver")
    stop(server.pid)
    site.gate_of("first").open()
    site.gate_of("left").pid()
    site.gate_of("right").pid()
    stop(server.pid)
    run.kill(ask)
    assert run.end().code == 128 + ask
    site.assert_nobody_left()
