"""Workers that end: what can be said of the cause."""

import os
import signal
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest

from mflow.engine import pool
from mflow.engine.identity import signal_pidfd
from mflow.engine.messages import Ended
from tests.engine.boss import Boss, settings, wait_for_end

SECRET = "Vb7_only_for_the_supervisor"


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
    _stop_the_fork_server()
    signal_pidfd(boss.worker.pidfd, signal.SIGKILL)
    boss.wait_for_exit()
    assert boss.worker.probable_cause() == "its end was not seen"


def test_what_a_worker_was_started_with_shows_no_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MFLOW_DATABASE", f"oracle+oracledb://mflow:{SECRET}@db/service")
    monkeypatch.setenv("ANY_NAME", SECRET)
    _stop_the_fork_server()
    boss = Boss(tmp_path, environ={"PATH": os.environ["PATH"], "ANY_NAME": SECRET})
    parents = "for pid in $PPID $(awk '/^PPid/ {print $2}' /proc/$PPID/status)"
    given = boss.run(f"{parents}; do tr '\\0' '\\n' < /proc/$pid/environ; done; echo mine: $ANY_NAME")
    assert boss.expect(Ended).end.exit_code == 0
    lines = boss.log(given).splitlines()
    assert [line for line in lines if SECRET in line] == [f"mine: {SECRET}"]
    assert os.environ["ANY_NAME"] == SECRET
    boss.worker.close()


def test_a_stopped_fork_server_goes_on_for_the_next_worker(tmp_path: Path) -> None:
    pool.prestart()
    for server in pool.own_servers():
        os.kill(server, signal.SIGSTOP)
    before = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    boss = Boss(tmp_path)
    assert boss.end_of("true").exit_code == 0
    assert forkserver._forkserver._forkserver_pid == before  # type: ignore[attr-defined]
    boss.worker.close()


def test_a_fork_server_that_never_answers_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool.prestart()
    before = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    pidfd = os.pidfd_open(before)
    os.kill(before, signal.SIGSTOP)
    with monkeypatch.context() as patched:
        patched.setattr(pool, "wake_servers", lambda: None)  # as if it were stopped right afterwards
        patched.setattr(pool, "ANSWER_SECONDS", 0.1)
        has_alarm = signal.getitimer(signal.ITIMER_REAL)[0] > 0  # of who bounds the test
        with pytest.raises((OSError, EOFError)):
            pool.start_worker(1, settings(tmp_path, environ={"LONG": "x" * 1_000_000}))
    wait_for_end(pidfd)
    os.close(pidfd)
    boss = Boss(tmp_path)
    assert boss.end_of("true").exit_code == 0
    assert forkserver._forkserver._forkserver_pid != before  # type: ignore[attr-defined]
    assert (signal.getitimer(signal.ITIMER_REAL)[0] > 0) == has_alarm
    boss.worker.close()


def test_the_fork_server_shares_no_group_and_no_session(boss: Boss) -> None:
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    assert (os.getsid(server), os.getpgid(server)) == (server, server)


def _stop_the_fork_server() -> None:
    """One that an earlier test has started was started with what the environment was then."""
    server = forkserver._forkserver._forkserver_pid  # type: ignore[attr-defined]
    if server:
        pidfd = os.pidfd_open(server)
        signal_pidfd(pidfd, signal.SIGKILL)
        wait_for_end(pidfd)
        os.close(pidfd)
