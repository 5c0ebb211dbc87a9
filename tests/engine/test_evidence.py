"""What can be seen of attempts, and what must not be concluded from what cannot."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mflow.core.model import AttemptEnd, Identity, RunRow, TaskRow
from mflow.core.recovery import Adopt, Again, Stays, Take
from mflow.core.states import Outcome, RunState, TaskState
from mflow.engine import evidence, identity
from mflow.engine.family import Family
from mflow.engine.identity import identity_of, own_identity
from mflow.engine.outcome_file import KeptOutcome, write_outcome
from tests.engine.nobody import as_nobody

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that every user may enter."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def run_in(folder: Path) -> RunRow:
    return RunRow(
        id=1,
        uid=uuid.uuid4().hex,
        state=RunState.RUNNING,
        taskfile="/tasks.json",
        cwd="/",
        config=None,
        datasources=None,
        oneshot=None,
        folder=str(folder),
        created_at=NOON,
        started_at=NOON,
        ended_at=None,
        fence=1,
        owner=None,
        lease_expired=None,
    )


def dead() -> Identity:
    """A process that was."""
    with subprocess.Popen(["sleep", "600"]) as process:
        found = identity_of(process.pid)
        process.kill()
    assert found is not None
    return found


def row_of(run: RunRow, worker: Identity) -> TaskRow:
    log = f"{run.folder}/a.1.log"
    return TaskRow(0, "a", "bash", TaskState.RUNNING, 1, worker=worker, log=log, started_at=NOON)


def settled(run: RunRow, row: TaskRow) -> AttemptEnd:
    [(_, decision, _)] = evidence.settle(run, [row], Family())
    assert isinstance(decision, Take)
    return decision.end


def test_an_outcome_of_a_dead_worker_is_taken(folder: Path) -> None:
    run = run_in(folder)
    row = row_of(run, dead())
    assert row.worker is not None
    assert row.log is not None
    end = AttemptEnd(Outcome.EXITED, exit_code=3)
    write_outcome(row.log, KeptOutcome(run.uid, 0, 1, row.worker, end), fallback_folder="/nowhere")
    assert settled(run, row) == end


def test_a_dead_worker_without_an_outcome_has_lost_its_attempt(folder: Path) -> None:
    run = run_in(folder)
    assert settled(run, row_of(run, dead())).outcome is Outcome.LOST


def test_a_damaged_outcome_is_named(folder: Path) -> None:
    run = run_in(folder)
    (folder / "a.1.outcome").write_text('{"run_uid": ')
    end = settled(run, row_of(run, dead()))
    assert end.outcome is Outcome.LOST
    assert f"{folder}/a.1.outcome cannot be used: JSONDecodeError" in (end.message or "")


def test_an_outcome_that_may_not_be_read_proves_no_loss(folder: Path) -> None:
    """Somebody else resumes the run: the attempt may well have ended in SUCCESS."""
    run = run_in(folder)
    row = row_of(run, dead())
    outcome = folder / "a.1.outcome"
    outcome.write_text("secret")
    outcome.chmod(0)
    assert as_nobody(lambda: settled(run, row).outcome) == Outcome.UNKNOWN
    outcome.unlink()
    assert as_nobody(lambda: settled(run, row).outcome) == Outcome.LOST
    folder.chmod(0o700)
    assert as_nobody(lambda: settled(run, row).outcome) == Outcome.UNKNOWN


def test_a_process_that_may_not_be_seen_is_not_taken_for_dead(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """/proc may be mounted with hidepid: a process is there, and nothing of it can be read."""
    with subprocess.Popen(["sleep", "600"]) as process:
        worker = identity_of(process.pid)
        assert worker is not None
        run = run_in(folder)
        here = own_identity()
        real = identity.identity_of
        monkeypatch.setattr(identity, "identity_of", lambda pid: None if pid == worker.pid else real(pid))
        assert own_identity() == here
        assert identity.is_alive(worker) is None
        assert settled(run, row_of(run, worker)).outcome is Outcome.UNKNOWN
        assert process.poll() is None
        process.kill()


def test_without_a_free_descriptor_nobody_is_taken_for_dead() -> None:
    code = (
        "import os, resource, sys\n"
        "from mflow.engine.identity import is_alive, own_identity\n"
        "me = own_identity()\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))\n"
        "try: print('alive:', is_alive(me))\n"
        "except OSError as error: print(error.strerror)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "Too many open files\n"


def test_a_number_used_again_is_not_the_process(folder: Path) -> None:
    other = replace(own_identity(), start_ticks=1)
    assert identity.is_alive(other) is False


def test_what_an_end_has_named_is_looked_for_by_its_number_and_time(folder: Path) -> None:
    """Whatever has become of its looks; one that has the number since is another."""
    run = run_in(folder)
    with subprocess.Popen(["sleep", "600"], env={}, start_new_session=True) as process:
        end = AttemptEnd(Outcome.UNKNOWN, survivors=(process.pid,))
        family = Family()  # it is a child of this process already, and none of the attempt's
        failed = replace(row_of(run, dead()), state=TaskState.FAILED, end=end)
        for row, stays in (
            (failed, True),
            (replace(failed, end=end._replace(ended_at=datetime.now(UTC))), True),
            (replace(failed, end=end._replace(ended_at=NOON.replace(year=2001))), False),
        ):
            [(_, decision, _)] = evidence.settle(run, [row], family)
            assert isinstance(decision, Stays) == stays
        assert process.poll() is None
        process.kill()
    [(_, decision, _)] = evidence.settle(run, [failed], Family())
    assert decision == Again()


def test_a_full_disk_has_what_cannot_be_secured_watched(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its worker lives and has not begun: nobody can see to it that it never will."""

    def full(row: TaskRow) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mflow-not-begun")

    monkeypatch.setattr(evidence, "secure", full)
    run = run_in(folder)
    evidence.mark_folder(run)
    row = replace(row_of(run, own_identity()), started_at=None)
    [(_, decision, _)] = evidence.settle(run, [row], Family())
    assert isinstance(decision, Adopt)
    assert "No space left on device" in decision.message
    failed = replace(row, state=TaskState.FAILED, end=AttemptEnd(Outcome.UNKNOWN))
    [(_, decision, _)] = evidence.settle(run, [failed], Family())
    assert isinstance(decision, Stays)
    assert "No space left on device" in decision.message
