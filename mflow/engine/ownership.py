"""Whether a run's owner lives, and what one supervisor may do to another: wake it, or take its place."""

import os
import select
import signal

from mflow.core.errors import RunOwned
from mflow.core.model import Identity, RunRow
from mflow.engine import identity
from mflow.engine.identity import is_alive, open_verified, own_identity, signal_pidfd, signal_verified

TAKE_OVER_SECONDS = 10.0
"""How long a killed supervisor may take to be gone (it may hang in a system call)."""


def owner_alive(run: RunRow) -> bool | None:
    """True or False where the owner can be looked up (this kernel), or by its lease; None without an owner.

    Elsewhere only the lease tells: while it lasts, the owner counts as alive. So it is after a restart of this very
    machine: another one may bear its name, and even its machine id.
    """
    if run.owner is None:
        return None
    alive = _seen_alive(run.owner.identity)
    return not run.lease_expired if alive is None else alive


def only_lease_tells(run: RunRow) -> bool:
    """Whether the run has an owner that cannot be looked up from here."""
    return run.owner is not None and _seen_alive(run.owner.identity) is None


def _seen_alive(owner: Identity) -> bool | None:
    return is_alive(owner) if owner.same_kernel(own_identity()) else None


def wake(run: RunRow) -> bool:
    """Have a supervisor on this host look at its row now; False if it cannot be reached so."""
    if run.owner is None:
        return False
    try:
        return signal_verified(run.owner.identity, signal.SIGUSR1)
    except PermissionError:
        return False


def is_stopped(run: RunRow) -> bool:
    """Whether the run's owner is there but stopped (SIGSTOP, Ctrl-Z); False also where that cannot be seen."""
    return _is_here(run) and run.owner is not None and identity.is_stopped(run.owner.identity)


def _is_here(run: RunRow) -> bool:
    return run.owner is not None and run.owner.identity.same_kernel(own_identity())


def end_owner(run: RunRow) -> None:
    """Kill a supervisor of this kernel and wait for its end: from then on it writes nothing, and holds no lock.

    Raises RunOwned if it cannot be ended; nothing of its run may be read as settled then.
    """
    if run.owner is None or not _is_here(run):
        return
    pidfd = open_verified(run.owner.identity)
    if pidfd is None:
        return
    try:
        signal_pidfd(pidfd, signal.SIGKILL)
        ended = select.poll()
        ended.register(pidfd, select.POLLIN)
        if not ended.poll(TAKE_OVER_SECONDS * 1000):
            raise RunOwned(
                f"the supervisor of run {run.id} (pid {run.owner.identity.pid}) was killed, but has not ended yet",
                hint="it hangs in a system call (a disk or server that does not answer): try again when that is over",
            )
    except PermissionError as error:
        raise RunOwned(
            f"the supervisor of run {run.id} (pid {run.owner.identity.pid}) belongs to user {run.owner.user}",
            hint=f"take the run over as {run.owner.user} or as root",
        ) from error
    finally:
        os.close(pidfd)
