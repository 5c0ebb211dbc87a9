"""A task that calls mflow, and the run that an earlier attempt of it made by the same call. Pure.

The k-th of equal calls of a task goes on with what the k-th one of its earlier attempts had made. Calls are equal if
they name the same files, task and folder, and if what they were *told* is the same: every variable that the parent's
files or the calling script have set. What merely comes down from the shell in which the outermost run was started is
left out: that shell is another one at a resume, and a run's files keep what they took from it (`core.environment`).
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from mflow.core.environment import comes_down, digest, is_secret, is_volatile, marks_of
from mflow.core.model import Definition, RunRow
from mflow.core.names import TOKENS_VARIABLE
from mflow.core.secrets import looks_secret
from mflow.core.states import RunState

_BY_PARENT = "parent run "
_HINT_DIGITS = 4  # of a hidden value's digest: calls are told apart, and nobody learns the value from 16 bits
_KEY = re.compile("key", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Parent:
    """The attempt that a process belongs to, by its environment."""

    run: int
    uid: str
    task: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Call:
    """One call of mflow by a task."""

    parent: Parent
    digest: str
    told: Mapping[
        str, str
    ]  # the variables that the parent's files or the calling script have set, secrets left out
    names: frozenset[str]  # of all that they have set, secrets too


def parent_of(environ: Mapping[str, str]) -> Parent | None:
    """The innermost attempt that this environment names, if it names one without contradiction."""
    run, attempt = _number(environ.get("MFLOW_RUN_ID")), _number(environ.get("MFLOW_ATTEMPT"))
    uid, _, rest = (environ.get(TOKENS_VARIABLE, "").split() or [""])[-1].partition(":")
    task = environ.get("MFLOW_TASK_ID")
    if run is None or attempt is None or not task or not uid or _number(rest.partition(":")[2]) != attempt:
        return None
    return Parent(run, uid, task, attempt)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None


def call_of(
    parent: Parent, definition: Definition, environ: Mapping[str, str], secrets: Collection[str] = ()
) -> Call:
    """The call that this process is."""
    marks = marks_of(environ)
    set_here = {
        name: value
        for name, value in sorted(environ.items())
        if marks and not is_volatile(name) and not comes_down(marks, parent.uid, name, value)
    }
    told = {name: value for name, value in set_here.items() if not is_secret(name, value, secrets)}
    where = (
        definition.taskfile,
        definition.cwd,
        definition.oneshot,
        definition.config,
        definition.datasources,
    )
    hidden = [
        (name, digest(parent.uid, name, value)[:_HINT_DIGITS])
        for name, value in set_here.items()
        if name not in told and not _is_password(name)
    ]
    text = json.dumps([where, list(told.items()), hidden])
    return Call(parent, hashlib.sha256(text.encode()).hexdigest(), told, frozenset(set_here))


def _is_password(name: str) -> bool:
    """Whether a variable's name says that its value may be another one at each attempt, and the call the same.

    A `..._KEY` may as well be what a loop goes over (PARTITION_KEY), and a value that holds a password an address.
    """
    return looks_secret(_KEY.sub("", name))


def may_go_on(call: Call, children: Iterable[RunRow]) -> list[RunRow]:
    """Of the runs that the task has made, those that this call may go on with, the first choice first."""
    found = [one for one in children if one.call_digest == call.digest and _is_earlier(one, call)]
    return sorted(found, key=lambda one: (one.call_no or 0, one.id))


def earlier(call: Call, children: Iterable[RunRow]) -> list[RunRow]:
    """The runs of earlier attempts that no call of this one has taken up."""
    return [one for one in children if _is_earlier(one, call)]


def _is_earlier(child: RunRow, call: Call) -> bool:
    return child.parent_attempt is not None and child.parent_attempt < call.parent.attempt


# ------------------------------------------------------------------------------------- ends of parents


def ended_by_parent(parent: RunRow) -> str:
    """Who is said to have ended the children of a run that is over."""
    how = f"cancelled by {parent.cancelled_by}" if parent.cancelled_by else str(parent.state)
    return f"{_BY_PARENT}{parent.id} ({how})"


def was_cancelled_itself(child: RunRow) -> bool:
    """Whether somebody has ended this very run: not its parent with all that belonged to it."""
    by = child.cancelled_by
    return child.state is RunState.FAILED and by is not None and not by.startswith(_BY_PARENT)


def difference(
    call: Call, last: RunRow, files: Mapping[str, str | None], seen: Mapping[str, str]
) -> Sequence[str]:
    """In which variables this call differs from that of an earlier run: `X was 2026-11-23`, `Y was not set`.

    `files`, `seen`: what was kept of that run's environment.
    """

    def then(name: str) -> str:
        if (value := files.get(name)) is not None:
            return value or "empty"
        return "another value" if name in seen else "not set"

    names = [name for name, value in call.told.items() if seen.get(name) != digest(last.uid, name, value)]
    return [f"{name} was {then(name)}" for name in names]
