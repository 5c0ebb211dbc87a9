"""A supervisor that is stopped, perhaps within a transaction: who takes its place, and who asks for the run's end."""

import signal
import sys

import pytest

from mflow.engine import identity
from mflow.engine.identity import identity_of
from tests.chaos.site import Run, Site, eventually

STOPS_AT_A_COMMIT = """
import os, signal, sys
from pathlib import Path
from mflow.cli.main import main
from mflow.store.dialects import Sqlite

def commit(self, conn, commit=Sqlite.commit):
    if Path("stop").exists():
        Path("stop").unlink()
        os.kill(os.getpid(), signal.SIGSTOP)
    commit(self, conn)

Sqlite.commit = commit
sys.exit(main())
"""
"""mflow, but once there is a file `stop` it stops itself before its next commit, holding the database's lock."""


@pytest.fixture
def stuck(site: Site, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run 1: `a` and `b` have begun, `b` has ended, and with that within its transaction the supervisor was stopped."""
    a, b = site.gate("a"), site.gate("b")
    site.tasks(
        a=a.command("echo a >> ledger"),
        b=b.command("echo b >> ledger"),
        c={"depends": ["a", "b"], "command": "echo c >> ledger"},
    )
    with monkeypatch.context() as patched:
        patched.setattr(site, "command", lambda *words: [sys.executable, "-c", STOPS_AT_A_COMMIT, *words])
        run = site.run()
    a.pid()
    b.pid()
    eventually(lambda: site.is_running(1, "a") and site.is_running(1, "b"))
    (site.folder / "stop").touch()
    b.open()
    eventually(lambda: is_stopped(run), "stopped within a transaction")
    return run


def is_stopped(run: Run) -> bool:
    found = identity_of(run.pid)
    return found is not None and identity.is_stopped(found)


def ledger(site: Site) -> list[str]:
    return (site.folder / "ledger").read_text().split()


def test_its_place_is_taken_though_it_holds_the_lock(site: Site, stuck: Run) -> None:
    second = site.resume(1, "--takeover")
    assert stuck.end().code == -signal.SIGKILL
    site.gate_of("a").open()
    done = second.end()
    assert done.code == 0, done
    assert ledger(site) == ["b", "a", "c"]
    site.assert_nobody_left()


def test_of_several_who_take_its_place_one_is_left(site: Site, stuck: Run) -> None:
    rivals = [site.resume(1, "--takeover") for _ in range(3)]
    assert stuck.end().code == -signal.SIGKILL
    losers = eventually(
        lambda: lost if len(lost := [one for one in rivals if one.process.poll()]) == 2 else []
    )
    assert {rival.end().code for rival in losers} <= {3, -signal.SIGKILL}
    site.gate_of("a").open()
    [winner] = [rival for rival in rivals if rival not in losers]
    assert winner.end().code == 0
    assert ledger(site) == ["b", "a", "c"]
    site.assert_nobody_left()


def test_cancel_names_it_and_waits_until_it_goes_on(site: Site, stuck: Run) -> None:
    asking = Run(site, ["cancel", "1"])
    said = asking.says("mflow resume 1 --takeover")
    assert f"supervisor {stuck.pid} of run 1 is there but does nothing: it is stopped" in said
    assert f"kill -CONT {stuck.pid}" in said
    assert "mflow cancel 1 --takeover" in said
    stuck.kill(signal.SIGCONT)
    assert asking.end().code == 0
    assert stuck.end().code == 1
    assert site.states(1) == {"a": "FAILED", "b": "SUCCESS", "c": "PENDING"}
    site.assert_nobody_left()


def test_cancel_with_takeover_ends_it_and_the_run(site: Site, stuck: Run) -> None:
    done = Run(site, ["cancel", "1", "--takeover"]).end()
    assert done.code == 0, done
    assert stuck.end().code == -signal.SIGKILL
    assert site.states(1) == {"a": "FAILED", "b": "SUCCESS", "c": "PENDING"}
    assert ledger(site) == ["b"]
    site.assert_nobody_left()


def test_cancel_with_takeover_leaves_a_healthy_supervisor_to_its_work(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    assert site.mflow("cancel", str(run.id), "--takeover").code == 0
    assert run.end().code == 1


def test_an_order_for_the_end_survives_a_takeover(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo ran >> ledger"), b={"depends": ["a"], "command": "echo ran >> ledger"})
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    run.kill(signal.SIGSTOP)
    assert site.mflow("cancel", str(run.id), "--no-wait").code == 0
    second = site.resume(run.id, "--takeover").end()
    assert second.code == 1, second
    assert f"asked for the end of run {run.id}" in second.err
    assert f"type once more: mflow resume {run.id}" in second.err
    assert site.states(run.id) == {"a": "FAILED", "b": "PENDING"}
    assert not (site.folder / "ledger").exists()
    third = site.resume(run.id)
    gate.pid()
    gate.open()
    assert third.end().code == 0
    assert ledger(site) == ["ran", "ran"]
    site.assert_nobody_left()


def test_an_order_for_the_end_survives_a_crash(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    run.kill(signal.SIGSTOP)
    assert site.mflow("cancel", str(run.id), "--no-wait").code == 0
    run.kill()
    done = site.resume(run.id).end()
    assert done.code == 1, done
    assert "asked for the end of run" in done.err
    assert site.states(run.id) == {"a": "FAILED"}
    site.assert_nobody_left()
