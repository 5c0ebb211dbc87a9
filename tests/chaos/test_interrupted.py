"""What `status` and `runs` say of a run that nobody drives any more."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import census
from tests.chaos.site import Run, Site, eventually


@pytest.fixture
def left(site: Site) -> Run:
    """Run 1, its supervisor killed; `a` and `b` run on in their workers, `c` waits for them."""
    a, b = site.gate("a"), site.gate("b")
    site.tasks(a=a.command(), b=b.command("exit 3"), c={"depends": ["a", "b"], "command": "true"})
    run = site.run()
    a.pid()
    b.pid()
    eventually(lambda: site.is_running(1, "a") and site.is_running(1, "b"))
    return run.kill()


def end_all(site: Site) -> None:
    """As a restart does: the workers see nothing of their tasks' ends."""
    for row in site.rows(1).values():
        if row.worker:
            os.kill(row.worker.pid, signal.SIGKILL)
    census.end_all(site.mark)


def tasks(site: Site) -> dict[str, Any]:
    shown = site.mflow("status", "1", "--json").json
    return {task["id"]: (task["state"], task["alive"], task["at_resume"]) for task in shown["tasks"]}


def line(site: Site, start: str) -> str:
    """The line of the page that begins with this word."""
    return next(line for line in site.mflow("status", "1").out.splitlines() if line.split()[:1] == [start])


def everything(site: Site) -> Iterator[tuple[str, bytes]]:
    """All files but the database's, which a reader opens."""
    for path in sorted(site.folder.rglob("*")):
        if path.is_file() and not path.name.startswith("mflow.db"):
            yield str(path), path.read_bytes()


def test_what_still_runs_is_said_to_be_adopted(site: Site, left: Run) -> None:
    assert tasks(site)["a"] == ("RUNNING", True, "ADOPTED")
    assert "RUNNING" in line(site, "a")
    assert "a resume adopts it" in line(site, "a")
    assert "2 RUNNING" in site.mflow("runs").out
    assert line(site, "run") == "run 1: INTERRUPTED"
    said = line(site, "interrupted").split(maxsplit=1)[1]
    assert said.startswith("its supervisor went without a word; last sign of life at 20")
    census.end_all(site.mark)


def test_what_has_ended_meanwhile_is_said_to_be_taken(site: Site, left: Run) -> None:
    site.gate_of("b").open()
    eventually(lambda: tasks(site)["b"] == ("RUNNING", False, "EXITED"))
    assert "INTERRUPTED" in line(site, "b")
    assert "1 RUNNING, 1 INTERRUPTED" in site.mflow("runs").out
    census.end_all(site.mark)


def test_what_is_gone_is_not_said_to_run(site: Site, left: Run) -> None:
    end_all(site)
    before = list(everything(site))
    assert tasks(site)["a"] == ("RUNNING", False, "LOST")
    said = line(site, "a")
    assert "INTERRUPTED" in said
    assert "its process is gone; a resume makes it LOST" in said
    assert "pid" not in said
    for page in (site.mflow("runs").out, line(site, "tasks")):
        assert "RUNNING" not in page
        assert "2 INTERRUPTED, 1 PENDING" in page
    assert list(everything(site)) == before  # to look changes nothing
    assert site.states(1) == {"a": "RUNNING", "b": "RUNNING", "c": "PENDING"}


def test_after_a_restart_of_the_machine(site: Site, left: Run) -> None:
    end_all(site)
    if not Path("/etc/machine-id").exists():
        pytest.skip("a machine without an id cannot tell that it was restarted")
    site.change(
        "UPDATE mflow_runs SET owner_boot_id = 'before', lease_until_at = '2001-01-01 00:01:00.000000'",
        "UPDATE mflow_attempts SET worker_boot_id = 'before'",
    )
    assert tasks(site)["a"] == ("RUNNING", False, "LOST")
    assert "its machine was restarted; last sign of life at 2001-01-01 00:00:00" in line(site, "interrupted")
    shown = site.mflow("status", "1", "--json").json["run"]
    assert (shown["interrupted_at"], shown["interrupted_by"]) == (
        "2001-01-01T00:00:00.000000Z",
        "its machine was restarted",
    )
    assert "2 INTERRUPTED" in site.mflow("runs").out


def test_what_ran_elsewhere_is_not_guessed_about(site: Site, left: Run) -> None:
    end_all(site)
    site.change(
        "UPDATE mflow_runs SET owner_host = 'elsewhere', owner_boot_id = 'other', "
        "lease_until_at = '2001-01-01 00:00:00.000000'",
        "UPDATE mflow_attempts SET worker_host = 'elsewhere', worker_boot_id = 'other'",
    )
    assert tasks(site)["a"] == ("RUNNING", None, "UNKNOWN")
    assert "elsewhere" in line(site, "a")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_is_told_with_its_signal(site: Site, signum: signal.Signals) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    os.kill(run.pid, signum)
    assert run.end().code == 128 + signum
    assert f"by {signum.name}" in line(site, "interrupted")
    shown = site.mflow("status", "1", "--json").json["run"]
    assert shown["state"] == "INTERRUPTED"
    assert shown["interrupted_by"] == signum.name
    assert shown["interrupted_at"] >= shown["started_at"]
    second = site.resume(1)
    gate.pid()
    gate.open()
    assert second.end().code == 0
    after = site.mflow("status", "1", "--json").json["run"]
    assert (after["interrupted_at"], after["interrupted_by"]) == (None, None)


def test_what_is_stopped_is_said_to_be(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(1, "a"))
    worker = site.rows(1)["a"].worker
    assert worker
    for process in (run.pid, worker.pid):
        os.kill(process, signal.SIGSTOP)
    eventually(lambda: f"kill -CONT {run.pid}" in site.mflow("status", "1").out)
    eventually(lambda: "its worker is stopped" in line(site, "a"))
    assert "mflow resume 1 --takeover" in site.mflow("status", "1").out
    shown = site.mflow("status", "1", "--json").json
    assert shown["run"]["owner"]["stopped"]
    assert f"kill -CONT {worker.pid}" in shown["tasks"][0]["stalled"]
    for process in (run.pid, worker.pid):
        os.kill(process, signal.SIGCONT)
    gate.open()
    assert run.end().code == 0


def test_a_worker_that_is_stopped_is_said_to_be_though_nobody_drives_its_run(site: Site, left: Run) -> None:
    worker = site.rows(1)["a"].worker
    assert worker
    os.kill(worker.pid, signal.SIGSTOP)
    eventually(lambda: f"kill -CONT {worker.pid}" in line(site, "a"))
    assert "a resume adopts it; its worker is stopped" in line(site, "a")
    a, b = site.mflow("status", "1", "--json").json["tasks"][:2]
    assert (a["at_resume"], b["stalled"]) == ("ADOPTED", None)
    assert f"kill -CONT {worker.pid}" in a["stalled"]
    census.end_all(site.mark)


def test_idle_time_is_not_taken_for_work(site: Site) -> None:
    site.tasks(a="test -e there")
    assert site.run().end().code == 1
    site.change(
        "UPDATE mflow_runs SET started_at = '2001-01-01 00:00:00.000000', ended_at = '2001-01-01 00:00:05.000000'"
    )
    (site.folder / "there").touch()
    assert site.resume(1).end().code == 0
    shown = site.mflow("status", "1", "--json").json["run"]
    assert shown["idle_seconds"] > 86400 * 365
    assert 5 <= shown["duration_s"] < 300
    assert "nobody drove it" in line(site, "started")
    took = site.mflow("runs").out.splitlines()[1]
    assert " d " not in took
