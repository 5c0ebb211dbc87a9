"""The task's statements in one open session: all of them and a commit, or a rollback.

Each statement and the commit are written into the log before they are sent (`earlier` says what can be read from that).
Once somebody has asked for the attempt's end, nothing more is sent but a rollback.
"""

import time
import traceback
from pathlib import Path
from typing import Any

from mflow.core.contracts import StopStep, Workbench
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.oracle import guard
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.earlier import (
    IN_PART,
    LOG,
    LTXID,
    committed_mark,
    committing_mark,
    ready_mark,
    sending_mark,
)
from mflow.tasks.oracle.execution import (
    COMPILED_WITH_ERRORS,
    BindsWrong,
    CompiledWithErrors,
    Execution,
    Stopped,
    place_of,
)
from mflow.tasks.oracle.failure import CANCELLED, Failure, failure_in_session, failure_of
from mflow.tasks.oracle.loss import WELL, Loss, judge_loss
from mflow.tasks.oracle.plan import Plan
from mflow.tasks.oracle.script import Note
from mflow.tasks.oracle.session import FACTS, Marks, Session
from mflow.tasks.oracle.statement import Statement

RECORD_SECONDS = 10.0
"""After so long without an answer it is looked whether the attempt is to stop, and asked again."""

_NOBODY_KEEPS = "nobody keeps the session's identity (its supervisor is gone), so nothing was sent"


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
        self._first_ltxid = self._ltxid
        self._surely_committed = self._may_have_committed = False  # a statement by itself, going by its text
        self._sent = 0  # statements
        self._log_tells = True  # what is sent; if its disk is full, the facts say so

    def end(self) -> AttemptEnd | None:
        """Do it all; None if whoever ends the session will tell how it ended."""
        self._introduce()
        if not self._keep():
            return AttemptEnd(Outcome.CANCELLED, message=_NOBODY_KEEPS)
        try:
            self._session.connection.ping()  # after that wait it may have been lost
            self._execution.check_binds(self._plan.statements)
        except BindsWrong as error:
            self._say(str(error))
            return AttemptEnd(Outcome.NOT_STARTED, message=f"cannot start: {error}")
        except Exception as error:  # noqa: BLE001  (see `_failed`)
            return self._failed(error, "")
        return self._run() if self._control.begin() else None

    def _introduce(self) -> None:
        plan, connection = self._plan, self._session.connection
        self._say(f"connected to {plan.source.name} (Oracle {connection.version}): {self._session.identity}")
        if (warning := connection.warning) is not None:
            self._say(str(warning))
        if plan.transaction_guard and not self._ltxid:
            self._say("the service has no Transaction Guard: a lost connection will be UNKNOWN")
        self._control.log.mark(ready_mark(self._marks.client_identifier))

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
        log = str(Path(f"/proc/self/fd/{self._bench.log_fd}").readlink()) if self._log_tells else None
        own = {"db": self._plan.source.name, LOG: log, LTXID: self._ltxid.hex(), IN_PART: self._committed}
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
        self._read_ltxid()
        if not self._mark_sending(statement):
            return (
                self._undone() if self._control.step else AttemptEnd(Outcome.CANCELLED, message=_NOBODY_KEEPS)
            )
        if place:
            self._say(f"{place}{statement.title}")
        try:
            self._execution.run(statement)
        except Stopped:
            return self._undone()
        except CompiledWithErrors as error:
            self._roll_back()
            return self._error(COMPILED_WITH_ERRORS, f"{place}{error}", safe=False)
        except Exception as error:  # noqa: BLE001  (see `_failed`)
            return self._failed(error, self._place(statement, error) or place, statement.commits)
        self._surely_committed |= statement.commits
        self._may_have_committed |= statement.may_commit
        return _GO_ON

    def _mark_sending(self, statement: Statement) -> bool:
        """Say durably that the statement may have been sent from now on; false if nobody can take that down.

        Only the first one matters to a later attempt, and the first that may commit; the others tell a person how far
        this one came.
        """
        self._sent += 1
        number, of = self._sent, len(self._plan.statements)
        mark = sending_mark(self._marks.client_identifier, number, of, commits=statement.may_commit)
        matters = number == 1 or (statement.may_commit and not self._may_have_committed)
        if self._control.log.mark(mark, durably=matters) or not (matters and self._log_tells):
            return True
        self._log_tells = False
        return self._keep()

    def _place(self, statement: Statement, error: BaseException) -> str:
        """The line of the script, or of a longer command, where the database found the error.

        PL/SQL's own messages name lines, counted from the block's beginning.
        """
        offset = getattr(error.args[0], "offset", 0) if error.args else 0
        if not offset or statement.is_block or "\n" not in statement.text:
            return ""
        return f"{place_of(statement, offset)}: "

    def _read_ltxid(self) -> None:
        """The id of what runs next. It is another one if a statement has committed by itself."""
        if self._plan.transaction_guard:
            self._ltxid = guard.read_ltxid(self._session.connection)

    @property
    def _committed(self) -> bool:
        """Whether something of it is committed before the end: by Transaction Guard, else perhaps."""
        return self._ltxid != self._first_ltxid if self._first_ltxid else self._may_have_committed

    def _commit(self) -> AttemptEnd | None:
        identifier = self._marks.client_identifier
        self._read_ltxid()
        told = self._ltxid == self._first_ltxid or self._bench.record(
            {FACTS: self._facts()}, wait_seconds=RECORD_SECONDS
        )
        if not self._control.may_commit():
            return self._undone()
        if told:  # else Transaction Guard would be asked about what is committed already
            self._control.log.mark(committing_mark(identifier), durably=False)
        try:
            self._session.connection.commit()
        except Exception as error:  # noqa: BLE001  (see `_failed`)
            return self._failed(error, "COMMIT: ")
        self._control.log.mark(committed_mark(identifier))
        return WELL

    # ------------------------------------------------------------------------------------------ failures

    def _failed(self, error: Exception, place: str, commits: bool = False) -> AttemptEnd | None:
        """Whatever was raised while the session was open. `commits`: by a statement that surely commits by itself."""
        failure = failure_in_session(error, self._driver)
        self._say(
            f"{place}{failure.text}" if failure.code else "".join(traceback.format_exception(error)).rstrip()
        )
        if failure.cure:
            self._say(failure.cure)
        stage = self._control.stage
        if stage is Stage.BEFORE:
            return self._error(failure.code, failure.message, safe=failure.nature.passing)
        if failure.session_ended or (stage is Stage.COMMITTING and failure.leaves_commit_open):
            return self._session_ended(failure)
        if stage is Stage.RUNNING:
            self._last_output()
        undone = self._roll_back()
        if not (
            undone or failure.is_the_servers
        ):  # neither the server's word that it is over nor its answer now
            return self._session_ended(failure)
        if self._control.step is not None and stage is Stage.RUNNING:
            return self._stopped(undone, CANCELLED if failure.is_cancel else failure.code or None)
        safe = failure.is_conflict and not (self._surely_committed or commits)
        return self._error(failure.code, f"{place}{failure.message}", safe=safe)

    def _session_ended(self, failure: Failure) -> AttemptEnd | None:
        stage = self._control.stage
        if self._control.step is StopStep.KILL:
            return None  # `ending` is at it, and knows more
        if failure.session_ended and not failure.lost and stage is not Stage.COMMITTING:
            return self._error(failure.code, failure.message, safe=False)
        loss = Loss(failure, stage, self._session.identity, self._ltxid, self._committed)
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
        except Exception as error:  # noqa: BLE001  (the statement's own failure counts)
            self._say(f"DBMS_OUTPUT could not be read: {failure_of(error).message}")

    def _roll_back(self) -> bool:
        try:
            self._session.rollback()
        except Exception as error:  # noqa: BLE001  (a network that dies raises anything)
            self._say(f"not rolled back by mflow, but by the end of the session: {failure_of(error).message}")
            return False
        self._say("rolled back")
        return True


_GO_ON = AttemptEnd(Outcome.EXITED)
"""A statement went well: not an end."""
