"""Who may become the owner of a run that was somebody's before."""

from dataclasses import replace

import pytest

from mflow.cli import owning
from mflow.cli.hints import Commands
from mflow.core.errors import RunOwned
from mflow.core.model import Identity
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
    def refuse(identity: Identity, number: int) -> bool:
        raise PermissionError

    monkeypatch.setattr(owning, "signal_verified", refuse)
    run_id = project.new_run(*bash_tasks(a=()))
    store = project.store()
    seen = store.read_run(run_id)
    with pytest.raises(RunOwned, match="belongs to ana"):
        owning.own(store, seen, Commands(), takeover=True)
    assert store.read_run(run_id).fence == seen.fence
    store.close()
