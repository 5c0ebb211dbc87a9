"""Processes are told apart beyond doubt, and signals never hit another."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from mflow.engine.identity import identity_of, open_verified, own_identity, signal_pidfd, signal_verified


def descriptors_open() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "1000"])
    yield process
    process.kill()
    process.wait()


def test_our_own() -> None:
    own = own_identity()
    assert own.pid == os.getpid()
    assert own.host == socket.gethostname()
    assert own.pid_ns == Path("/proc/self/ns/pid").stat().st_ino
    assert len(own.boot_id) == 36
    started = psutil.boot_time() + own.start_ticks / os.sysconf("SC_CLK_TCK")
    assert abs(started - psutil.Process().create_time()) < 2


def test_after_a_fork_it_is_the_childs_own() -> None:
    own_identity()
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, str(own_identity().pid).encode())
        os._exit(0)
    os.close(write)
    child, _ = os.wait()
    assert int(os.read(read, 100)) == child
    os.close(read)


@pytest.mark.parametrize("name", ["plain", "two words", ") R 1 2 (", "((("])
def test_a_name_cannot_confuse(tmp_path: Path, name: str) -> None:
    """Field 2 of /proc/PID/stat is the command's name, whatever it holds."""
    program = tmp_path / name
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "1000"]) as process:
        identity = identity_of(process.pid)
        assert identity is not None
        started = psutil.boot_time() + identity.start_ticks / os.sysconf("SC_CLK_TCK")
        assert abs(started - psutil.Process(process.pid).create_time()) < 2
        process.kill()


def test_nobody_has_no_identity(sleeper: subprocess.Popen[bytes]) -> None:
    sleeper.kill()
    sleeper.wait()
    assert identity_of(sleeper.pid) is None


def test_a_pidfd_of_exactly_this_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    pidfd = open_verified(identity)
    assert pidfd is not None
    assert signal_pidfd(pidfd, signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM
    assert not signal_pidfd(pidfd, signal.SIGTERM)
    os.close(pidfd)
    assert open_verified(identity) is None
    assert not signal_verified(identity, signal.SIGTERM)


@pytest.mark.parametrize("other", [{"start_ticks": 1}, {"boot_id": "another"}, {"pid_ns": 1}])
def test_another_process_with_the_same_pid_is_not_touched(
    sleeper: subprocess.Popen[bytes], other: dict[str, object]
) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    imposter = replace(identity, **other)  # type: ignore[arg-type]
    descriptors = descriptors_open()
    assert open_verified(imposter) is None
    assert not signal_verified(imposter, signal.SIGKILL)
    assert descriptors_open() == descriptors
    assert sleeper.poll() is None


def test_a_changed_host_name_is_the_same_process(sleeper: subprocess.Popen[bytes]) -> None:
    identity = identity_of(sleeper.pid)
    assert identity is not None
    assert signal_verified(replace(identity, host="renamed", machine_id=None), signal.SIGTERM)
    assert sleeper.wait() == -signal.SIGTERM


@pytest.mark.parametrize("pid", [-1, 0, 1 << 22, 1 << 31, 1 << 70])
def test_pids_from_a_damaged_row(pid: int) -> None:
    assert open_verified(replace(own_identity(), pid=pid)) is None
