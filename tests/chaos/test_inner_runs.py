"""Tasks that call `mflow --taskfile F`: a further attempt goes on with the runs that the earlier ones had made."""

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from mflow.core.states import RunState
from tests.chaos.site import Gate, Run, Site, eventually


def calls(site: Site, *taskfiles: str) -> str:
    """Shell commands that run these files one after the other, and stop at the first that fails."""
    return " && ".join(f"{' '.join(site.command())} run --taskfile {file}" for file in taskfiles)


def inner(site: Site, name: str, **tasks: object) -> None:
    """Write a task file: the command of each task, or its keys."""
    entries = [
        {"id": id_, "type": "bash"} | (keys if isinstance(keys, dict) else {"command": keys})
        for id_, keys in tasks.items()
    ]
    site.file(name, {"tasks": entries})


def ledger(site: Site) -> list[str]:
    """What tasks have written down, in its order."""
    return (site.folder / "ledger").read_text().split()


def states(site: Site, *run_ids: int) -> list[str]:
    """The states of these runs."""
    return [str(site.row(run_id).state) for run_id in run_ids]


def fails_once(site: Site, what: str = "b") -> str:
    """A command that fails until the file `go` is there."""
    return f"test -e {site.folder}/go && echo {what} >> {site.folder}/ledger"


def go(site: Site) -> None:
    """From here on nothing fails."""
    (site.folder / "go").touch()


# -------------------------------------------------------------------------------------- which run it is


def test_a_further_try_of_the_task_in_the_same_run_resumes_too(site: Site) -> None:
    inner(site, "inner.json", a="echo a >> ledger", b={"command": fails_once(site), "depends": ["a"]})
    command = f"{calls(site, 'inner.json')} || {{ touch go; exit 1; }}"
    site.tasks(outer={"command": command, "retries": 1})
    assert site.run().end().code == 0
    assert ledger(site) == ["a", "b"]
    row = site.row(2)
    assert (row.parent_run, row.parent_task, row.parent_attempt, row.call_no) == (1, "outer", 2, 1)
    assert row.parent_uid == site.row(1).uid
    assert "goes on with run 2, which attempt 1 began" in site.printed(1, "outer")


@pytest.mark.parametrize("order", ["1 2 3", "3 2 1", "2 3", "2 3 4"])
def test_days_of_a_loop_are_not_mixed_up(site: Site, order: str) -> None:
    """Also where only the commands of the inner tasks know the day."""
    test = f'[ "$DAY" = 1 ] || test -e {site.folder}/go'
    inner(
        site,
        "inner.json",
        a="echo a$DAY >> ledger",
        b={"command": f"{test} && echo b$DAY >> ledger", "depends": ["a"]},
    )
    site.file("days", "1 2 3")
    site.tasks(outer=f"for day in $(cat days); do DAY=$day {calls(site, 'inner.json')} || exit; done")
    assert site.run().end().code == 1
    assert ledger(site) == ["a1", "b1", "a2"]
    go(site)
    site.file("days", order)
    assert site.resume(1).end().code == 0
    new = [word for day in order.split() if day in "34" for word in (f"a{day}", f"b{day}")]
    assert sorted(ledger(site)) == sorted(["a1", "b1", "a2", "b2", *new])


def test_equal_calls_are_told_by_their_order(site: Site) -> None:
    inner(site, "inner.json", a="echo a >> ledger; test $(wc -l < ledger) -ne 2")
    site.tasks(outer=calls(site, "inner.json", "inner.json", "inner.json"))
    assert site.run().end().code == 1
    assert states(site, 2, 3) == ["SUCCESS", "FAILED"]
    assert site.resume(1).end().code == 0
    assert states(site, 2, 3, 4) == ["SUCCESS"] * 3
    assert [site.row(run).call_no for run in (2, 3, 4)] == [1, 2, 3]
    assert ledger(site) == ["a", "a", "a", "a"]


def test_calls_at_one_time_take_a_run_each(site: Site) -> None:
    inner(site, "inner.json", a="echo a >> ledger", b={"command": fails_once(site), "depends": ["a"]})
    one = calls(site, "inner.json")
    wait_for_all = "for pid in $pids; do wait $pid || failed=1; done; exit $failed"
    site.tasks(outer=f'failed=0; for k in 1 2 3; do {one} & pids="$pids $!"; done; {wait_for_all}')
    assert site.run().end().code == 1
    assert states(site, 2, 3, 4) == ["FAILED"] * 3
    go(site)
    assert site.resume(1).end().code == 0
    assert states(site, 1, 2, 3, 4) == ["SUCCESS"] * 4
    assert ledger(site) == ["a"] * 3 + ["b"] * 3
    assert "no run 5" in site.mflow("status", "5").err


