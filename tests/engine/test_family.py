"""Who has landed with a supervisor, and whether a dead worker has left it."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from mflow.core.recovery import Swept
from mflow.engine.family import Family
from mflow.engine.hunt import Hunt
from mflow.engine.procfs import lives
from mflow.engine.trail import Trail
from mflow.engine.tree import become_subreaper

UID = "feedfacefeedfacefeedfacefeedface"


@pytest.fixture(autouse=True)
def _reaper() -> Iterator[None]:
    become_subreaper()
    yield
    ctypes.CDLL(None).prctl(36, 0, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


@pytest.fixture
def daemons() -> Iterator[list[int]]:
    """Ended after the test."""
    pids: list[int] = []
    yield pids
    for pid in pids:
        if lives(pid):
            os.kill(pid, 9)
        os.waitpid(pid, 0)


def orphan(daemons: list[int]) -> int:
    """A process that bears nothing, and lands here since its parent is gone."""
    alone = "env={}, start_new_session=True, stdout=-3, stderr=-3"
    start = f"import subprocess; print(subprocess.Popen(['sleep', '600'], {alone}).pid)"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    daemons.append(int(done.stdout))
    return daemons[-1]


def hunted(family: Family) -> Swept:
    trail = Trail((3, 1), f"{UID}:3:1".encode(), (), 0)
    return Hunt(UID, [trail], family, ours=True).until(20)[3, 1]


def test_who_lands_when_nothing_else_could_have_left_it_is_ended(daemons: list[int]) -> None:
    family = Family()
    pid = orphan(daemons)
    assert hunted(family).is_over
    assert not lives(pid)


def test_who_lands_beside_leftovers_is_named_and_spared(daemons: list[int]) -> None:
    family = Family()
    kept = orphan(daemons)
    family.keep([kept])
    pid = orphan(daemons)
    assert hunted(family) == Swept(doubtful=(pid,))
    assert lives(kept)
    assert lives(pid)


def test_who_landed_while_every_worker_lived_is_a_leftovers_child(daemons: list[int]) -> None:
    family = Family()
    family.keep([orphan(daemons)])
    child = orphan(daemons)
    family.keep_landed(lambda: False)
    assert family.landed() == [child], "a dead worker may have left it"
    family.keep_landed(lambda: True)
    assert hunted(family) == Swept()
    assert lives(child)


def test_what_was_there_before_is_spared(daemons: list[int]) -> None:
    before = orphan(daemons)
    family = Family()
    assert not family.has_only_orphans
    assert hunted(family) == Swept()
    assert lives(before)


def test_a_number_used_again_is_not_spared(daemons: list[int]) -> None:
    family = Family()
    pid = orphan(daemons)
    family.spare(pid)
    assert family.landed() == []
    family._spared[pid] -= 1
    assert family.landed() == [pid]
