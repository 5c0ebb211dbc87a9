"""`mflow cancel` where it is not alone."""

import os
import time
from dataclasses import replace
from typing import Any, cast

import pytest

from mflow.cli import cancelling, end_order
from mflow.cli.cancel import cancel
from mflow.cli.end_order import EndOrder
from mflow.cli.hints import Commands
from mflow.cli.owning import Overtaken
from mflow.core.errors import StoreUnavailable
from mflow.core.model import RunRow
from mflow.core.states import RunState
from mflow.engine.identity import own_identity
from tests.cli.project import Project, bash_tasks, wait_for
from tests.cli.rows import OWNER, later, run_row


def test_one_that_was_overtaken_asks_whoever_was_quicker(
    project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    here = own_identity()
    run_id = project.new_run(*bash_tasks(a=()), owner=replace(here, start_ticks=here.start_ticks - 1))
    asked = []

    def too_late(*_: object) -> None:
        store = project.store()
        asked.append(store.read_run(run_id).cancelled_by)
        store.close()
        project.finish(run_id, RunState.FAILED)
        raise Overtaken("another cancel")

    monkeypatch.setattr(cancelling, "cancel_ourselves", too_late)
    cancel(str(run_id), database=f"sqlite:///{project.folder}/mflow.db")
    assert capsys.readouterr().out == f"run {run_id} has ended: FAILED\n"
    assert asked != [None]


def test_of_several_at_once_each_waits_until_the_run_has_ended(project: Project) -> None:
    project.tasks(a="touch started; sleep 60")
    running = project.start("run")
    wait_for(running, project.folder / "started")
    running.kill()
    running.communicate()
    rivals = [project.start("cancel", "1") for _ in range(4)]
    for rival in rivals:
        rival.communicate()
    assert [rival.returncode for rival in rivals] == [0, 0, 0, 0]
    assert project.mflow("status", "--json").json["run"]["state"] == "FAILED"


class Rows:
    """A store that says these, one after the other."""

    def __init__(self, *rows: RunRow) -> None:
        self._rows = iter(rows)
        self.locked = False

    def read_run(self, run_id: int) -> RunRow:
        return next(self._rows)

    def request_cancel(self, run_id: int, by: str) -> None:
        if self.locked:
            raise StoreUnavailable("sqlite:///mflow.db: locked")


OVER = run_row(state=RunState.FAILED, owner=None)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_SECONDS", "SILENT_SECONDS", "STOPPED_SECONDS", "WAKE_SECONDS"):
        monkeypatch.setattr(end_order, name, 0)
    monkeypatch.setattr(end_order, "wake", lambda run: True)


@pytest.mark.usefixtures("impatient")
def test_a_supervisor_that_does_not_answer_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    silent = run_row(owner=replace(OWNER, identity=own_identity()))
    order = EndOrder(cast("Any", Rows(silent, silent, OVER)), 7, Commands(()))
    assert order.wait() is OVER
    said = capsys.readouterr().err
    assert (
        said.count(f"supervisor {os.getpid()} of run 7 is there but does nothing: it has not answered") == 1
    )
    assert "mflow resume 7 --takeover" in said
    assert "mflow cancel 7 --takeover" in said


@pytest.mark.usefixtures("impatient")
def test_a_supervisor_that_waits_for_a_locked_database_does_not_hang(
    capsys: pytest.CaptureFixture[str],
) -> None:
    silent = run_row(owner=replace(OWNER, identity=own_identity()))
    rows = Rows(silent, silent, OVER)
    rows.locked = True
    assert EndOrder(cast("Any", rows), 7, Commands(()), takeover=True).wait() is OVER
    said = capsys.readouterr().err
    assert "locked; the supervisor waits for it, too" in said
    assert "does nothing" not in said


def test_a_supervisor_that_ends_tasks_for_long_is_woken_and_answers(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(end_order, "LOOK_SECONDS", 0)
    clock = iter(range(100))  # seconds
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    woken: list[RunRow] = []
    monkeypatch.setattr(end_order, "wake", woken.append)
    lease = [
        run_row(owner=replace(OWNER, identity=own_identity()), lease_until=later(n // 4)) for n in range(12)
    ]
    order = EndOrder(cast("Any", Rows(*lease, OVER)), 7, Commands(()), takeover=True)
    assert order.wait() is OVER
    assert len(woken) == 3
    assert capsys.readouterr().err == ""


@pytest.mark.usefixtures("impatient")
def test_a_supervisor_elsewhere_is_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    there = run_row(lease_expired=False)
    order = EndOrder(cast("Any", Rows(there, there, OVER)), 7, Commands(()), takeover=True)
    assert order.wait() is OVER
    assert (
        "the supervisor of run 7 (host alpha, pid 4711) cannot be seen from here" in capsys.readouterr().err
    )


def test_one_that_writes_is_left_to_its_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(end_order, "LOOK_SECONDS", 0)
    clock = iter(range(0, 100, 5))  # seconds
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    rows = [run_row(owner=replace(OWNER, identity=own_identity()), lease_until=later(n)) for n in range(10)]
    order = EndOrder(cast("Any", Rows(*rows, OVER)), 7, Commands(()), takeover=True)
    assert order.wait() is OVER
    assert capsys.readouterr().err == ""