def test_another_call_makes_a_new_run_and_says_why(site: Site) -> None:
    inner(site, "inner.json", a={"command": f"echo $Y; {fails_once(site)}", "env": {"Y": "${X}"}})
    site.file("x", "2026-11-23")
    site.tasks(outer=f"X=$(cat x) {calls(site, 'inner.json')}")
    assert site.run().end().code == 1
    site.file("x", "2026-11-24")
    go(site)
    assert site.resume(1).end().code == 0
    assert "a new run begins: X was 2026-11-23 in run 2" in site.printed(1, "outer")
    assert site.printed(3, "a").split() == ["2026-11-24"]
    assert states(site, 1, 2, 3) == ["SUCCESS", "FAILED", "SUCCESS"]


def test_an_outer_run_resumed_in_another_shell_goes_on_with_the_first_values(site: Site) -> None:
    inner(
        site,
        "inner.json",
        a="echo a >> ledger",
        b={"command": f"echo $Y; {fails_once(site)}", "env": {"Y": "${BDATE}"}},
    )
    site.tasks(outer=calls(site, "inner.json"))
    site.env |= {"BDATE": "2026-11-23", "OTHER": "1"}
    assert site.run().end().code == 1
    del site.env["BDATE"]
    site.env["OTHER"] = "2"
    go(site)
    assert site.resume(1).end().code == 0
    assert ledger(site) == ["a", "b"]
    assert site.printed(2, "b").split() == ["2026-11-23"]
    assert "BDATE was set when run 2 began" in site.printed(1, "outer")


def test_equal_numbers_of_another_database_are_no_parents(site: Site) -> None:
    """Two outer runs of number 1, each in a database of its own, have their inner runs in a third one."""
    other = Site(site.folder / "other")
    other.env |= site.env
    url = f"sqlite:///{site.folder}/inner.db"
    inner(
        site,
        "inner.json",
        a="echo $NAME >> ledger",
        b={"command": fails_once(site, "b$NAME"), "depends": ["a"]},
    )
    command = f"cd {site.folder} && {calls(site, f'inner.json --database {url}')}"
    for one, name in ((site, "x"), (other, "y")):
        one.tasks(outer={"command": command, "env": {"NAME": name}})
        assert one.run().end().code == 1
    go(site)
    for one in (other, site):
        assert one.resume(1).end().code == 0
    assert ledger(site) == ["x", "y", "by", "bx"]
    assert "goes on with run 2," in other.printed(1, "outer")
    assert "goes on with run 1," in site.printed(1, "outer")
    other.close()


# ------------------------------------------------------------------------------------------- three levels


