"""All processes below one: found, named, and signalled without hitting another."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from mflow.engine import tree
from tests.engine.boss import Fifo, await_exit, is_over


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "told")
    yield fifo
    fifo.close()


@pytest.fixture
def family(fifo: Fifo) -> Iterator[subprocess.Popen[bytes]]:
    """A bash with a child and a grandchild; their pids are on the FIFO."""
    grandchild = f"sleep 1000 & echo $! > {fifo}; wait"
    process = subprocess.Popen(["bash", "-c", f"bash -c '{grandchild}' & echo $! > {fifo}; wait"])
    yield process
    for each in tree.descendants(process.pid):
        each.kill()
    process.kill()
    process.wait()


def test_descendants_and_children(family: subprocess.Popen[bytes], fifo: Fifo) -> None:
    told = sorted(int(fifo.line()) for _ in range(2))
    assert tree.pids(tree.descendants(family.pid)) == tuple(told)
    assert family.pid in tree.child_pids()
    assert family.pid in tree.pids(tree.children())


def test_signalling_all(family: subprocess.Popen[bytes], fifo: Fifo) -> None:
    below = [fifo.pid(), fifo.pid()]
    found = tree.descendants(family.pid)
    assert tree.signal_all(found, signal.SIGKILL) == 2
    for each in below:
        await_exit(each.pid)
    family.wait()
    assert all(is_over(each) for each in below)
    assert tree.descendants(family.pid) == []


def test_a_pid_used_again_is_not_signalled() -> None:
    class Reused(psutil.Process):
        def is_running(self) -> bool:
            return False

    process = subprocess.Popen(["sleep", "1000"])
    counted = tree.signal_all([Reused(process.pid)], signal.SIGTERM)
    process.kill()
    assert (counted, process.wait()) == (0, -signal.SIGKILL)


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert process.pid in tree.child_pids()
    assert process.pid not in tree.pids(tree.children())
    process.wait()
    assert process.pid not in tree.child_pids()


def test_describing() -> None:
    own = psutil.Process()
    assert tree.describe([own]) == f"{own.name()} (pid {own.pid})"
    assert tree.describe([own] * 7).endswith(" and 2 more")


def test_orphans_land_at_a_subreaper() -> None:
    script = """
import os, sys
from mflow.engine.tree import become_subreaper
become_subreaper()
read, write = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.read(read, 1)
        os._exit(7)
    os._exit(0)
os.wait()
os.write(write, b"x")
_, status = os.wait()  # the orphan is ours
sys.exit(os.waitstatus_to_exitcode(status))
"""
    done = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).parents[2])
    assert done.returncode == 7
