"""What is said of processes that are stopped."""

import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace

import pytest

from mflow.core.model import Identity, TaskRow
from mflow.core.states import TaskState
from mflow.engine.identity import identity_of, own_identity
from mflow.engine.stalls import stalls


@pytest.fixture
def stopped() -> Iterator[Identity]:
    """A process that is stopped."""
    with subprocess.Popen(["sleep", "60"]) as process:
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED)
        found = identity_of(process.pid)
        assert found
        yield found
        process.kill()


def row(worker: Identity, leader: Identity | None = None, state: TaskState = TaskState.RUNNING) -> TaskRow:
    found = TaskRow(3, "a", "bash", state, 1, worker=worker)
    return replace(found, pid=leader.pid, leader_ticks=leader.start_ticks) if leader else found


def test_a_worker_that_is_stopped(stopped: Identity) -> None:
    said = stalls([row(stopped)])
    assert "its worker is stopped" in said[3]
    assert f"kill -CONT {stopped.pid}" in said[3]


def test_a_task_whose_process_is_stopped(stopped: Identity) -> None:
    assert stalls([row(own_identity(), stopped)]) == {3: f"it is stopped: kill -CONT {stopped.pid}"}


def test_another_process_of_that_pid_elsewhere_or_later_is_not_meant(stopped: Identity) -> None:
    later = replace(stopped, start_ticks=stopped.start_ticks + 1)
    elsewhere = replace(stopped, boot_id="another")
    rows = [row(later), row(elsewhere), row(own_identity(), later), row(own_identity())]
    assert [stalls([one]) for one in rows] == [{}] * 4


def test_only_of_what_runs(stopped: Identity) -> None:
    assert stalls([row(stopped, state=TaskState.SUCCESS)]) == {}