class Levels:
    """Run 1 calls run 2, which calls run 3, whose second task waits at a gate."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.gate: Gate = site.gate("b")
        note = f"echo %s >> {site.folder}/ledger"
        inner(
            site,
            "inner.json",
            a=note % "a",
            b={"command": self.gate.command(note % "b"), "depends": ["a"]},
            c={"command": note % "c", "depends": ["b"]},
        )
        middle = {
            "call": calls(site, "inner.json"),
            "after": {"command": note % "after", "depends": ["call"]},
        }
        inner(
            site,
            "middle.json",
            before=note % "before",
            **(middle | {"call": {"command": middle["call"], "depends": ["before"]}}),
        )
        site.tasks(top=calls(site, "middle.json"))
        self.run: Run = site.run()
        self.gate.pid()
        eventually(lambda: site.is_running(3, "b"))

    def kill(self, run_id: int) -> None:
        """The supervisor of this run, by SIGKILL."""
        owner = self.site.row(run_id).owner
        assert owner is not None
        os.kill(owner.identity.pid, signal.SIGKILL)

    def resume(self) -> Run:
        """Resume the outermost until the gate is waited at: its task may be found to have failed meanwhile."""
        while True:
            run = self.site.resume(1)
            eventually(partial(self._is_there_or_over, run))
            if self.gate.is_told():
                self.gate.pid()
                return run
            assert run.end().code == 1

    def _is_there_or_over(self, run: Run) -> bool:
        return self.gate.is_told() or run.process.poll() is not None


@pytest.mark.parametrize("victims", [(1,), (2,), (3,), (1, 2), (1, 3), (2, 3), (1, 2, 3), (3, 2, 1)])
def test_supervisors_killed_at_any_level_nothing_done_is_done_again(
    site: Site, victims: tuple[int, ...]
) -> None:
    levels = Levels(site)
    for run_id in victims:
        levels.kill(run_id)
    levels.run.end()
    resumed = site.resume(1) if victims == (1,) else levels.resume()
    levels.gate.open()
    assert resumed.end().code == 0
    assert ledger(site) == ["before", "a", "b", "c", "after"]
    assert states(site, 1, 2, 3) == ["SUCCESS"] * 3
    assert "no run 4" in site.mflow("status", "4").err
    site.assert_nobody_left()


def test_a_cancel_of_the_outermost_ends_all_and_its_resume_resumes_all(site: Site) -> None:
    levels = Levels(site)
    assert site.mflow("cancel", "1").code == 0
    assert states(site, 1, 2, 3) == ["FAILED"] * 3
    assert levels.run.end().code == 1
    by = site.row(1).cancelled_by
    assert site.row(2).cancelled_by == f"parent run 1 (cancelled by {by})"
    assert str(site.row(3).cancelled_by).startswith("parent run 2 (cancelled by parent run 1")
    resumed = site.resume(1)
    levels.gate.pid()
    levels.gate.open()
    assert resumed.end().code == 0
    assert ledger(site) == ["before", "a", "b", "c", "after"]


def test_a_cancel_when_all_supervisors_are_dead_ends_all(site: Site) -> None:
    levels = Levels(site)
    for run_id in (1, 2, 3):
        levels.kill(run_id)
    levels.run.end()
    assert site.mflow("cancel", "1").code == 0
    assert states(site, 1, 2, 3) == ["FAILED"] * 3
    assert site.states(3) == {"a": "SUCCESS", "b": "FAILED", "c": "PENDING"}
    site.assert_nobody_left()


# ------------------------------------------------------------------------------------ the ends of parents


@pytest.mark.parametrize(
    ("then", "code", "state", "why"),
    [
        ("true", 0, "SUCCESS", "stopped on request"),  # left running after SUCCESS, so by the run's end
        ("false", 1, "FAILED", "ended from outside while its supervisor was gone"),  # with the failed attempt
    ],
)
def test_a_run_whose_parent_has_ended_is_not_left_interrupted(
    site: Site, then: str, code: int, state: str, why: str
) -> None:
    gate = site.gate("a")
    inner(site, "inner.json", a=gate.command())
    site.tasks(outer=f"{calls(site, 'inner.json')}; {then}")
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(2, "a"))
    owner = site.row(2).owner
    assert owner is not None
    os.kill(owner.identity.pid, signal.SIGKILL)
    assert run.end().code == code
    row = site.row(2)
    assert (row.state, row.cancelled_by) == (RunState.FAILED, f"parent run 1 ({state})")
    [attempt] = site.attempts(2, "a")
    assert attempt.end is not None
    assert attempt.end.message == why
    site.assert_nobody_left()


def test_a_stop_leaves_both_to_be_resumed(site: Site) -> None:
    levels = Levels(site)
    levels.run.kill(signal.SIGTERM)
    assert levels.run.end().code == 143
    assert states(site, 1, 2, 3) == ["RUNNING"] * 3
    resumed = site.resume(1)
    levels.gate.pid()
    levels.gate.open()
    assert resumed.end().code == 0
    assert ledger(site) == ["before", "a", "b", "c", "after"]


def test_a_run_that_an_operator_cancelled_is_not_resumed_silently(site: Site) -> None:
    gate = site.gate("a")
    inner(site, "inner.json", a=gate.command("echo a >> ledger"))
    site.tasks(outer=calls(site, "inner.json"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(2, "a"))
    assert site.mflow("cancel", "2").code == 0
    assert run.end().code == 1
    by = site.row(2).cancelled_by
    assert site.resume(1).end().code == 1
    said = site.printed(1, "outer")
    assert f"run 2 was cancelled by {by}" in said
    assert "mflow resume 2" in said
    assert len(site.attempts(2, "a")) == 1
    resumed = site.resume(2)
    gate.pid()
    gate.open()
    assert resumed.end().code == 0
    assert site.resume(1).end().code == 0
    assert ledger(site) == ["a"]


def test_a_run_that_lives_is_waited_for(site: Site) -> None:
    gate = site.gate("b")
    inner(
        site,
        "inner.json",
        a="echo a >> ledger",
        b={"command": gate.command("echo b >> ledger"), "depends": ["a"]},
    )
    site.tasks(outer=calls(site, "inner.json"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(2, "b"))
    run.kill(signal.SIGTERM).end()
    by_hand = site.resume(2)
    gate.pid()
    outer = site.resume(1)
    log = Path(site.row(1).folder) / "outer.2.log"
    eventually(lambda: log.exists() and "waiting for it" in log.read_text())
    gate.open()
    assert by_hand.end().code == 0
    assert outer.end().code == 0
    assert ledger(site) == ["a", "b"]
    assert states(site, 1, 2) == ["SUCCESS"] * 2


def test_a_stop_of_who_waits_goes_down(site: Site) -> None:
    gate = site.gate("b")
    inner(site, "inner.json", b=gate.command())
    site.tasks(outer=calls(site, "inner.json"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(2, "b"))
    run.kill(signal.SIGTERM).end()
    by_hand = site.resume(2)
    gate.pid()
    outer = site.resume(1)
    log = Path(site.row(1).folder) / "outer.2.log"
    eventually(lambda: log.exists() and "waiting for it" in log.read_text())
    outer.kill(signal.SIGTERM)
    assert outer.end().code == 143
    assert by_hand.end().code == 143
    assert states(site, 1, 2) == ["RUNNING"] * 2
    site.assert_nobody_left()
