"""Workers that end: what can be said of the cause."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest

from mflow.engine.identity import signal_pidfd
from tests.engine.boss import Boss, wait_for_end


@pytest.fixture
def boss(tmp_path: Path) -> Iterator[Boss]:
    boss = Boss(tmp_path)
    yield boss
    boss.worker.close()


def test_who_killed_a_worker_is_guessed(boss: Boss) -> None:
    signal_pidfd(boss.worker.pidfd, signal.SIGKILL)
    boss.wait_for_exit()
    assert boss.worker.probable_cause() == "it was ended by SIGKILL, perhaps by the out-of-memory killer"


def test_nothing_is_made_up_when_the_fork_server_died_too(boss: Boss) -> None:
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    pidfd = os.pidfd_open(server)
    signal_pidfd(pidfd, signal.SIGKILL)
    wait_for_end(pidfd)
    os.close(pidfd)
    signal_pidfd(boss.worker.pidfd, signal.SIGKILL)
    boss.wait_for_exit()
    assert boss.worker.probable_cause() == "its end was not seen"
