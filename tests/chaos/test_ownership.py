"""One run has one supervisor: refusals, take-overs, races, and supervisors that wake up too late."""

import getpass
import shutil
import signal
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from mflow.engine.evidence import fallback_folder
from mflow.engine.identity import own_identity
from tests.chaos import census
from tests.chaos.site import Run, Site, eventually


def test_a_run_whose_supervisor_lives_is_not_resumed(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    refused = site.mflow("resume", str(run.id))
    assert refused.code == 3
    for word in (socket.gethostname(), str(run.pid), getpass.getuser(), "--takeover"):
        assert word in refused.err
    gate.open()
    assert run.end().code == 0
    assert len(site.attempts(run.id, "a")) == 1


def test_a_stopped_supervisor_counts_as_alive_and_can_be_taken_over(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command(), b={"depends": ["a"], "command": "true"})
    run = site.run()
    gate.pid()
    run.kill(signal.SIGSTOP)
    assert site.mflow("resume", str(run.id)).code == 3
    second = site.resume(run.id, "--takeover")
    assert run.end().code == -signal.SIGKILL
    eventually(lambda: "adopted" in site.master_log())
    gate.open()
    assert second.end().code == 0
    assert [len(site.attempts(run.id, name)) for name in "ab"] == [1, 1]
    site.assert_nobody_left()


def test_a_running_supervisor_can_be_taken_over(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"))
    run = site.run()
    gate.pid()
    second = site.resume(run.id, "--takeover")
    assert run.end().code == -signal.SIGKILL
    gate.open()
    assert second.end().code == 0
    assert site.printed(run.id, "a") == "once\n"
    assert len(site.attempts(run.id, "a")) == 1


def dump(site: Site) -> list[str]:
    """All that the database holds."""
    with closing(sqlite3.connect(site.folder / "mflow.db")) as connection:
        return list(connection.iterdump())


def test_a_supervisor_that_wakes_up_superseded_touches_nothing_and_leaves(site: Site) -> None:
    """The fence is bumped by hand, as a take-over from another host would: the sleeper cannot be killed then."""
    gate = site.gate("a")
    site.tasks(
        a=gate.command("echo once"), b={"depends": ["a"], "command": "true"}, c=site.gate("c").command()
    )
    run = site.run()
    pid = gate.pid()
    eventually(lambda: site.is_running(run.id, "a") and site.is_running(run.id, "c"))
    run.kill(signal.SIGSTOP)  # with nothing left to write: it holds no lock
    site.change("UPDATE mflow_runs SET fence = fence + 1")
    before = dump(site)
    gate.open()
    assert census.wait_gone([pid]) == []
    run.kill(signal.SIGCONT)
    done = run.end()
    assert done.code == 3, done
    assert f"mflow status {run.id}" in done.err
    assert dump(site) == before
    second = site.resume(run.id)
    eventually(lambda: "adopted" in site.master_log())
    site.gate_of("c").open()
    assert second.end().code == 0
    assert site.printed(run.id, "a") == "once\n"
    assert [len(site.attempts(run.id, name)) for name in "abc"] == [1, 1, 1]
    site.assert_nobody_left()


def test_of_several_resumes_at_once_one_wins(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"))
    run = site.run()
    gate.pid()
    run.kill()
    rivals = [site.resume(run.id) for _ in range(4)]
    losers = eventually(lambda: lost if len(lost := _over(rivals)) == 3 else [])
    assert [rival.end().code for rival in losers] == [3, 3, 3]
    gate.open()
    [winner] = [rival for rival in rivals if rival not in losers]
    assert winner.end().code == 0
    assert site.row(run.id).fence == 2
    assert site.printed(run.id, "a") == "once\n"
    assert len(site.attempts(run.id, "a")) == 1
    site.assert_nobody_left()


def test_of_several_takeovers_at_once_one_is_left(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"))
    run = site.run()
    gate.pid()
    rivals = [run, *(site.resume(run.id, "--takeover") for _ in range(3))]
    losers = eventually(lambda: lost if len(lost := _over(rivals)) == 3 else [])
    assert {rival.end().code for rival in losers} <= {3, -signal.SIGKILL}
    gate.open()
    [winner] = [rival for rival in rivals if rival not in losers]
    assert winner.end().code == 0
    assert len(site.attempts(run.id, "a")) == 1
    site.assert_nobody_left()


def _over(rivals: list[Run]) -> list[Run]:
    return [rival for rival in rivals if rival.process.poll() is not None]


def test_an_owner_on_another_host_is_alive_until_its_lease_runs_out(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command(), b="true")
    run = site.run()
    gate.pid()
    eventually(lambda: site.states(run.id)["b"] == "SUCCESS")
    run.kill()
    site.change(
        "UPDATE mflow_runs SET owner_host = 'elsewhere', owner_boot_id = 'other'",
        "UPDATE mflow_attempts SET worker_host = 'elsewhere', worker_boot_id = 'other'",
    )
    refused = site.mflow("resume", str(run.id))
    assert refused.code == 3
    assert "elsewhere" in refused.err
    site.change(LEASE_OVER)
    gate.open()
    taken = site.mflow("resume", str(run.id))
    assert taken.code == 1, taken
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.outcome is Outcome.UNKNOWN
    assert "elsewhere" in (end.message or "")
    assert len(site.attempts(run.id, "b")) == 1


LEASE_OVER = "UPDATE mflow_runs SET lease_until_at = '2001-01-01 00:00:00.000000'"


def restarted(**other: str | None) -> list[str]:
    """Statements after which a run looks like one of this machine before its restart, but for what is other."""
    values = {"boot_id": "before", "machine_id": own_identity().machine_id, **other}
    return [
        f"UPDATE {table} SET " + ", ".join(f"{who}_{name} = {_sql(value)}" for name, value in values.items())
        for table, who in (("mflow_runs", "owner"), ("mflow_attempts", "worker"))
    ]


def _sql(value: str | None) -> str:
    return "NULL" if value is None else f"'{value}'"


@pytest.mark.parametrize("machine_id", [None, "f" * 32])
def test_a_machine_of_the_same_name_is_not_taken_for_this_one_restarted(
    site: Site, machine_id: str | None
) -> None:
    """What runs there is not ended by what happens here: not now, and not when its lease has run out."""
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"), b="true")
    run = site.run()
    gate.pid()
    eventually(lambda: site.states(run.id)["b"] == "SUCCESS")
    run.kill(signal.SIGSTOP)
    site.change(*restarted(machine_id=machine_id))
    refused = site.mflow("resume", str(run.id))
    assert refused.code == 3
    assert socket.gethostname() in refused.err
    assert "machine id" in refused.err
    assert site.row(run.id).fence == 1
    site.change(LEASE_OVER)
    taken = site.mflow("resume", str(run.id))
    assert taken.code == 1, taken
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.outcome is Outcome.UNKNOWN
    assert socket.gethostname() in (end.message or "")
    assert "machine id" in (end.message or "")
    assert len(site.attempts(run.id, "a")) == 1
    gate.open()
    run.kill(signal.SIGCONT)
    assert run.end().code == 3


def test_a_renamed_host_is_the_same_host(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    site.change(
        "UPDATE mflow_runs SET owner_host = 'as-it-was'",
        "UPDATE mflow_attempts SET worker_host = 'as-it-was'",
    )
    refused = site.mflow("resume", str(run.id))
    assert refused.code == 3
    assert "--takeover" in refused.err
    run.kill()
    second = site.resume(run.id)
    eventually(lambda: "adopted" in site.master_log())
    gate.open()
    assert second.end().code == 0
    assert site.printed(run.id, "a") == "once\n"
    assert len(site.attempts(run.id, "a")) == 1


@pytest.mark.skipif(
    own_identity().machine_id is None, reason="a machine without an id: nothing proves a restart"
)
def test_what_ran_when_the_machine_was_restarted_is_lost_and_taken_up_again(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo a"), b={"depends": ["a"], "command": "true"})
    run = site.run()
    gate.pid()
    run.kill()
    census.end_all(site.mark)
    site.change(*restarted())
    early = site.mflow("resume", str(run.id))
    assert early.code == 3
    assert "its lease runs until" in early.err
    assert f"wait until then and type: mflow resume {run.id}" in early.err
    assert len(site.attempts(run.id, "a")) == 1
    site.change(LEASE_OVER)
    second = site.resume(run.id)
    gate.pid()
    gate.open()
    assert second.end().code == 0
    assert [one.end.outcome for one in site.attempts(run.id, "a") if one.end] == [
        Outcome.LOST,
        Outcome.EXITED,
    ]


def test_two_databases_with_equal_run_ids_share_a_log_directory(tmp_path: Path, site: Site) -> None:
    sites = [site, Site(tmp_path / "other")]
    try:
        gates = []
        for one in sites:
            one.config(log_directory=str(tmp_path / "logs"))
            gates.append(one.gate("a"))
            one.tasks(a=gates[-1].command(f"echo {one.folder.name}"))
        runs = [one.run() for one in sites]
        for gate in gates:
            gate.pid()
        assert [run.id for run in runs] == [1, 1]
        for run in runs:
            run.kill()
        for gate in gates:
            gate.open()
        for one in sites:
            one.assert_nobody_left()
        for one in sites:
            assert one.resume(1).end().code == 0
            assert one.printed(1, "a") == f"{one.folder.name}\n"
            assert len(one.attempts(1, "a")) == 1
        assert len({one.row(1).folder for one in sites}) == 2
    finally:
        sites[1].close()


def test_the_folder_of_a_run_may_vanish_while_it_runs(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(
        a=gate.command("echo still here; exit 4"),
        b={"depends": ["c"], "command": "echo b"},
        c=site.gate("c").command(),
    )
    run = site.run()
    gate.pid()
    folder = Path(site.row(run.id).folder)
    shutil.rmtree(folder)
    gate.open()
    eventually(lambda: site.states(run.id)["a"] == "FAILED")
    site.gate_of("c").open()
    assert run.end().code == 1
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.exit_code == 4
    assert site.states(run.id) == {"a": "FAILED", "b": "SUCCESS", "c": "SUCCESS"}
    assert site.printed(run.id, "b") == "b\n"


def test_what_a_task_prints_is_found_where_its_folder_cannot_be_had_any_more(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command(), b={"depends": ["a"], "command": "echo printed; exit 4"})
    run = site.run()
    gate.pid()
    row = site.row(run.id)
    shutil.rmtree(row.folder)
    Path(row.folder).write_text("in the way")
    gate.open()
    try:
        done = run.end()
        assert done.code == 1
        assert "    | printed" in done.err
        elsewhere = f"{fallback_folder(row.uid)}/b.1.log"
        assert site.mflow("logs", str(run.id), "b").out == "printed\n"
        assert elsewhere in site.mflow("logs", str(run.id)).out
        assert site.mflow("status", str(run.id), "--json").json["tasks"][1]["log"] == elsewhere
    finally:
        shutil.rmtree(fallback_folder(row.uid))


def test_the_folder_of_a_run_may_vanish_together_with_the_supervisor(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("exit 4"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    run.kill()
    shutil.rmtree(site.row(run.id).folder)
    second = site.resume(run.id)
    eventually(lambda: "adopted" in site.master_log())
    gate.open()
    assert second.end().code == 1
    [attempt] = site.attempts(run.id, "a")
    assert attempt.end is not None
    assert (attempt.end.outcome, attempt.end.exit_code) == (Outcome.EXITED, 4)
    assert not Path(f"/var/tmp/mflow-{site.row(run.id).uid}").exists()
