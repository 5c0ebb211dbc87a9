"""An earlier attempt whose end was never proven: what is known of it decides whether anything is sent.

Its facts were kept before it sent anything. How far it had come its log tells, since a mark is written there before a
statement is sent, before the commit is, and after its answer:

    committed     that attempt had done it all: this one ends well without running anything
    committing    whether it was done only Transaction Guard can tell; else UNKNOWN, unless the task is idempotent
    sent          likewise: what was sent may commit by itself, and that stays
    undone        what was sent commits nothing by itself: run again once the session is gone
    unsent        run, there is nothing to look for
    neither       there is no mark at all, so the log is not whole: as unreadable
    unreadable    likewise UNKNOWN, unless the task is idempotent

Where it is run again after something was sent, its session is known to be gone before.
"""

import os
from collections.abc import Iterable, Mapping
from enum import Enum, auto
from typing import Any

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle import guard
from mflow.tasks.oracle.control import Control
from mflow.tasks.oracle.failure import failure_of
from mflow.tasks.oracle.fate import NOT_TOLD, Fate, Watch, open_watch, settle_session
from mflow.tasks.oracle.loss import WELL, said_of
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.session import Marks, SessionId

LOG, LTXID, IN_PART = "log", "ltxid", "committed_in_part"
"""Facts beside those of the session: the path of the attempt's log (None: it does not tell what was sent), the logical
transaction id in hexadecimal, and whether a transaction before that one is committed."""

_COMMITS_NOTHING = ", which commits nothing by itself"

_LONGEST_LOG_BYTES = 256 * 1024 * 1024


class Trace(Enum):
    """How far an attempt had come, by its log."""

    COMMITTED = auto()
    COMMITTING = auto()
    SENT = auto()
    UNDONE = auto()
    UNSENT = auto()
    NEITHER = auto()
    UNREADABLE = auto()


def ready_mark(identifier: str) -> str:
    """Written before all others: without it the log is not whole, and its silence proves nothing."""
    return f"ready ({identifier})"


def sending_mark(identifier: str, number: int, of: int, *, commits: bool) -> str:
    """Written before a statement is sent. `commits`: it may do so by itself."""
    return f"sending statement {number} of {of}{'' if commits else _COMMITS_NOTHING} ({identifier})"


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
        if trace is Trace.UNSENT:
            self._say(f"{target} of an earlier attempt was lost before anything was sent to it")
            self._control.earlier = None
            return None
        try:
            watch = open_watch(self._driver, self._plan.source, self._marks)
        except Exception as error:  # noqa: BLE001  (whatever it is, nothing can be told)
            return self._unknown(target, f"cannot be looked up: {failure_of(error).message}", error)
        try:
            return self._settle(target, trace, watch)
        finally:
            watch.close()

    def _settle(self, target: SessionId, trace: Trace, watch: Watch) -> AttemptEnd | None:
        committed = self._ask_guard(watch)
        if committed and trace is Trace.COMMITTING:
            return WELL._replace(message="by Transaction Guard an earlier attempt had committed it")
        doubt = "" if self._plan.idempotent else self._doubt(trace, committed)
        fate = settle_session(
            watch,
            target,
            may_kill=self._plan.kill_session and not doubt,
            rest=self._control.rest,
            say=self._say,
        )
        if doubt:
            advice = "if it may run again all the same, say idempotent: true"
            return self._unknown(target, f"{said_of(target, fate)}; {doubt}; {advice}")
        if not (fate is Fate.GONE or (fate in NOT_TOLD and self._plan.idempotent)):
            return self._unknown(target, said_of(target, fate))
        self._control.earlier = None
        return None

    def _ask_guard(self, watch: Watch) -> bool | None:
        """Whether its transaction was committed; None if nobody tells."""
        try:
            ltxid = bytes.fromhex(self._facts.get(LTXID) or "")
            if not ltxid:
                return None
            return guard.ask(self._driver, watch.connection, ltxid).committed
        except Exception as error:  # noqa: BLE001  (no answer, whatever the reason)
            self._say(f"Transaction Guard could not be asked: {failure_of(error).message}")
            return None

    def _unknown(self, target: SessionId, why: str, error: BaseException | None = None) -> AttemptEnd:
        named = "" if str(target) in why else f" ({target})"
        message = f"not run, because of an earlier attempt{named}: {why}"
        code = failure_of(error).code or None if error is not None else None
        return AttemptEnd(Outcome.UNKNOWN, error=code, message=message, retry_safe=False)

    def _doubt(self, trace: Trace, committed: bool | None) -> str:
        """Why it may have taken effect; empty if it has not."""
        if committed is not None:
            if committed or self._facts.get(IN_PART):
                return "by Transaction Guard a part of it is committed by its own COMMIT"
            return ""
        return _DOUBTS.get(trace, "")


_DOUBTS = {
    Trace.COMMITTING: "it was lost while it committed, so whether it took effect is not known",
    Trace.SENT: "it was lost after a statement was sent that may commit by itself, so what took effect is not known",
    Trace.NEITHER: "its log is not whole, so whether anything took effect is not known",
    Trace.UNREADABLE: "its log cannot be read, so whether anything took effect is not known",
}


def read_trace(log: Any, identifier: str) -> Trace:
    """How far the attempt of this identifier had come."""
    if not isinstance(log, str):
        return Trace.UNREADABLE
    try:
        with open(log, "rb") as file:
            if os.fstat(file.fileno()).st_size > _LONGEST_LOG_BYTES:
                return Trace.UNREADABLE
            return _trace_of(file, f"({identifier})".encode())
    except OSError:
        return Trace.UNREADABLE


def _trace_of(lines: Iterable[bytes], named: bytes) -> Trace:
    """The marks are the lines `mflow: MARK (IDENTIFIER)`."""
    found = (line.strip() for line in lines if line.startswith(b"mflow: "))
    said = {line[7 : -len(named)].strip().decode(errors="replace") for line in found if line.endswith(named)}
    sent = [mark for mark in said if mark.startswith("sending ")]
    if "committed" in said:
        return Trace.COMMITTED
    if "committing" in said:
        return Trace.COMMITTING
    if any(not mark.endswith(_COMMITS_NOTHING) for mark in sent):
        return Trace.SENT
    if "ready" not in said:
        return Trace.NEITHER
    return Trace.UNDONE if sent else Trace.UNSENT
