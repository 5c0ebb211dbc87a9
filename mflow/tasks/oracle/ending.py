"""Ending a session on somebody's word: cancel, cancel again, kill, and prove that it is gone."""

from typing import Any

from mflow.core.contracts import StopStep
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.failure import failure_of
from mflow.tasks.oracle.fate import Fate, open_watch, settle_session
from mflow.tasks.oracle.loss import said_of
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.session import Marks, Session

SETTLE_SECONDS = 3.0
"""How long the session's own thread has, once that is gone, to notice it and to say more exactly how it ended."""


class Ending:
    """Takes the steps of a stop in a thread of its own, since each may have to wait for the network."""

    def __init__(self, control: Control, session: Session, plan: Plan, driver: Any, marks: Marks) -> None:
        self._control, self._session, self._plan = control, session, plan
        self._driver, self._marks = driver, marks

    def run(self) -> None:
        """From the first step until the attempt has an end."""
        for step in (StopStep.ASK, StopStep.INSIST):
            if not self._control.await_step(step):
                return
            self._cancel()
        if self._control.await_step(StopStep.KILL):
            self._end_session()

    def _cancel(self) -> None:
        """A commit is let finish: to cancel it would only blur whether it was done."""
        try:
            if self._control.stage is Stage.RUNNING and self._session.cancel():
                self._control.log.say("cancelling the call")
        except Exception as error:  # noqa: BLE001  (a network that dies raises anything)
            self._control.log.say(f"the call could not be cancelled: {failure_of(error).message}")

    def _end_session(self) -> None:
        target = self._session.identity
        self._control.log.say(f"the call does not end when cancelled: {target}")
        fate = self._settle_session()
        self._control.await_own_thread(SETTLE_SECONDS)
        self._control.settle(self._verdict(fate))

    def _settle_session(self) -> Fate:
        try:
            watch = open_watch(self._driver, self._plan.source, self._marks)
        except Exception as error:  # noqa: BLE001  (whatever it is, nothing can be told)
            self._control.log.say(f"no second session to end the first: {failure_of(error).message}")
            return Fate.UNSEEN
        try:
            return settle_session(
                watch,
                self._session.identity,
                may_kill=self._plan.kill_session,
                rest=self._control.rest,
                say=self._control.log.say,
            )
        finally:
            watch.close()

    def _verdict(self, fate: Fate) -> AttemptEnd:
        target = self._session.identity
        if fate is Fate.GONE and self._control.stage is not Stage.COMMITTING:
            message = f"{target} was ended; what it had not committed is undone"
            return AttemptEnd(Outcome.CANCELLED, message=message, retry_safe=self._plan.idempotent)
        stuck = "its commit" if self._control.stage is Stage.COMMITTING else "its call"
        message = f"{stuck} did not end when told to; {said_of(target, fate)}"
        return AttemptEnd(Outcome.UNKNOWN, message=message, retry_safe=False)
