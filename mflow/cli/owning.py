"""Becoming the owner of a run that was somebody's before."""

import math
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

from mflow.cli.driving import new_owner
from mflow.cli.hints import Commands
from mflow.cli.waiting import patient
from mflow.cli.wording import clean, moment
from mflow.core.contracts import LEASE_SECONDS, Store
from mflow.core.errors import RunOwned, StoreError, StoreUnavailable, Superseded
from mflow.core.kernels import difference, was_restarted
from mflow.core.model import Owner, RunRow
from mflow.engine.identity import signal_verified
from mflow.engine.ownership import end_owner, is_stopped, only_lease_tells, owner_alive


class Overtaken(RunOwned):
    """Somebody else became the run's owner since it was looked at."""


def require_free(run: RunRow, commands: Commands) -> None:
    """Raise RunOwned while a supervisor drives the run."""
    if run.owner is None or not owner_alive(run):
        return
    if only_lease_tells(run):
        raise _held_elsewhere(run, commands)
    raise RunOwned(
        _driven_by(run),
        hint=f"look at it: {commands.of('status', run.id)}; or end that supervisor and take its place: "
        f"{commands.of('resume --takeover', run.id)}",
    )


def _driven_by(run: RunRow) -> str:
    assert run.owner is not None
    who = run.owner
    place = f"{clean(who.identity.host)}, pid {who.identity.pid}"
    return f"run {run.id} is driven by {clean(who.user)} on {place}, since {moment(who.since)}"


def _held_elsewhere(run: RunRow, commands: Commands) -> RunOwned:
    """Of an owner that cannot be looked up, and counts as alive while its lease lasts: until when, and what then."""
    assert run.owner is not None
    theirs, here = run.owner.identity, new_owner().identity
    resume = commands.of("resume", run.id)
    if theirs.same_kernel(here):
        where = "this user may not see whether it lives"
    elif was_restarted(theirs, here):
        where = (
            "that was before the last restart of this machine, or on another of the same name and machine id"
        )
    else:
        where = f"it ran on host {clean(theirs.host)}, {clean(difference(theirs, here))}"
    hint = f"{where}. If it is dead, wait until then and type: {resume}"
    if not was_restarted(theirs, here):
        hint += (
            "; if it lives, end it there, or have it lose the run at once, while what it started goes on unseen: "
            f"{commands.of('resume --takeover', run.id)}"
        )
    return RunOwned(f"{_driven_by(run)}; {_lease(run)}", hint=hint)


def _lease(run: RunRow) -> str:
    """`its lease runs until 2026-05-04 12:00:00 (43 s from now)`; the instant is on the database's clock."""
    if run.lease_until is None:
        return "its lease has not run out"
    left = (run.lease_until - datetime.now(UTC)).total_seconds()
    whole = min(max(1, math.ceil(left)), math.ceil(LEASE_SECONDS))
    return f"its lease runs until {moment(run.lease_until + timedelta(seconds=1))} ({whole} s from now)"


def own(store: Store, run: RunRow, commands: Commands, *, takeover: bool = False) -> int:
    """Become the run's owner, and see the one before gone; the fence. Raises RunOwned, Overtaken, StoreUnavailable.

    With `takeover` a supervisor that can be reached is ended before the fence is asked for: one that was stopped
    within a transaction holds the very lock that this needs. Elsewhere the fence comes first: from then on nothing
    that the other one writes is taken. An owner that only its lease shows to be dead must be without one at that very
    moment, by the database's clock.
    """
    owner = new_owner()
    by_lease = only_lease_tells(run)
    if takeover:
        if by_lease and _may_have_been_restarted(run, owner) and not run.lease_expired:
            raise _held_elsewhere(run, commands)
        _end(store, run, commands)
    lapsed = by_lease and (not takeover or _may_have_been_restarted(run, owner))
    try:
        with naming_who_is_stopped(store, commands):
            return patient(lambda: store.acquire(run.id, owner, fence=run.fence, lapsed=lapsed))
    except Superseded as error:
        raise _overtaken(patient(lambda: store.read_run(run.id)), commands) from error


def _end(store: Store, run: RunRow, commands: Commands) -> None:
    """End the supervisor of a row that was read before, unless the run is somebody else's by now."""
    _require_endable(run)
    with suppress(StoreUnavailable):  # a file without WAL: what was read before is all that can be known
        now = store.read_run(run.id)
        if now.fence != run.fence:
            raise _overtaken(now, commands)
        if now.owner is None:
            return  # it has let go of the run: let it leave in peace
    end_owner(run)


@contextmanager
def naming_who_is_stopped(store: Store, commands: Commands) -> Iterator[None]:
    """If the database cannot be written: whether a supervisor that is stopped may be what holds its lock."""
    try:
        yield
    except StoreUnavailable as error:
        named = _who_is_stopped(store, commands)
        if not named:
            raise
        raise StoreUnavailable(f"{error.message}; {named}", hint=error.hint) from error


def _who_is_stopped(store: Store, commands: Commands) -> str:
    try:
        stopped = [run for run in store.owned_runs() if is_stopped(run)]
    except StoreError:
        return ""
    return "; ".join(
        f"the supervisor of run {run.id} (pid {run.owner.identity.pid}) is stopped and may hold a lock on it: "
        f"let it go on (kill -CONT {run.owner.identity.pid}), or take its place: "
        f"{commands.of('resume --takeover', run.id)}"
        for run in stopped
        if run.owner
    )


def _may_have_been_restarted(run: RunRow, here: Owner) -> bool:
    """Then its attempts count as ended by the restart: only if no lease says that it lives on another machine."""
    return run.owner is not None and was_restarted(run.owner.identity, here.identity)


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
