"""Becoming the owner of a run that was somebody's before."""

from mflow.cli.driving import new_owner
from mflow.cli.hints import Commands
from mflow.cli.wording import clean, moment
from mflow.core.contracts import Store
from mflow.core.errors import RunOwned, Superseded
from mflow.core.model import RunRow
from mflow.engine.identity import signal_verified
from mflow.engine.ownership import end_owner, owner_alive
from mflow.store.patience import patient


class Overtaken(RunOwned):
    """Somebody else became the run's owner since it was looked at."""


def require_free(run: RunRow, commands: Commands) -> None:
    """Raise RunOwned while a supervisor drives the run."""
    if run.owner is None or not owner_alive(run):
        return
    who = run.owner
    place = f"{clean(who.identity.host)}, pid {who.identity.pid}"
    raise RunOwned(
        f"run {run.id} is driven by {clean(who.user)} on {place}, since {moment(who.since)}",
        hint=f"look at it: {commands.of('status', run.id)}; or end that supervisor and take its place: "
        f"{commands.of('resume --takeover', run.id)}",
    )


def own(store: Store, run: RunRow, commands: Commands, *, takeover: bool = False) -> int:
    """Become the run's owner, and see the one before gone; the fence. Raises RunOwned, Overtaken.

    The fence comes first: from then on nothing that the other one writes is taken. An owner that only its lease
    shows to be dead must be without one at that very moment.
    """
    if takeover:
        _require_endable(run)
    owner = new_owner()
    there = run.owner is not None and not run.owner.identity.same_kernel(owner.identity)
    lapsed = there and bool(run.lease_expired) and not takeover
    try:
        fence = patient(lambda: store.acquire(run.id, owner, fence=run.fence, lapsed=lapsed))
    except Superseded as error:
        raise _overtaken(patient(lambda: store.read_run(run.id)), commands) from error
    end_owner(run)
    return fence


def _overtaken(run: RunRow, commands: Commands) -> Overtaken:
    """Who was quicker, as far as that still shows."""
    try:
        require_free(run, commands)
    except RunOwned as error:
        return Overtaken(error.message, hint=error.hint)
    return Overtaken(
        f"run {run.id} was taken by somebody else at this moment",
        hint=f"look at it: {commands.of('status', run.id)}",
    )


def _require_endable(run: RunRow) -> None:
    """Raise RunOwned for a supervisor that this user may not end: better before its fence is gone than after."""
    if run.owner is None:
        return
    try:
        signal_verified(run.owner.identity, 0)
    except PermissionError as error:
        raise RunOwned(
            f"the supervisor of run {run.id} (pid {run.owner.identity.pid}) belongs to {clean(run.owner.user)}",
            hint=f"take the run over as {clean(run.owner.user)} or as root",
        ) from error
