"""The database goes away, is locked, or has no room: running tasks go on, and everything is written once it is back."""

import resource
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from tests.chaos import census
from tests.chaos.site import Run, Site, eventually


@contextmanager
def locked(site: Site) -> Iterator[None]:
    """Another process has the database for itself."""
    connection = sqlite3.connect(site.folder / "mflow.db", isolation_level=None, timeout=30)
    connection.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def outcome_files(site: Site) -> list[str]:
    """The outcomes that workers keep in files."""
    return sorted(path.name for path in (site.folder / "logs").glob("run-*/*.outcome"))


def assert_done_once(site: Site, run_id: int, *names: str) -> None:
    """Each of these is SUCCESS by its first attempt, and has printed its name once."""
    for name in names:
        assert site.states(run_id)[name] == "SUCCESS"
        assert len(site.attempts(run_id, name)) == 1
        assert site.printed(run_id, name) == f"{name}\n"


def two_in_a_row(site: Site, then: str = "echo a") -> Run:
    """A gated task and one that depends on it; the gated one runs, and the database knows when it began."""
    gate = site.gate("a")
    site.tasks(a=gate.command(then), b={"depends": ["a"], "command": "echo b"})
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    return run


def test_a_locked_database_pauses_dispatching_only(site: Site) -> None:
    run = two_in_a_row(site)
    with locked(site):
        site.gate_of("a").open()
        eventually(lambda: outcome_files(site) == ["a.1.outcome"], "the worker keeps the outcome in its file")
        said = run.says("nothing new starts until it is back")
        assert "locked" in said
        assert site.states(run.id) == {"a": "RUNNING", "b": "PENDING"}
    done = run.end()
    assert done.code == 0
    assert "the database is back" in done.err
    assert_done_once(site, run.id, "a", "b")
    assert outcome_files(site) == []


def test_a_supervisor_that_dies_in_an_outage_loses_nothing(site: Site) -> None:
    run = two_in_a_row(site)
    with locked(site):
        site.gate_of("a").open()
        eventually(lambda: outcome_files(site) == ["a.1.outcome"])
        run.kill()
    assert site.resume(run.id).end().code == 0
    assert_done_once(site, run.id, "a", "b")
    site.assert_nobody_left()


def test_when_patience_is_over_the_supervisor_leaves_and_its_tasks_are_adopted(site: Site) -> None:
    site.config(database_patience_seconds=1)
    run = two_in_a_row(site)
    with locked(site):
        run.kill(signal.SIGUSR1)  # makes it look at its row now
        done = run.end()
    assert done.code == 4
    assert "locked" in done.err
    assert f"resume {run.id}" in done.err
    assert census.of_role(site.mark, "task"), "the task goes on"
    again = site.resume(run.id)
    eventually(lambda: "adopted" in site.master_log())
    site.gate_of("a").open()
    assert again.end().code == 0
    assert_done_once(site, run.id, "a", "b")
    site.assert_nobody_left()


def test_a_stop_does_not_wait_for_a_database_that_is_away(site: Site) -> None:
    run = two_in_a_row(site)
    with locked(site):
        run.kill(signal.SIGTERM)
        done = run.end()
        assert done.code == 143
        site.assert_nobody_left()
        assert outcome_files(site) == ["a.1.outcome"]
    again = site.resume(run.id)
    site.gate_of("a").open()
    assert again.end().code == 0
    assert [one.end.outcome for one in site.attempts(run.id, "a") if one.end] == [
        Outcome.CANCELLED,
        Outcome.EXITED,
    ]
    assert site.rows(run.id)["a"].tries == 1, "the stop has used up no try"


def test_a_database_file_that_was_moved_away_and_back(site: Site) -> None:
    run = two_in_a_row(site)
    database, elsewhere = site.folder / "mflow.db", site.folder / "elsewhere"
    elsewhere.mkdir()
    moved = list(site.folder.glob("mflow.db*"))
    for path in moved:
        path.rename(elsewhere / path.name)
    site.gate_of("a").open()
    run.says("nothing new starts until it is back")
    assert not database.exists(), "nobody makes a new one"
    for path in moved:
        (elsewhere / path.name).rename(path)
    assert run.end().code == 0
    assert_done_once(site, run.id, "a", "b")


def test_a_database_that_was_replaced_by_another_is_not_written_to(site: Site) -> None:
    run = two_in_a_row(site)
    database, kept = site.folder / "mflow.db", site.folder / "kept"
    kept.mkdir()
    for path in list(site.folder.glob("mflow.db*")):
        path.rename(kept / path.name)
    site.change("CREATE TABLE theirs (id INTEGER)")
    theirs = database.read_bytes()
    site.gate_of("a").open()
    done = run.end()
    assert done.code == 4, done
    assert database.read_bytes() == theirs
    site.assert_nobody_left()
    for path in kept.iterdir():
        path.rename(site.folder / path.name)
    assert site.resume(run.id).end().code == 0
    assert_done_once(site, run.id, "a", "b")


def test_a_file_size_limit_that_is_reached_and_raised(site: Site) -> None:
    """What a full disk does to one process alone: none of its writes beyond a size succeeds."""
    run = two_in_a_row(site)
    limits = resource.prlimit(run.pid, resource.RLIMIT_FSIZE, (16384, -1))
    site.gate_of("a").open()
    run.says("nothing new starts until it is back")
    assert run.process.poll() is None
    resource.prlimit(run.pid, resource.RLIMIT_FSIZE, limits)
    assert run.end().code == 0
    assert_done_once(site, run.id, "a", "b")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if made.returncode:
        pytest.skip(f"a file system can be mounted by root only: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(path: Path) -> None:
    """Write to a file until there is no room left."""
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    assert shutil.disk_usage(path).free == 0


def test_a_full_disk_pauses_the_run(small_disk: Path, tmp_path: Path) -> None:
    site = Site(small_disk / "site", tmp_path)
    try:
        run = two_in_a_row(site, then="true")  # its own output would have no room either
        filler = small_disk / "filler"
        fill(filler)
        site.gate_of("a").open()
        run.says("nothing new starts until it is back")
        filler.unlink()
        done = run.end()
        assert done.code == 0, done
        assert site.states(run.id) == {"a": "SUCCESS", "b": "SUCCESS"}
        assert len(site.attempts(run.id, "a")) == 1
        site.assert_nobody_left()
    finally:
        site.close()
        shutil.rmtree(site.folder)
