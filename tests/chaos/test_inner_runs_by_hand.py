"""An inner run that is resumed by hand: only with what was set for its call."""

import os
import signal

import pytest

from tests.chaos.site import Site, eventually
from tests.chaos.test_inner_runs import calls, go, inner, ledger, states


def loop(site: Site, script: str = "for d in 1 2; do DAY=$d {} || exit $?; done", **keys: object) -> None:
    """Run 1 calls a run a day, whose task waits until there is `go`, and writes the day down."""
    told = "echo > told; until test -e go; do sleep 0.05; done; echo day=$DAY >> ledger"
    inner(site, "inner.json", load=told)
    site.tasks(days={"command": script.format(calls(site, "inner.json"))} | keys)


def is_under_way(site: Site, run_id: int) -> None:
    """Wait until the task of that inner run runs."""
    eventually((site.folder / "told").exists)
    eventually(lambda: site.is_running(run_id, "load"))


def kill_all(site: Site, *run_ids: int) -> None:
    """The supervisors of these runs, by SIGKILL."""
    for run_id in run_ids:
        owner = site.row(run_id).owner
        assert owner is not None
        os.kill(owner.identity.pid, signal.SIGKILL)


def test_one_that_was_cancelled_is_revived_with_the_variables_of_its_call(site: Site) -> None:
    loop(site)
    run = site.run()
    is_under_way(site, 2)
    assert site.mflow("cancel", "2").code == 0
    assert run.end().code == 1
    go(site)
    assert site.resume(1).end().code == 1
    assert "only this revives it: DAY=1 mflow resume 2" in site.printed(1, "days")
    before = site.row(2)
    for day, said in ((None, "DAY is not set here"), ("2", "DAY is set otherwise here")):
        site.env |= {"DAY": day} if day else {}
        done = site.mflow("resume", "2")
        assert (done.code, done.out) == (2, "")
        assert said in done.err
        assert "DAY=... mflow resume 2" in done.err
        assert "mflow resume 1" not in done.err
    assert site.row(2) == before
    site.env["DAY"] = "1"
    assert site.resume(2).end().code == 0
    del site.env["DAY"]
    assert site.resume(1).end().code == 0
    assert ledger(site) == ["day=1", "day=2"]
    assert states(site, 1, 2, 3) == ["SUCCESS"] * 3


@pytest.mark.parametrize("how", ["killed", "cancelled with its parent"])
def test_the_outermost_run_is_named_which_sets_them_itself(site: Site, how: str) -> None:
    loop(site, "{}", env={"DAY": "1"})
    run = site.run()
    is_under_way(site, 2)
    if how == "killed":
        kill_all(site, 1, 2)
    else:
        assert site.mflow("cancel", "1").code == 0
    run.end()
    advice = site.mflow("status", "2").out.partition("next:")[2].splitlines()[1:]
    assert advice[0].startswith("  mflow resume 1 ")
    assert advice[1].startswith("  DAY=... mflow resume 2 ")
    for words in (("resume", "2"), ("run", "--resume", "2"), ("resume", "2", "--taskfile", "inner.json")):
        done = site.mflow(*words)
        assert (done.code, done.out) == (2, "")
        assert "DAY is not set here" in done.err
        assert "mflow resume 1" in done.err
    go(site)
    codes = (site.resume(1).end().code for _ in range(2))  # the first may find the caller's attempt killed
    assert 0 in codes
    assert ledger(site) == ["day=1"]


def test_what_was_set_for_the_run_above_is_asked_for_too(site: Site) -> None:
    loop(site)
    site.file(
        "middle.json", {"tasks": [{"id": "call", "type": "bash", "command": calls(site, "inner.json")}]}
    )
    site.tasks(top=f"DAY=7 {calls(site, 'middle.json')}")
    run = site.run()
    is_under_way(site, 3)
    assert site.mflow("cancel", "1").code == 0
    run.end()
    go(site)
    done = site.mflow("resume", "3")
    assert done.code == 2
    assert "DAY is not set here" in done.err
    assert "mflow resume 1" in done.err
    assert site.resume(1).end().code == 0
    assert ledger(site) == ["day=7"]


def test_a_take_over_asks_for_them_before_it_ends_anybody(site: Site) -> None:
    loop(site)
    run = site.run()
    is_under_way(site, 2)
    before = site.row(2)
    done = site.mflow("resume", "2", "--takeover")
    assert done.code == 2
    assert "DAY=... mflow resume 2 --takeover" in done.err
    assert site.row(2).owner == before.owner
    go(site)
    assert run.end().code == 0


def test_a_changed_shell_stays_a_warning(site: Site) -> None:
    """It is not the call that has set it."""
    loop(site, "{}")
    site.env["DAY"] = "1"
    run = site.run()
    is_under_way(site, 2)
    kill_all(site, 1, 2)
    run.end()
    go(site)
    site.env["DAY"] = "2"
    resumed = site.resume(2)
    assert resumed.end().code == 0
    assert "DAY has changed since run 2 began" in site.stderr()
