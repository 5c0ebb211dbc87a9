"""The supervisor dies; what it was running goes on, and the next one takes it over as if nothing had happened."""

import signal

from mflow.core.states import Outcome, RunState
from tests.chaos import census
from tests.chaos.site import Gate, Run, Site, eventually


def killed_while_it_runs(site: Site, gate: Gate) -> tuple[int, int]:
    """Start the run, kill its supervisor when the gated task is known to run; run id and pid of the task."""
    run = site.run()
    pid = gate.pid()
    eventually(lambda: site.is_running(run.id, "long"), "the database knows the task's start")
    run.kill()
    return run.id, pid


def resumed(site: Site, run_id: int, said: str = "adopted") -> Run:
    """A resume that has taken the task over."""
    run = site.resume(run_id)
    eventually(lambda: said in site.master_log(), f"{said} in the master log")
    return run


def test_a_running_attempt_is_adopted_with_its_log_and_exit_code(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(
        long=f"echo before; {gate.command('echo after; exit 7')}",
        next={"depends": ["long"], "command": "true"},
    )
    run_id, pid = killed_while_it_runs(site, gate)
    again = resumed(site, run_id)
    assert census.kill(pid, 0), "the task goes on"
    gate.open()
    assert again.end().code == 1
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert (long.attempts, long.end.outcome, long.end.exit_code) == (1, Outcome.EXITED, 7)
    assert site.printed(run_id, "long") == "before\nafter\n"
    assert site.states(run_id) == {"long": "FAILED", "next": "PENDING"}
    site.assert_nobody_left()


def test_what_depends_on_an_adopted_attempt_follows_it(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command(), next={"depends": ["long"], "command": "true"})
    run_id, _ = killed_while_it_runs(site, gate)
    again = resumed(site, run_id)
    gate.open()
    assert again.end().code == 0
    assert [len(site.attempts(run_id, name)) for name in ("long", "next")] == [1, 1]
    site.assert_nobody_left()


def test_an_adopted_attempt_counts_against_the_limit(site: Site) -> None:
    gate = site.gate("long")
    site.config(max_process_concurrency=1).tasks(long=gate.command("date +%s%N"), other="date +%s%N")
    run_id, _ = killed_while_it_runs(site, gate)
    again = resumed(site, run_id)
    assert site.states(run_id) == {"long": "RUNNING", "other": "PENDING"}
    gate.open()
    assert again.end().code == 0
    assert int(site.printed(run_id, "long")) < int(site.printed(run_id, "other"))


def test_an_attempt_that_ended_while_nobody_watched_is_taken_from_its_file(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command("echo done; exit 5"))
    run_id, _ = killed_while_it_runs(site, gate)
    gate.open()
    site.assert_nobody_left()  # the worker has written the outcome and left
    assert site.states(run_id) == {"long": "RUNNING"}
    again = site.resume(run_id).end()
    assert again.code == 1
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert (long.attempts, long.end.outcome, long.end.exit_code) == (1, Outcome.EXITED, 5)
    assert "adopted" not in site.master_log()


def test_a_second_death_changes_nothing(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command("echo once"))
    run_id, _ = killed_while_it_runs(site, gate)
    for _ in range(2):
        resumed(site, run_id).kill()
    again = site.resume(run_id)
    gate.open()
    assert again.end().code == 0
    assert site.printed(run_id, "long") == "once\n"
    assert len(site.attempts(run_id, "long")) == 1
    site.assert_nobody_left()


def test_a_deadline_reaches_an_adopted_attempt(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long={"command": gate.command(), "timeout_seconds": 4})
    run_id, _ = killed_while_it_runs(site, gate)
    again = resumed(site, run_id).end()
    assert again.code == 1
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert (long.attempts, long.end.outcome) == (1, Outcome.TIMED_OUT)
    site.assert_nobody_left()


def test_a_deadline_holds_while_no_supervisor_lives(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long={"command": gate.command(), "timeout_seconds": 2})
    run_id, pid = killed_while_it_runs(site, gate)
    assert census.wait_gone([pid]) == []
    site.assert_nobody_left()
    assert site.resume(run_id).end().code == 1
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert (long.attempts, long.end.outcome) == (1, Outcome.TIMED_OUT)


def test_a_cancel_reaches_an_adopted_attempt(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command(), next={"depends": ["long"], "command": "true"})
    run_id, _ = killed_while_it_runs(site, gate)
    again = resumed(site, run_id)
    assert site.mflow("cancel", str(run_id)).code == 0
    assert again.end().code == 1
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert (long.attempts, long.end.outcome) == (1, Outcome.CANCELLED)
    assert site.states(run_id) == {"long": "FAILED", "next": "PENDING"}
    site.assert_nobody_left()


def test_a_cancel_reaches_an_attempt_that_nobody_watches(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command(), next={"depends": ["long"], "command": "true"})
    run_id, _ = killed_while_it_runs(site, gate)
    cancelled = site.mflow("cancel", str(run_id))
    assert cancelled.code == 0, cancelled
    long = site.rows(run_id)["long"]
    assert long.end is not None
    assert long.end.outcome is Outcome.CANCELLED
    assert site.states(run_id) == {"long": "FAILED", "next": "PENDING"}
    assert str(site.row(run_id).state) == "FAILED"
    site.assert_nobody_left()


def test_a_cancel_that_comes_when_all_is_done_says_so(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    run.kill()
    gate.open()
    eventually(lambda: not census.of_role(site.mark, "worker"))
    done = site.mflow("cancel", str(run.id))
    assert done.code == 0
    assert f"run {run.id}: SUCCESS, 1 task" in done.err
    assert "FAILED" not in done.err
    assert site.row(run.id).state is RunState.SUCCESS


def test_a_signal_ends_an_adopted_attempt_and_uses_up_no_try(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command())
    run_id, _ = killed_while_it_runs(site, gate)
    again = resumed(site, run_id)
    again.kill(signal.SIGTERM)
    assert again.end().code == 143
    long = site.rows(run_id)["long"]
    assert (str(long.state), long.tries) == ("PENDING", 0)
    site.assert_nobody_left()
    last = site.resume(run_id)
    gate.pid()
    gate.open()
    assert last.end().code == 0


def test_tasks_end_with_their_supervisor_where_that_is_wished(site: Site) -> None:
    gate = site.gate("long")
    site.config(on_supervisor_death="kill").tasks(long=gate.command())
    run_id, pid = killed_while_it_runs(site, gate)
    assert census.wait_gone([pid]) == []
    site.assert_nobody_left()
    again = site.resume(run_id)
    gate.pid()
    gate.open()
    assert again.end().code == 0
    long = site.rows(run_id)["long"]
    assert (long.attempts, long.tries) == (2, 1)


def test_the_forkserver_dies_with_the_supervisor_and_nothing_is_lost(site: Site) -> None:
    gate = site.gate("long")
    site.tasks(long=gate.command())
    run = site.run()
    gate.pid()
    servers = [one.pid for one in census.of_role(site.mark, "forkserver", "tracker")]
    assert len(servers) == 2
    for pid in [run.pid, *servers]:
        census.kill(pid)
    run.end()
    again = resumed(site, run.id)
    gate.open()
    assert again.end().code == 0
    assert len(site.attempts(run.id, "long")) == 1
    site.assert_nobody_left()
