"""What is left on the disk after kills and resumes: the logs, the database, and nothing else."""

import os
import shutil
import signal
from functools import partial
from pathlib import Path

import pytest

from mflow.engine.evidence import fallback_folder
from tests.chaos import census
from tests.chaos.site import Site, eventually

TASKS = 40


@pytest.fixture
def temporary(site: Site, tmp_path: Path) -> Path:
    """The temporary directory of all that is started in the site, with a name that is too long for a socket."""
    folder = tmp_path / ("t" * 120)
    folder.mkdir()
    site.env["TMPDIR"] = str(folder)
    return folder


def outcomes(site: Site) -> list[Path]:
    return sorted((site.folder / "logs").rglob("*.outcome*"))


def has_succeeded(site: Site, run_id: int, tasks: int) -> bool:
    return list(site.states(run_id).values()).count("SUCCESS") >= tasks


def test_a_supervisor_that_is_killed_leaves_nothing_in_the_temporary_directory(
    site: Site, temporary: Path
) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    assert list(temporary.iterdir()) == []
    run.kill()
    second = site.resume(run.id)
    second.says("adopted")
    gate.open()
    assert second.end().code == 0
    assert list(temporary.iterdir()) == []


def test_no_name_of_the_fork_servers_socket_is_left_when_it_is_started_anew(
    site: Site, temporary: Path
) -> None:
    gate, both = site.gate("a"), [site.gate(name) for name in "bc"]
    later = {
        name: {"depends": ["a"], "command": each.command()} for name, each in zip("bc", both, strict=True)
    }
    site.tasks(a=gate.command(), **later)
    run = site.run()
    gate.pid()
    [server] = census.of_role(site.mark, "forkserver")
    os.kill(server.pid, signal.SIGKILL)
    gate.open()
    for each in both:  # a second worker, by a second fork server
        each.pid()
    assert list(temporary.iterdir()) == []
    for each in both:
        each.open()
    assert run.end().code == 0
    assert list(temporary.iterdir()) == []


def test_outcomes_that_were_read_are_removed(site: Site, temporary: Path) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command(), b={"depends": ["a"], "command": "true"})
    run = site.run()
    gate.pid()
    run.kill()
    gate.open()
    eventually(lambda: [path.name for path in outcomes(site)] == ["a.1.outcome"])
    site.assert_nobody_left()
    assert site.resume(run.id).end().code == 0
    assert outcomes(site) == []
    assert [len(site.attempts(run.id, name)) for name in "ab"] == [1, 1]


def test_nor_does_one_stay_that_came_after_its_commit(site: Site, temporary: Path) -> None:
    """A worker that was not told of the commit when its supervisor died writes its outcome all the same."""
    site.tasks(**{f"t{number}": "true" for number in range(TASKS)}, last=site.gate("last").command())
    run = site.run()
    for enough in (1, TASKS // 2, TASKS):
        eventually(partial(has_succeeded, site, run.id, enough))
        run.kill()
        run = site.resume(run.id)
    site.gate_of("last").open()
    assert run.end().code == 0, run.stderr
    site.assert_nobody_left()
    assert outcomes(site) == []
    assert list(temporary.iterdir()) == []


def test_a_folder_that_was_used_instead_is_removed_with_its_last_outcome(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    row = site.row(run.id)
    shutil.rmtree(row.folder)
    Path(row.folder).write_text("in the way")
    run.kill()
    gate.open()
    folder = Path(fallback_folder(row.uid))
    eventually(lambda: folder.exists() and [path.name for path in folder.iterdir()] == ["a.1.outcome"])
    site.assert_nobody_left()
    Path(row.folder).unlink()
    assert site.resume(run.id).end().code == 0
    assert not folder.exists()


@pytest.mark.parametrize("kind", ["link", "dangling", "hard link", "fifo", "folder"])
def test_the_master_log_ends_nowhere_else(site: Site, kind: str) -> None:
    site.tasks(a="true")
    victim = site.folder / "victim"
    log = site.folder / "logs" / "mflow.log"
    log.parent.mkdir()
    victim.write_text("untouched")
    match kind:
        case "link":
            log.symlink_to(victim)
        case "dangling":
            victim.unlink()
            log.symlink_to(victim)
        case "hard link":
            log.hardlink_to(victim)
        case "fifo":
            os.mkfifo(log)
        case "folder":
            log.mkdir()
    done = site.run().end()
    assert done.code == 0
    assert done.err.count(f"the master log {log} cannot be written") == 1
    assert "the run goes on" in done.err
    if kind == "dangling":
        assert not victim.exists()
    else:
        assert victim.read_text() == "untouched"
