"""Supervisor and worker are killed together, and the task has dropped what would tell whose it is.

Whatever it has dropped, nothing begins beside it. Every attempt writes down which processes of an earlier one it met.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from mflow.engine.procfs import lives
from tests.chaos import census
from tests.chaos.site import Run, Site, eventually

FIRST = """\
if [ "$MFLOW_ATTEMPT" != 1 ]; then
    for pid in $(cat {pids}); do [ -d /proc/$pid ] && ! grep -q '^State:.Z' /proc/$pid/status && echo met $pid; done
    exit 0
fi
"""
ALONE = "sh -c 'echo $$ >> {pids}; exec sleep 600' > /dev/null 2>&1"
ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")


class Escape:
    """A run whose one task has escaped in some way."""

    def __init__(self, site: Site, command: str) -> None:
        self.site, self.pids = site, site.folder / "pids"
        self.pids.touch()
        script = (FIRST + command).replace("{alone}", ALONE).replace("{pids}", str(self.pids))
        site.file("task.sh", script)
        site.tasks(a=f"exec bash {site.folder}/task.sh")
        self.run: Run = site.run()
        eventually(lambda: site.is_running(self.run.id, "a") and self.escaped, "it runs, and has escaped")

    @property
    def escaped(self) -> list[int]:
        """Processes of the first attempt that live."""
        return [pid for pid in map(int, self.pids.read_text().split()) if lives(pid)]

    def kill_all(self) -> None:
        """kill -9 to all that is mflow."""
        workers = census.of_role(self.site.mark, "worker", "forkserver", "tracker")
        self.run.process.send_signal(signal.SIGKILL)
        for process in workers:
            census.kill(process.pid)
        self.run.end()
        assert census.wait_gone([process.pid for process in workers]) == []

    def forget_beginning(self) -> None:
        """As if the database had been away when the attempt told of itself."""
        self.site.change("UPDATE mflow_attempts SET started_at = NULL, pid = NULL, leader_start_ticks = NULL")

    def assert_alone(self, *before: Outcome) -> None:
        """The next attempt has met nobody."""
        assert self.site.resume(self.run.id).end().code == 0
        assert self.site.printed(self.run.id, "a") == ""
        ends = [one.end.outcome for one in self.site.attempts(self.run.id, "a") if one.end]
        assert ends == [*before, Outcome.EXITED]
        assert self.escaped == []
        self.site.assert_nobody_left()


WAYS = {
    "leader": "exec env -i {alone}",
    "session": "env -i setsid {alone} & wait",
    "orphan": "(env -i setsid {alone} &); exec sleep 601",
    "orphan, leader gone": "(env -i setsid {alone} &) ; (sleep 601; true) & wait",
}


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
@pytest.mark.parametrize("way", WAYS)
def test_a_task_without_its_environment_is_ended_before_it_is_tried_again(
    site: Site, way: str, known: bool
) -> None:
    escape = Escape(site, WAYS[way])
    escape.kill_all()
    if not known:
        escape.forget_beginning()
    if way == "orphan, leader gone":
        for process in census.of_role(site.mark, "task"):
            census.kill(process.pid)
    assert escape.escaped
    escape.assert_alone(Outcome.LOST)


@ROOT
@pytest.mark.skipif(not shutil.which("setpriv"), reason="there is no setpriv")
def test_a_task_of_another_user_is_ended_by_root(site: Site) -> None:
    escape = Escape(
        site, "echo $$ >> {pids}; exec setpriv --reuid 65534 --clear-groups env -i sleep 600 > /dev/null 2>&1"
    )
    escape.kill_all()
    escape.assert_alone(Outcome.LOST)


def test_nothing_begins_beside_what_an_adopted_task_has_left(site: Site) -> None:
    escape = Escape(site, "(env -i setsid {alone} &); exec sleep 601")
    [worker] = [one.pid for one in census.of_role(site.mark, "worker") if _has_task(one.pid, site.mark)]
    escape.run.kill()
    again = site.resume(escape.run.id)
    eventually(lambda: "adopted" in site.master_log())
    census.kill(worker)
    assert again.end().code == 1
    assert escape.escaped == []
    escape.assert_alone(Outcome.LOST)


@pytest.mark.parametrize("alive", [True, False], ids=["worker lives", "worker dead"])
@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
def test_a_deleted_log_proves_nothing(site: Site, alive: bool, known: bool) -> None:
    escape = Escape(site, "echo here; {alone}; exec sleep 602")
    for path in Path(site.row(escape.run.id).folder).glob("*"):
        path.unlink()
    if alive:
        escape.run.kill()
    else:
        escape.kill_all()
    if not known:
        escape.forget_beginning()
    if not alive:
        escape.assert_alone(Outcome.LOST)
        return
    again = site.resume(escape.run.id)
    eventually(lambda: "adopted" in site.master_log())
    assert escape.escaped, "it goes on"
    assert site.mflow("cancel", str(escape.run.id)).code == 0
    again.end()
    [attempt] = site.attempts(escape.run.id, "a")
    assert attempt.end is not None
    assert attempt.end.outcome is Outcome.CANCELLED
    assert escape.escaped == []


# Twice forked, in a session of its own, with no descriptor and no environment.
BARE = """\
import os, sys
if os.fork(): os._exit(0)
os.setsid()
if os.fork(): os._exit(0)
pids = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND)
os.write(pids, f"{os.getpid()}\\n".encode())
os.closerange(0, 1024)
os.execve("/bin/sleep", ["sleep", "603"], {})
"""


def test_an_orphan_of_which_nothing_is_left_to_tell_by_is_named(site: Site) -> None:
    site.file("bare.py", BARE)
    escape = Escape(site, f"{sys.executable} {site.folder}/bare.py {{pids}}; exec sleep 604")
    escape.kill_all()
    [pid] = escape.escaped
    for _ in range(2):
        assert site.resume(escape.run.id).end().code == 1
        [attempt] = site.attempts(escape.run.id, "a")
        assert attempt.end is not None
        assert attempt.end.outcome is Outcome.UNKNOWN
        assert pid in attempt.end.survivors
        assert escape.escaped == [pid]
    os.kill(pid, signal.SIGKILL)
    census.wait_gone([pid])
    escape.assert_alone(Outcome.UNKNOWN)


def _rename(log: Path) -> None:
    """As logrotate does."""
    log.rename(f"{log}.1")
    log.touch()


def _move_folder(log: Path) -> None:
    log.parent.rename(f"{log.parent}.old")


def _remove_folder(log: Path) -> None:
    shutil.rmtree(log.parent)


MOVES = {"renamed": _rename, "moved": _move_folder, "removed": _remove_folder}


@pytest.mark.parametrize(("way", "number"), [("renamed", 187), ("moved", 5), ("removed", 5)])
def test_a_log_that_is_not_where_it_was_still_tells_whose_a_process_is(
    site: Site, way: str, number: int
) -> None:
    keep = "exec 5>&1 187>&-;" if number == 5 else ""
    escape = Escape(site, f"({keep} env -i setsid {{alone}} &) ; (sleep 601; true) & wait")
    escape.kill_all()
    for process in census.of_role(site.mark, "task"):
        census.kill(process.pid)
    assert escape.escaped
    MOVES[way](Path(site.row(escape.run.id).folder) / "a.1.log")
    escape.assert_alone(Outcome.LOST)


@pytest.mark.parametrize("way", MOVES)
def test_who_has_a_log_that_is_not_where_it_was_has_begun(site: Site, way: str) -> None:
    escape = Escape(site, "exec {alone}")
    MOVES[way](Path(site.row(escape.run.id).folder) / "a.1.log")
    escape.run.kill()
    escape.forget_beginning()
    again = site.resume(escape.run.id)
    eventually(lambda: "adopted" in site.master_log() + site.stderr())
    assert escape.escaped, "it goes on"
    assert site.mflow("cancel", str(escape.run.id)).code == 0
    again.end()
    [attempt] = site.attempts(escape.run.id, "a")
    assert attempt.end is not None
    assert attempt.end.outcome is Outcome.CANCELLED
    assert escape.escaped == []


def _has_task(pid: int, mark: str) -> bool:
    return any(one.ppid == pid for one in census.of_role(mark, "task"))
