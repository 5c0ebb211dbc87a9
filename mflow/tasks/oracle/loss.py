"""What is to be said of an attempt whose session was lost while something was under way.

    Transaction Guard asked    its answer counts
    idempotent                 ERROR, may be tried again once the session is gone (or if nobody can tell)
    else                       UNKNOWN: what was sent may have been done, wholly or in part

What the session had not committed is undone by the database when it notices; a procedure's own COMMIT stays.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle import guard
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.failure import Failure, failure_of
from mflow.tasks.oracle.fate import NOT_TOLD, Fate, Watch, open_watch, settle_session
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.session import Marks, SessionId

WELL = AttemptEnd(Outcome.EXITED, exit_code=0)


@dataclass(frozen=True, slots=True)
class Loss:
    """What was known when the session was lost. `ltxid`: of the transaction then; empty without Transaction Guard."""

    failure: Failure
    stage: Stage
    target: SessionId
    ltxid: bytes = b""
    committed_before: bool = False  # an earlier part of the task is committed already

    @property
    def event(self) -> str:
        """What has happened, and during what."""
        during = "the commit" if self.stage is Stage.COMMITTING else "the call"
        return (
            f"the connection was lost during {during}"
            if self.failure.session_ended
            else f"{during} was broken off"
        )


def judge_loss(loss: Loss, plan: Plan, driver: Any, marks: Marks, control: Control) -> AttemptEnd:
    """Look into it through a second session, and say what can be said."""
    try:
        watch = open_watch(driver, plan.source, marks)
    except Exception as error:  # noqa: BLE001  (whatever it is, nothing can be told)
        control.log.say(f"no second session to look after the lost one: {failure_of(error).message}")
        return _without_guard(loss, plan, Fate.UNSEEN)
    try:
        end = _by_guard(loss, driver, watch, control.log.say) if loss.ltxid else None
        if end is not None:
            return end
        fate = settle_session(
            watch,
            loss.target,
            may_kill=plan.idempotent and plan.kill_session,
            rest=control.rest,
            say=control.log.say,
        )
    finally:
        watch.close()
    return _without_guard(loss, plan, fate)


def _without_guard(loss: Loss, plan: Plan, fate: Fate) -> AttemptEnd:
    lost = loss.event
    if plan.idempotent and fate in (Fate.GONE, *NOT_TOLD):
        message = f"{lost} ({loss.failure.message}); the task is idempotent"
        return AttemptEnd(Outcome.ERROR, error=loss.failure.code or None, message=message, retry_safe=True)
    message = f"{lost}, so whether it took effect is not known ({loss.failure.message}); {said_of(loss.target, fate)}"
    return AttemptEnd(Outcome.UNKNOWN, error=loss.failure.code or None, message=message, retry_safe=False)


def said_of(target: SessionId, fate: Fate) -> str:
    """What is known of a session and, unless it is gone, what a DBA types."""
    if fate is Fate.GONE:
        return f"{target} is gone"
    if fate is Fate.ELSEWHERE:
        host, database = target.host or "a host", target.database or "not recorded"
        there = f"instance {target.instance} on {host} of database {database}"
        return f"{target} {fate.value}: it was in {there}; a DBA ends it there with: {target.kill_statement}"
    return f"{target} {fate.value}; a DBA ends it with: {target.kill_statement}"


# --------------------------------------------------------------------------------- Transaction Guard


def _by_guard(loss: Loss, driver: Any, watch: Watch, say: Callable[[str], None]) -> AttemptEnd | None:
    """By the database's own answer; None if it gives none."""
    try:
        verdict = guard.ask(driver, watch.connection, loss.ltxid)
    except Exception as error:  # noqa: BLE001  (no answer, whatever the reason)
        say(f"Transaction Guard could not be asked: {failure_of(error).message}")
        return None
    say(f"Transaction Guard: {'committed' if verdict.committed else 'not committed'}")
    code = loss.failure.code or None
    if not verdict.committed:
        message = f"{loss.event}; by Transaction Guard nothing is or will be committed"
        return AttemptEnd(Outcome.ERROR, error=code, message=message, retry_safe=not loss.committed_before)
    if loss.stage is Stage.COMMITTING:
        return WELL
    message = (
        f"{loss.event}; by Transaction Guard a part of it is committed by its own COMMIT, "
        f"and the call {'had' if verdict.completed else 'had not'} come to its end"
    )
    return AttemptEnd(Outcome.ERROR, error=code, message=message, retry_safe=False)
