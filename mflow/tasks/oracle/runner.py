"""One attempt in a worker: a thread for the session, another for ending it, and the worker's side of both.

::

    worker's thread   start ──────────────► stop(ASK) ─ stop(INSIST) ─ stop(KILL) ──► finish
    session's thread    └─► connect, record, run, commit ──────────────────────────► settle
    ending's thread           └─► await the steps: cancel, cancel again, kill, look ─► settle
"""

import os
import threading
import traceback
from collections.abc import Callable
from typing import Any

from mflow.core.contracts import Job, Running, StopStep, Workbench
from mflow.core.model import AttemptEnd
from mflow.core.oracle_errors import Nature
from mflow.core.states import Outcome
from mflow.tasks.oracle.connection import LOGIN_SECONDS, load_driver
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.earlier import Earlier
from mflow.tasks.oracle.ending import SETTLE_SECONDS, Ending
from mflow.tasks.oracle.failure import Failure, failure_of
from mflow.tasks.oracle.fate import GONE_SECONDS
from mflow.tasks.oracle.log import Log
from mflow.tasks.oracle.plan import read_plan
from mflow.tasks.oracle.session import FACTS, Marks, Session, SessionId, SettingFailed, open_session
from mflow.tasks.oracle.transaction import Transaction


class OracleRunner:
    """Runs attempts of oracle tasks; a `Runner` of `core.contracts`."""

    def __init__(self, load: Callable[[], Any] = load_driver) -> None:
        self._load = load

    def start(self, job: Job, bench: Workbench) -> Running:
        """Begin; all that takes time happens in the attempt's own threads."""
        return OracleAttempt(job, bench, self._load)


class OracleAttempt:
    """A `Remote` of `core.contracts`."""

    patience_seconds = LOGIN_SECONDS + GONE_SECONDS + SETTLE_SECONDS + 5.0
    sessions: frozenset[int] = frozenset()  # of processes: there are none

    def __init__(self, job: Job, bench: Workbench, load: Callable[[], Any]) -> None:
        self.pid: int | None = None
        self._job, self._bench, self._load = job, bench, load
        self._control = Control(Log(bench.log_fd))
        self._marks = Marks.of(job, bench)
        self._session: Session | None = None
        self._ending: Ending | None = None
        threading.Thread(target=self._work, name="oracle", daemon=True).start()

    # ------------------------------------------------------------------------------------ the worker's side

    def fileno(self) -> int:
        """Readable once there is an end."""
        return self._control.fileno

    def finish(self) -> AttemptEnd:
        """How it ended. A thread that still waits for the network does no more than log off."""
        end = self._control.end
        assert end is not None
        os.close(self._control.fileno)
        return end

    def stop(self, step: StopStep) -> None:
        """See `core.contracts`; cancelling and killing is done by a thread of its own."""
        if self._control.stop(step) and self._ending is not None:
            threading.Thread(
                target=self._end_it, args=(self._ending,), name="oracle-end", daemon=True
            ).start()

    # ------------------------------------------------------------------------------------------- the threads

    def _end_it(self, ending: Ending) -> None:
        try:
            ending.run()
        except Exception as error:  # noqa: BLE001  (said in the end; nobody above could tell)
            self._control.settle(self._defect(error))

    def _work(self) -> None:
        try:
            end = self._attempt()
        except Exception as error:  # noqa: BLE001  (see `_end_it`)
            end = self._defect(error)
        if end is not None:
            self._control.settle(end)
        else:
            self._control.defer()
        if self._session is not None:
            self._session.close()

    def _attempt(self) -> AttemptEnd | None:
        """From the job to its end; None if whoever stopped it has told or will tell how it ended."""
        if earlier := self._job.previous.get(FACTS):
            self._control.earlier = SessionId.from_facts(earlier)
            self._bench.record(
                {FACTS: earlier}
            )  # of this attempt, too, until its own session takes their place
        try:
            plan = read_plan(self._job, self._bench.environ)
        except (OSError, ValueError) as error:
            return self._not_started(error)
        self._control.log.hide(plan.secrets)
        driver = self._load()
        if (
            earlier
            and (end := Earlier(earlier, plan, driver, self._marks, self._control).settle()) is not None
        ):
            return end
        try:
            self._session = session = open_session(driver, plan.source, self._marks, plan.settings)
        except SettingFailed as error:
            return self._no_session(failure_of(error.__cause__ or error), str(error))
        except Exception as error:  # noqa: BLE001  (the driver lets errors of the network through as they are)
            return self._no_session(failure_of(error))
        self._ending = Ending(self._control, session, plan, driver, self._marks)
        return Transaction(session, plan, driver, self._marks, self._control, self._bench).end()

    # -------------------------------------------------------------------------------- ends without a session

    def _not_started(self, error: OSError | ValueError) -> AttemptEnd:
        said = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else str(error)
        self._control.log.say(said)
        message = f"cannot start: {said.splitlines()[0]}"
        if self._control.earlier is not None:
            return self._in_doubt(message)
        return AttemptEnd(Outcome.NOT_STARTED, message=message)

    def _in_doubt(self, message: str) -> AttemptEnd:
        """An earlier attempt's session was not looked up: no other end may make that forgotten."""
        message = f"{message}; an earlier attempt's {self._control.earlier} is not proven gone"
        return AttemptEnd(Outcome.UNKNOWN, message=message, retry_safe=False)

    def _no_session(self, failure: Failure, doing: str = "no connection") -> AttemptEnd:
        """Nothing was sent, so a further try is safe, but for what would fail again: a login locks the account."""
        self._control.log.say("\n".join(line for line in (f"{doing}: {failure.text}", failure.cure) if line))
        safe = failure.nature is not Nature.REFUSED
        message = f"{doing}: {failure.message}"
        return AttemptEnd(Outcome.ERROR, error=failure.code or None, message=message, retry_safe=safe)

    def _defect(self, error: Exception) -> AttemptEnd:
        """mflow's own fault: said in full in the log. The end of the session undoes what is not committed."""
        self._control.log.say("".join(traceback.format_exception(error)).rstrip())
        message = f"defect of the task type oracle: {type(error).__name__}: {failure_of(error).message}"
        if self._control.earlier is not None:
            return self._in_doubt(message)
        outcome = Outcome.ERROR if self._control.stage is Stage.BEFORE else Outcome.UNKNOWN
        return AttemptEnd(outcome, message=message, retry_safe=False)
