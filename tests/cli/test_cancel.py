"""`mflow cancel` where it is not alone."""

import importlib
import os
from dataclasses import replace
from typing import Any, cast

import pytest

from mflow.cli import cancelling
from mflow.cli.cancel import cancel
from mflow.cli.hints import Commands
from mflow.cli.owning import Overtaken
from mflow.core.model import RunRow
from mflow.core.states import RunState
from mflow.engine.identity import own_identity
from tests.cli.project import Project, bash_tasks, wait_for
from tests.cli.rows import OWNER, run_row

cancel_module = importlib.import_module("mflow.cli.cancel")


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


def test_a_supervisor_that_does_nothing_is_named_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = run_row(owner=replace(OWNER, identity=own_identity()), lease_expired=True)
    rows = iter([stopped, stopped, replace(stopped, state=RunState.FAILED, owner=None)])

    class Store:
        def read_run(self, run_id: int) -> RunRow:
            return next(rows)

    monkeypatch.setattr(cancel_module, "LOOK_SECONDS", 0)
    assert cancel_module._wait(cast("Any", Store()), 7, Commands(())).state is RunState.FAILED
    said = capsys.readouterr().err
    assert said.count(f"supervisor {os.getpid()} is there but does nothing") == 1
    assert "mflow resume 7 --takeover" in said
