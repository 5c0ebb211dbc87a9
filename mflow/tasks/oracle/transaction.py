"""The task's statements in one open session: all of them and a commit, or a rollback.

A commit is written into the log before it is sent and when it is answered (`earlier` reads it). Once somebody has
asked for the attempt's end, nothing more is sent but a rollback.
"""

import time
from pathlib import Path
from typing import Any

from mflow.core.contracts import StopStep, Workbench
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle import guard
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.earlier import LOG, LTXID, committed_mark, committing_mark
from mflow.tasks.oracle.execution import (
    COMPILED_WITH_ERRORS,
    CompiledWithErrors,
    Execution,
    Stopped,
    place_of,
)
from mflow.tasks.oracle.failure import Failure, failure_of
from mflow.tasks.oracle.loss import WELL, Loss, judge_loss
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.script import Note
from mflow.tasks.oracle.session import FACTS, Marks, Session
from mflow.tasks.oracle.statement import Statement

RECORD_SECONDS = 10.0
"""After so long without an answer it is looked whether the attempt is to stop, and asked again."""

CANCELLED = "ORA-01013"


class Transaction:
    """One attempt's work in its session."""

    def __init__(
        self, session: Session, plan: Plan, driver: Any, marks: Marks, control: Control, bench: Workbench
    ) -> None:
        self._session, self._plan, self._driver, self._marks = session, plan, driver, marks
        self._control, self._bench = control, bench
        self._say = control.log.say
        self._execution = Execution(driver, session, control.log, plan.binds, plan.fetch, control.may_go_on)
        self._ltxid = guard.read_ltxid(session.connection) if plan.transaction_guard else b""
        self._committed = False  # some of it, before the end

    def end(self) -> AttemptEnd | None:
        """Do it all; None if whoever ends the session will tell how it ended."""
        self._introduce()
        if not self._keep():
            message = "nobody keeps the session's identity (its supervisor is gone), so nothing was sent"
            return AttemptEnd(Outcome.CANCELLED, message=message)
        try:
            self._session.connection.ping()  # after that wait it may have been lost
            self._execution.check_binds(self._plan.statements)
        except ValueError as error:
            self._say(str(error))
            return AttemptEnd(Outcome.NOT_STARTED, message=f"cannot start: {error}")
        except self._driver.Error as error:
            return self._failed(failure_of(error), "")
        return self._run() if self._control.begin() else None

    def _introduce(self) -> None:
        plan, connection = self._plan, self._session.connection
        self._say(f"connected to {plan.source.name} (Oracle {connection.version}): {self._session.identity}")
        if (warning := connection.warning) is not None:
            self._say(str(warning))
        if plan.transaction_guard and not self._ltxid:
            self._say("the service has no Transaction Guard: a lost connection will be UNKNOWN")

    def _keep(self) -> bool:
        """Have the session's identity kept; false if that cannot be had, so that nothing may be sent.

        While the state database is away this waits, as the dispatch of tasks does.
        """
        while self._control.may_go_on():
            asked = time.monotonic()
            if self._bench.record({FACTS: self._facts()}, wait_seconds=RECORD_SECONDS):
                return True
            if time.monotonic() - asked < RECORD_SECONDS / 2:
                return False  # nobody listens any more
            self._say("waiting until the state database has kept the session's identity")
        return False

    def _facts(self) -> dict[str, Any]:
        log = str(Path(f"/proc/self/fd/{self._bench.log_fd}").readlink())
        own = {"db": self._plan.source.name, LOG: log, LTXID: self._ltxid.hex()}
        return {**self._session.identity.as_facts(), **own}

    # ---------------------------------------------------------------------------------------- statements

    def _run(self) -> AttemptEnd | None:
        for step in self._plan.steps:
            if isinstance(step, Note):
                (self._control.log.put if step.is_output else self._say)(f"{step.text}\n")
            elif (end := self._run_statement(step)) is not _GO_ON:
                return end
        return self._commit()

    def _run_statement(self, statement: Statement) -> AttemptEnd | None:
        place = f"line {statement.line}: " if len(self._plan.statements) > 1 else ""
        if place:
            self._say(f"{place}{statement.title}")
        self._read_ltxid()
        try:
            self._execution.run(statement)
        except Stopped:
            return self._undone()
        except CompiledWithErrors as error:
            self._roll_back()
            return self._error(COMPILED_WITH_ERRORS, f"{place}{error}", safe=False)
        except (self._driver.Error, OSError) as error:
            return self._failed(failure_of(error), self._place(statement, error) or place, statement.commits)
        self._committed |= statement.commits
        return _GO_ON

    def _place(self, statement: Statement, error: BaseException) -> str:
        """The line of the script, or of a longer command, where the database found the error.

        PL/SQL's own messages name lines, counted from the block's beginning.
        """
        offset = getattr(error.args[0], "offset", 0) if error.args else 0
        if not offset or statement.is_block or "\n" not in statement.text:
            return ""
        return f"{place_of(statement, offset)}: "

    def _read_ltxid(self) -> None:
        if self._plan.transaction_guard:
            self._ltxid = guard.read_ltxid(self._session.connection)

    def _commit(self) -> AttemptEnd | None:
        identifier = self._marks.client_identifier
        known = self._ltxid
        self._read_ltxid()
        if known != self._ltxid:  # a statement has committed by itself
            self._bench.record({FACTS: self._facts()}, wait_seconds=RECORD_SECONDS)
        if not self._control.may_commit():
            return self._undone()
        if not self._control.log.mark(committing_mark(identifier)):
            self._bench.record({FACTS: {**self._facts(), LOG: None}})  # the log cannot tell
        try:
            self._session.connection.commit()
        except (self._driver.Error, OSError) as error:
            return self._failed(failure_of(error), "COMMIT: ")
        self._control.log.mark(committed_mark(identifier))
        return WELL

    # ------------------------------------------------------------------------------------------ failures

    def _failed(self, failure: Failure, place: str, commits: bool = False) -> AttemptEnd | None:
        self._say(f"{place}{failure.text}")
        if failure.cure:
            self._say(failure.cure)
        if self._control.stage is Stage.BEFORE:
            return self._error(failure.code, failure.message, safe=failure.nature.passing)
        if failure.session_ended:
            return self._session_ended(failure, commits)
        if self._control.stage is Stage.RUNNING:
            self._last_output()
        undone = self._roll_back()
        if failure.code == CANCELLED and self._control.step is not None:
            return self._stopped(undone, failure.code)
        safe = failure.is_conflict and not (self._committed or commits)
        return self._error(failure.code, f"{place}{failure.message}", safe=safe)

    def _session_ended(self, failure: Failure, commits: bool) -> AttemptEnd | None:
        stage = self._control.stage
        if self._control.step is StopStep.KILL:
            return None  # `ending` is at it, and knows more
        if not failure.lost and stage is not Stage.COMMITTING:
            return self._error(failure.code, failure.message, safe=False)
        before = self._committed or commits
        loss = Loss(failure, stage, self._session.identity, self._ltxid, before)
        return judge_loss(loss, self._plan, self._driver, self._marks, self._control)

    def _undone(self) -> AttemptEnd | None:
        return self._stopped(self._roll_back())

    def _stopped(self, undone: bool, code: str | None = None) -> AttemptEnd | None:
        if not undone and self._control.step is StopStep.KILL:
            return None  # see `_session_ended`
        message = "stopped; what was not committed is rolled back"
        return AttemptEnd(Outcome.CANCELLED, error=code, message=message, retry_safe=self._plan.idempotent)

    def _error(self, code: str, message: str, *, safe: bool) -> AttemptEnd:
        safe = safe or self._plan.idempotent
        return AttemptEnd(Outcome.ERROR, error=code or None, message=message, retry_safe=safe)

    def _last_output(self) -> None:
        try:
            self._execution.log_output()
        except self._driver.Error as error:
            self._say(f"DBMS_OUTPUT could not be read: {failure_of(error).message}")

    def _roll_back(self) -> bool:
        try:
            self._session.rollback()
        except (self._driver.Error, OSError) as error:
            self._say(f"not rolled back by mflow, but by the end of the session: {failure_of(error).message}")
            return False
        self._say("rolled back")
        return True


_GO_ON = AttemptEnd(Outcome.EXITED)
"""A statement went well: not an end."""
