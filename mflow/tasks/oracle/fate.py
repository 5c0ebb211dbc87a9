"""Whether a recorded session still lives, and ending it: through a second session.

    looked up in   GV$SESSION, V$SESSION (if granted), MFLOW_SESSION_STATE (db/oracle_kill.sql),
                   DBMS_SESSION.IS_SESSION_ALIVE (granted to everybody, believed about the own instance only)
    ended by       MFLOW_KILL_SESSION (db/oracle_kill.sql), else ALTER SYSTEM KILL SESSION

A session marked KILLED is not gone: its transaction may still be rolling back, its locks held.

Source: Database Administrator's Guide, "Terminating Sessions"; PL/SQL Packages and Types Reference, DBMS_SESSION.
"""

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from mflow.core.model import Datasource
from mflow.tasks.oracle.failure import failure_of
from mflow.tasks.oracle.session import Marks, Session, SessionId, open_session

if TYPE_CHECKING:
    from collections.abc import Mapping

GONE_SECONDS = 10.0
"""How long a killed session may take to vanish before it is reported as still there."""

_LOOK_AGAIN_SECONDS = 0.5

_ANSWER_MILLISECONDS = 10_000
"""ALTER SYSTEM KILL SESSION may itself wait, up to a minute, for what cannot be interrupted."""

KILL_PROCEDURE = "MFLOW_KILL_SESSION"
STATE_FUNCTION = "MFLOW_SESSION_STATE"

_GONE_ALREADY = "ORA-00030"
_MARKED = "ORA-00031"
_STILL_AT_IT = "DPY-4024"


class Fate(Enum):
    """What is known of a session."""

    GONE = "is gone"
    ALIVE = "is still there"
    KILLED = "is marked KILLED and still rolling back"
    UNSEEN = "cannot be looked up by this user"


Rest = Callable[[float], None]


class Watch:
    """A second session that looks after the first. Never raises once it is open."""

    def __init__(self, driver: Any, session: Session) -> None:
        self._driver = driver
        self._session = session
        self.connection = session.connection

    def fate(self, target: SessionId) -> Fate:
        """What has become of it."""
        looks = (self._in_gv_session, self._in_v_session, self._by_function, self._by_package)
        return next((fate for look in looks if (fate := look(target)) is not None), Fate.UNSEEN)

    def kill(self, target: SessionId) -> str:
        """Have it ended; why that cannot be, if it cannot."""
        if target.serial is None:
            return "its SERIAL# is not known"
        code, said = self._try(
            f"BEGIN {KILL_PROCEDURE}(:sid, :serial, :instance); END;",
            {"sid": target.sid, "serial": target.serial, "instance": target.instance},
        )
        if code == "ORA-06550":  # there is no such procedure for this user
            code, said = self._try(target.kill_statement.rstrip(";"), {})
        return "" if not code or code in (_GONE_ALREADY, _MARKED, _STILL_AT_IT) else said

    def await_gone(self, target: SessionId, rest: Rest, seconds: float = GONE_SECONDS) -> Fate:
        """Look until it is gone or the time is over."""
        until = time.monotonic() + seconds
        while (fate := self.fate(target)) in (Fate.ALIVE, Fate.KILLED) and time.monotonic() < until:
            rest(_LOOK_AGAIN_SECONDS)
        return fate

    def close(self) -> None:
        """Log off."""
        self._session.close()

    # ------------------------------------------------------------------------------------- four ways to look

    def _in_gv_session(self, target: SessionId) -> Fate | None:
        where = "inst_id = :instance AND sid = :sid AND serial# = :serial"
        return self._in_view(
            f"SELECT status FROM gv$session WHERE {where}",  # noqa: S608  (binds)
            {"instance": target.instance, "sid": target.sid, "serial": target.serial},
        )

    def _in_v_session(self, target: SessionId) -> Fate | None:
        if not self._same_instance(target):
            return None
        return self._in_view(
            "SELECT status FROM v$session WHERE sid = :sid AND serial# = :serial",
            {"sid": target.sid, "serial": target.serial},
        )

    def _in_view(self, query: str, binds: "Mapping[str, Any]") -> Fate | None:
        if binds["serial"] is None:
            return None
        try:
            with self._session.cursor() as cursor:
                row = cursor.execute(query, dict(binds)).fetchone()
        except self._driver.Error:
            return None
        return _of_status(row[0] if row else None)

    def _by_function(self, target: SessionId) -> Fate | None:
        if target.serial is None:
            return None
        call = f"BEGIN :state := {STATE_FUNCTION}(:sid, :serial, :instance); END;"
        binds = {"sid": target.sid, "serial": target.serial, "instance": target.instance}
        state = self._answer(call, "state", str, binds)
        return None if state is None else _of_status(None if state == "GONE" else state)

    def _by_package(self, target: SessionId) -> Fate | None:
        if not (target.unique_id and self._same_instance(target)):
            return None
        call = "BEGIN IF sys.dbms_session.is_session_alive(:unique_id) THEN :alive := 1; ELSE :alive := 0; END IF; END;"
        alive = self._answer(call, "alive", int, {"unique_id": target.unique_id})
        return None if alive is None else (Fate.ALIVE if alive else Fate.GONE)

    def _same_instance(self, target: SessionId) -> bool:
        return self._session.identity.instance == target.instance

    def _answer(self, call: str, name: str, kind: type, binds: "Mapping[str, Any]") -> Any:
        try:
            with self._session.cursor() as cursor:
                answer = cursor.var(kind)
                cursor.execute(call, {**binds, name: answer})
                return answer.getvalue()
        except self._driver.Error:
            return None

    def _try(self, statement: str, binds: "Mapping[str, Any]") -> tuple[str, str]:
        """Code and message of the error; two empty texts if there is none."""
        try:
            with self._session.cursor() as cursor:
                cursor.execute(statement, dict(binds))
        except self._driver.Error as error:
            failure = failure_of(error)
            return failure.code or "error", failure.message
        return "", ""


def _of_status(status: str | None) -> Fate:
    if status is None:
        return Fate.GONE
    return Fate.KILLED if status == "KILLED" else Fate.ALIVE


def open_watch(driver: Any, source: Datasource, marks: Marks) -> Watch:
    """Open the second session. Raises the driver's errors, OSError or ValueError."""
    session = open_session(driver, source, marks.for_ending())
    session.connection.call_timeout = _ANSWER_MILLISECONDS
    return Watch(driver, session)


def settle_session(
    watch: Watch, target: SessionId, *, may_kill: bool, rest: Rest, say: Callable[[str], None]
) -> Fate:
    """Look, end it if that is allowed, and look until it is gone."""
    fate = watch.fate(target)
    if fate is not Fate.GONE and may_kill:
        if refused := watch.kill(target):
            say(f"{target} could not be ended: {refused}")
        else:
            say(f"{target} was told to end")
            fate = watch.await_gone(target, rest)
    say(f"{target} {fate.value}")
    return fate
