"""An earlier attempt whose end was never proven: nothing is sent before its session is known to be gone.

Its log tells how far it had come, since a mark is written there before the commit is sent and after its answer:

    committed     that attempt had done it all: this one ends well without running anything
    committing    whether it was done only Transaction Guard can tell; else UNKNOWN, unless the task is idempotent
    neither       mflow committed nothing of it: run again once the session is gone
"""

import os
from collections.abc import Mapping
from enum import Enum, auto
from typing import Any

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle import guard
from mflow.tasks.oracle.control import Control
from mflow.tasks.oracle.failure import failure_of
from mflow.tasks.oracle.fate import Fate, Watch, open_watch, settle_session
from mflow.tasks.oracle.loss import WELL, said_of
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.session import Marks, SessionId

LOG, LTXID = "log", "ltxid"
"""Facts beside those of the session: the path of the attempt's log, the logical transaction id in hexadecimal."""

_TAIL_BYTES = 64 * 1024


class Trace(Enum):
    """How far an attempt had come, by its log."""

    COMMITTED = auto()
    COMMITTING = auto()
    NEITHER = auto()
    UNREADABLE = auto()


def committing_mark(identifier: str) -> str:
    """Written before the commit is sent."""
    return f"committing ({identifier})"


def committed_mark(identifier: str) -> str:
    """Written once it was answered."""
    return f"committed ({identifier})"


class Earlier:
    """The attempt before this one, by the facts that were kept of it."""

    def __init__(
        self, facts: Mapping[str, Any], plan: Plan, driver: Any, marks: Marks, control: Control
    ) -> None:
        self._facts, self._plan, self._driver = facts, plan, driver
        self._marks, self._control = marks, control
        self._say = control.log.say

    def settle(self) -> AttemptEnd | None:
        """An end for this attempt, or None if it may begin."""
        target = SessionId.from_facts(self._facts)
        if target is None:
            return None
        self._control.earlier = target
        trace = read_trace(self._facts.get(LOG), target.client_identifier)
        if trace is Trace.COMMITTED:
            return WELL._replace(message="an earlier attempt had committed it before its worker died")
        try:
            watch = open_watch(self._driver, self._plan.source, self._marks)
        except (self._driver.Error, OSError, ValueError) as error:
            return self._unknown(target, f"cannot be looked up: {failure_of(error).message}", error)
        try:
            return self._settle(target, trace, watch)
        finally:
            watch.close()

    def _settle(self, target: SessionId, trace: Trace, watch: Watch) -> AttemptEnd | None:
        committed = self._ask_guard(watch)
        if committed and trace is Trace.COMMITTING:
            return WELL._replace(message="by Transaction Guard an earlier attempt had committed it")
        fate = settle_session(
            watch, target, may_kill=self._plan.kill_session, rest=self._control.rest, say=self._say
        )
        if not (fate is Fate.GONE or (fate is Fate.UNSEEN and self._plan.idempotent)):
            return self._unknown(target, said_of(target, fate))
        if not self._plan.idempotent and (doubt := _doubt(trace, committed)):
            return self._unknown(target, f"{doubt}; if it may run again all the same, say idempotent: true")
        self._control.earlier = None
        return None

    def _ask_guard(self, watch: Watch) -> bool | None:
        """Whether its transaction was committed; None if nobody tells."""
        try:
            ltxid = bytes.fromhex(self._facts.get(LTXID) or "")
            if not ltxid:
                return None
            return guard.ask(self._driver, watch.connection, ltxid).committed
        except (self._driver.Error, TypeError, ValueError) as error:
            self._say(f"Transaction Guard could not be asked: {failure_of(error).message}")
            return None

    def _unknown(self, target: SessionId, why: str, error: BaseException | None = None) -> AttemptEnd:
        named = "" if str(target) in why else f" ({target})"
        message = f"not run, because of an earlier attempt{named}: {why}"
        code = failure_of(error).code or None if error is not None else None
        return AttemptEnd(Outcome.UNKNOWN, error=code, message=message, retry_safe=False)


def _doubt(trace: Trace, committed: bool | None) -> str:
    """Why it may have taken effect; empty if it has not."""
    if committed is not None:
        return "by Transaction Guard a part of it is committed by its own COMMIT" if committed else ""
    if trace is Trace.COMMITTING:
        return "it was lost while it committed, so whether it took effect is not known"
    if trace is Trace.UNREADABLE:
        return "its log cannot be read, so whether it had committed is not known"
    return ""


def read_trace(log: Any, identifier: str) -> Trace:
    """How far the attempt of this identifier had come."""
    if not isinstance(log, str):
        return Trace.UNREADABLE
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            lines = file.read(_TAIL_BYTES).decode(errors="replace").splitlines()
    except OSError:
        return Trace.UNREADABLE
    if f"mflow: {committed_mark(identifier)}" in lines:
        return Trace.COMMITTED
    return Trace.COMMITTING if f"mflow: {committing_mark(identifier)}" in lines else Trace.NEITHER
