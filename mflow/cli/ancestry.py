"""A run that a task has made, and the runs above it: what was set for the calls that led to it, who makes them anew."""

import os
from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING

from mflow.cli.end_order import is_driven
from mflow.cli.kept_files import kept_environment
from mflow.cli.wording import clean, names
from mflow.core.calls import was_cancelled_itself
from mflow.core.environment import KeptEnvironment, not_as_told
from mflow.core.errors import RunNotFound, UsageError
from mflow.core.model import RunRow
from mflow.core.states import RunState
from mflow.store.patience import patient

if TYPE_CHECKING:
    from mflow.cli.hints import Commands
    from mflow.core.contracts import Store

_SHOWN = 20


def ancestors(store: "Store", run: RunRow) -> Iterator[RunRow]:
    """The run whose task has made this one, and so on outwards, as far as they are in this database."""
    while run.parent_run is not None and run.parent_uid is not None and run.parent_run < run.id:
        try:
            parent = patient(partial(store.read_run, run.parent_run))
        except RunNotFound:
            return
        if parent.uid != run.parent_uid:
            return  # a run of the same number in another database
        yield parent
        run = parent


def reviver(store: "Store", run: RunRow) -> RunRow | None:
    """The outermost run whose resume makes the calls anew that have led to this one, and so goes on with it, too.

    There is none beyond one that somebody has cancelled by itself, whose caller has succeeded, or is under way.
    """
    found = None
    for parent in ancestors(store, run):
        if was_cancelled_itself(run) or parent.state is RunState.SUCCESS or is_driven(parent):
            break
        if run.parent_task not in patient(partial(store.read_unfinished, parent.id)):
            break
        found = run = parent
    return found


def set_by_calls(store: "Store", run: RunRow, kept: KeptEnvironment) -> frozenset[str]:
    """The names of variables that were set for the call which made this run, or for one of those that led to it."""
    told = kept.told
    for parent in ancestors(store, run):
        above = kept_environment(store, parent)
        told |= above.told if above else frozenset()
    return told


def unlike_the_call(
    store: "Store", run: RunRow, kept: KeptEnvironment | None, own: Collection[str] = ()
) -> dict[str, str | None]:
    """What this environment lacks of what was set for the call that made the run, or has otherwise.

    With the values, where the files of the run have taken them; None: it is not known. `own`: set by config.json.
    """
    if kept is None or run.parent_run is None:
        return {}
    wanting = not_as_told(kept, set_by_calls(store, run, kept), os.environ, run.uid, own)
    return {name: kept.files.get(name) for name in wanting}


def require_as_called(
    store: "Store",
    run: RunRow,
    kept: KeptEnvironment | None,
    own: Collection[str],
    commands: "Commands",
    *,
    takeover: bool,
) -> None:
    """Raise UsageError unless what was set for the call that made the run is set here, too."""
    wanting = unlike_the_call(store, run, kept, own)
    if not wanting:
        return
    task = f"task {clean(run.parent_task or '')} of run {run.parent_run}"
    missing = [name for name in wanting if name not in os.environ]
    others = [name for name in wanting if name in os.environ]
    said = [
        *(
            [f"{names(missing, _SHOWN)} {'is' if len(missing) == 1 else 'are'} not set here"]
            if missing
            else []
        ),
        *(
            [f"{names(others, _SHOWN)} {'is' if len(others) == 1 else 'are'} set otherwise here"]
            if others
            else []
        ),
    ]
    typed = commands.with_variables(wanting, "resume --takeover" if takeover else "resume", run.id)
    hint = f"nothing was started or changed: type it with the values of that call: {typed}"
    if outer := reviver(store, run):
        hint += f"; or resume run {outer.id}, whose task sets them itself: {commands.of('resume', outer.id)}"
    raise UsageError(
        f"run {run.id} was called by {task} with variables of its own: {'; '.join(said)}", hint=hint
    )
