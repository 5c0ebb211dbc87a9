"""Who may become the owner of a run that was somebody's before."""

import os
import re
import signal
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mflow.cli import owning
from mflow.cli.hints import Commands
from mflow.core.errors import RunOwned, StoreUnavailable
from mflow.core.model import Identity, Owner, RunRow
from mflow.engine import identity
from mflow.engine.identity import own_identity
from tests.cli.project import Project, bash_tasks
from tests.cli.rows import run_row


def a_dead_one() -> Identity:
    here = own_identity()
    return replace(here, start_ticks=here.start_ticks - 1)


def test_a_run_without_a_living_owner_is_free() -> None:
    owning.require_free(run_row(owner=None), Commands())
    owner = run_row().owner
    assert owner
    owning.require_free(run_row(owner=replace(owner, identity=a_dead_one())), Commands())
    owning.require_free(run_row(lease_expired=True), Commands())  # on another host


def test_a_lease_on_another_host_is_respected() -> None:
    with pytest.raises(RunOwned, match="run 7 is driven by ana on alpha, pid 4711"):
        owning.require_free(run_row(lease_expired=False), Commands())


def before_a_restart() -> Identity:
    return replace(own_identity(), boot_id="before", machine_id="a" * 32)


def run_held_by(identity: Identity, **changes: Any) -> RunRow:
    until = datetime.now(UTC) + timedelta(seconds=43)
    owner = Owner(identity, "ana", datetime.now(UTC))
    return run_row(owner=owner, **{"lease_until": until, "lease_expired": False, **changes})


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with an id, wherever the tests run."""
    monkeypatch.setattr(identity, "_machine_id", lambda: "a" * 32)


@pytest.mark.usefixtures("machine")
def test_after_a_quick_restart_one_is_told_how_long_to_wait() -> None:
    run = run_held_by(before_a_restart())
    with pytest.raises(RunOwned) as refused:
        owning.require_free(run, Commands())
    assert re.search(
        r"its lease runs until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(\d+ s from now\)", refused.value.message
    )
    assert "last restart of this machine, or on another of the same name and machine id" in refused.value.hint
    assert refused.value.hint.endswith("wait until then and type: mflow resume 7")
    owning.require_free(run_held_by(before_a_restart(), lease_expired=True), Commands())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"machine_id": "b" * 32},
            "another machine of the same name (machine id bbbbbbbb there, aaaaaaaa here)",
        ),
        ({"machine_id": None}, "cannot be told without a machine id"),
        ({"host": "elsewhere"}, "it ran on host elsewhere, which cannot be seen from host"),
        ({"boot_id": None, "pid_ns": 1}, "in a container or pid namespace (1)"),
    ],
)
@pytest.mark.usefixtures("machine")
def test_what_differs_of_an_owner_elsewhere_is_said(changes: dict[str, Any], words: str) -> None:
    known = {
        name: value or getattr(own_identity(), name)
        for name, value in changes.items()
        if name != "machine_id"
    }
    if "machine_id" in changes:
        known["machine_id"] = changes["machine_id"]
    with pytest.raises(RunOwned) as refused:
        owning.require_free(run_held_by(replace(before_a_restart(), **known)), Commands())
    assert words in refused.value.hint
    assert "--takeover" in refused.value.hint


@pytest.mark.usefixtures("machine")
def test_a_namesakes_lease_is_not_taken_over_but_awaited(project: Project) -> None:
    """Its tasks would be taken for ended by a restart."""
    run_id = project.new_run(*bash_tasks(a=()), owner=before_a_restart())
    store = project.store()
    seen = store.read_run(run_id)
    with pytest.raises(RunOwned, match="its lease runs until"):
        owning.own(store, seen, Commands(), takeover=True)
    with pytest.raises(owning.Overtaken, match="its lease runs until"):
        owning.own(store, replace(seen, lease_expired=True), Commands(), takeover=True)
    assert store.read_run(run_id).fence == seen.fence
    store.close()


def test_of_two_resumes_one_wins(project: Project) -> None:
    run_id = project.new_run(*bash_tasks(a=()), owner=a_dead_one())
    store = project.store()
    seen = store.read_run(run_id)
    assert owning.own(store, seen, Commands()) == seen.fence + 1
    with pytest.raises(owning.Overtaken, match=rf"is driven by .*, pid {own_identity().pid}, since"):
        owning.own(store, seen, Commands())
    store.close()


def test_a_lease_renewed_since_it_was_read_is_respected(project: Project) -> None:
    elsewhere = Identity("elsewhere", "boot", 1, 4711, 99)
    run_id = project.new_run(*bash_tasks(a=()), owner=elsewhere)
    store = project.store()
    with pytest.raises(owning.Overtaken, match=r"is driven by .* on elsewhere, pid 4711"):
        owning.own(store, replace(store.read_run(run_id), lease_expired=True), Commands())
    store.close()


def test_a_supervisor_that_this_user_may_not_end_keeps_its_run(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(who: Identity, number: int) -> bool:
        raise PermissionError

    monkeypatch.setattr(owning, "signal_verified", refuse)
    run_id = project.new_run(*bash_tasks(a=()))
    store = project.store()
    seen = store.read_run(run_id)
    with pytest.raises(RunOwned, match="belongs to ana"):
        owning.own(store, seen, Commands(), takeover=True)
    assert store.read_run(run_id).fence == seen.fence
    store.close()


def test_who_cannot_write_is_told_which_supervisor_is_stopped(project: Project) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            sleeping = identity.identity_of(sleeper.pid)
            assert sleeping
            run_id = project.new_run(*bash_tasks(a=()), owner=sleeping)
            store = project.store()
            with (
                pytest.raises(StoreUnavailable, match=r"locked$"),
                owning.naming_who_is_stopped(store, Commands()),
            ):
                raise StoreUnavailable("locked")
            sleeper.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, sleeper.pid, os.WSTOPPED)
            with pytest.raises(StoreUnavailable) as refused, owning.naming_who_is_stopped(store, Commands()):
                raise StoreUnavailable("locked")
            store.close()
        finally:
            sleeper.kill()
    said = refused.value.message
    assert said.startswith(f"locked; the supervisor of run {run_id} (pid {sleeper.pid}) is stopped")
    assert f"mflow resume {run_id} --takeover" in said
