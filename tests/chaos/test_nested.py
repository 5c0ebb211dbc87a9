"""A task that is a run of its own: it ends in order with the run around it, and is resumed by it."""

import signal
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from tests.chaos import census
from tests.chaos.monkey import INNER
from tests.chaos.site import Gate, Run, Site, eventually


class Nest:
    """A run whose one task is a run whose first task waits at a gate."""

    def __init__(self, site: Site, *, exec_: bool) -> None:
        self.site = site
        self.inner = Site(site.folder / "inner")
        self.inner.env |= site.env
        self.gate: Gate = self.inner.gate("a")
        self.inner.config(kill_grace_seconds=3)
        self.inner.tasks(a=self.gate.command("echo a"), b={"depends": ["a"], "command": "echo b"})
        site.config(kill_grace_seconds=15)
        site.file("inner.sh", INNER % " ".join(site.command()))
        command = f"exec bash {site.folder}/inner.sh" if exec_ else f"bash {site.folder}/inner.sh; exit $?"
        site.tasks(inner=command)
        self.run: Run = site.run()
        self.task = self.gate.pid()
        eventually(lambda: self.inner.is_running(1, "a"))

    def assert_inner_is_resumable(self) -> None:
        """Its task was ended by its own supervisor, which knows so; nothing is lost."""
        assert self.inner.states(1) == {"a": "PENDING", "b": "PENDING"}
        [attempt] = self.inner.attempts(1, "a")
        assert attempt.end is not None
        assert attempt.end.outcome is Outcome.CANCELLED
        assert self.inner.rows(1)["a"].tries == 0

    def assert_all_done(self) -> None:
        """Both runs, each task once at last."""
        assert self.site.states(self.run.id) == {"inner": "SUCCESS"}
        assert self.inner.states(1) == {"a": "SUCCESS", "b": "SUCCESS"}
        assert self.inner.printed(1, "a") == "a\n"
        assert len(self.inner.attempts(1, "b")) == 1
        self.site.assert_nobody_left()


@pytest.fixture(params=[True, False], ids=["exec", "child of a shell"])
def nest(site: Site, request: pytest.FixtureRequest) -> Nest:
    """It runs."""
    return Nest(site, exec_=request.param)


def test_an_inner_run_knows_what_it_is_a_part_of(site: Site) -> None:
    nest = Nest(site, exec_=True)
    row = nest.inner.row(1)
    assert (row.parent_run, row.parent_task, row.parent_attempt) == (nest.run.id, "inner", 1)
    [task] = [one for one in census.of_role(site.mark, "task") if one.pid == nest.task]
    assert len(task.tokens) == 2, "the token of the outer attempt is kept beside that of the inner"
    nest.gate.open()
    assert nest.run.end().code == 0
    nest.assert_all_done()


def test_a_cancel_of_the_outer_run_ends_the_inner_one_in_order(nest: Nest) -> None:
    assert nest.site.mflow("cancel", str(nest.run.id)).code == 0
    assert nest.run.end().code == 1
    nest.site.assert_nobody_left()
    assert nest.site.states(nest.run.id) == {"inner": "FAILED"}
    nest.assert_inner_is_resumable()
    resumed = nest.inner.resume(1)
    nest.gate.pid()
    nest.gate.open()
    assert resumed.end().code == 0


def test_a_stop_of_the_outer_run_stops_the_inner_one_and_a_resume_resumes_it(nest: Nest) -> None:
    nest.run.kill(signal.SIGTERM)
    assert nest.run.end().code == 143
    nest.site.assert_nobody_left()
    assert nest.site.states(nest.run.id) == {"inner": "PENDING"}
    nest.assert_inner_is_resumable()
    resumed = nest.site.resume(nest.run.id)
    nest.gate.pid()
    nest.gate.open()
    assert resumed.end().code == 0
    nest.assert_all_done()


def test_an_inner_supervisor_is_adopted_with_its_task(site: Site) -> None:
    nest = Nest(site, exec_=True)
    nest.run.kill()
    resumed = site.resume(nest.run.id)
    eventually(lambda: "adopted" in site.master_log())
    nest.gate.open()
    assert resumed.end().code == 0
    assert len(site.attempts(nest.run.id, "inner")) == 1
    assert len(nest.inner.attempts(1, "a")) == 1
    nest.assert_all_done()


def test_a_killed_inner_supervisor_takes_its_tasks_with_it_and_its_run_is_resumed(site: Site) -> None:
    """Its task is ended before the next attempt of the outer task resumes its run."""
    nest = Nest(site, exec_=True)
    [inner] = census.of_role(site.mark, "inner")
    census.kill(inner.pid)
    assert nest.run.end().code == 1
    assert not Path(f"/proc/{nest.task}").exists()
    site.assert_nobody_left()
    resumed = site.resume(nest.run.id)
    nest.gate.pid()
    nest.gate.open()
    assert resumed.end().code == 0
    nest.assert_all_done()
