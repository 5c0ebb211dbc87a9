"""Runs that tasks of a run have made, when that run is over: those that nobody drives are not left INTERRUPTED."""

import subprocess
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from mflow.cli.boundary import tell, warn
from mflow.cli.end_order import is_driven
from mflow.cli.waiting import patient
from mflow.core.calls import ended_by_parent
from mflow.core.errors import MflowError, RunOwned
from mflow.core.model import Batch, RunRow
from mflow.core.states import OVER, RunState, TaskState
from mflow.engine.ownership import wake

if TYPE_CHECKING:
    from mflow.cli.hints import Commands
    from mflow.store.repository import SqlStore

_WAIT_SECONDS = 10.0
"""How long a child is waited for that another process is about to end."""


def end_children(store: "SqlStore", parent: RunRow, commands: "Commands") -> None:
    """End every run that a task of this one, which is over, has made in the same database and nobody drives.

    Its tasks were ended with those of the parent. One that is driven still is asked to end if the parent was
    cancelled; else it goes on: it was left behind on purpose. What cannot be ended is said. Raises StoreError.
    """
    for child in patient(lambda: store.children(parent.id, parent.uid)):
        if child.state in OVER:
            continue
        if not is_driven(child):
            _end(store, child, ended_by_parent(parent), commands)
        elif parent.cancelled_by:
            patient(partial(store.request_cancel, child.id, ended_by_parent(parent)))
            wake(child)


def _end(store: "SqlStore", child: RunRow, by: str, commands: "Commands") -> None:
    try:
        if patient(lambda: store.counts(child.id))[TaskState.RUNNING]:
            _cancel(store, child, by, commands)
        else:
            _close(store, child, by, commands)
    except RunOwned:
        _wait(store, child)
    except (MflowError, OSError) as error:
        warn(f"run {child.id}, which a task of this one had made, is not ended: {error}")


def _close(store: "SqlStore", child: RunRow, by: str, commands: "Commands") -> None:
    """Nothing of it runs: it is over with a word."""
    from mflow.cli.owning import own

    fence = own(store, child, commands)
    patient(lambda: store.request_cancel(child.id, by))
    store.apply(child.id, fence, Batch(1, run_state=RunState.FAILED, release=True))
    tell(
        f"run {child.id}, which task {child.parent_task} of run {child.parent_run} had made, has ended with it"
    )
    end_children(store, patient(lambda: store.read_run(child.id)), commands)


def _cancel(store: "SqlStore", child: RunRow, by: str, commands: "Commands") -> None:
    """Its supervisor did not live to write down how its tasks ended: that takes one more."""
    patient(lambda: store.request_cancel(child.id, by))
    command = [sys.executable, "-m", "mflow", "cancel", str(child.id), *commands.options]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        warn(
            f"run {child.id}, which a task of this one had made, is not ended: {commands.of('cancel', child.id)}"
        )


def _wait(store: "SqlStore", child: RunRow) -> None:
    """Somebody else ends it at this moment."""
    until = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < until and patient(lambda: store.read_run(child.id)).state not in OVER:
        time.sleep(0.05)
