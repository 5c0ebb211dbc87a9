"""Whether a recorded session still lives, and ending it: through a second session.

    looked up in   GV$SESSION, V$SESSION (if granted), MFLOW_SESSION_STATE (db/oracle_kill.sql),
                   DBMS_SESSION.IS_SESSION_ALIVE (granted to everybody, believed about the own instance only)
    ended by       MFLOW_KILL_SESSION (db/oracle_kill.sql), else ALTER SYSTEM KILL SESSION

A session marked KILLED is not gone: its transaction may still be rolling back, its locks held.

That a session is not found proves something only where it would be found: in the same database and PDB (an instance of
the same number on another host may be that of a copy, or of a standby that has taken over). Where the start of the
instance is known then and now, another start proves that nothing from before it is left.

Source: Database Administrator's Guide, "Terminating Sessions"; PL/SQL Packages and Types Reference, DBMS_SESSION.
"""

import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from mflow.core.model import Datasource
from mflow.tasks.oracle.failure import failure_in_session
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
    ELSEWHERE = (
        "was in another database or instance than this connection leads to now, so it cannot be looked up"
    )


NOT_TOLD = (Fate.UNSEEN, Fate.ELSEWHERE)
"""It may live or not."""

Rest = Callable[[float], None]


class Watch:
    """A second session that looks after the first. Never raises once it is open."""

    def __init__(self, driver: Any, session: Session) -> None:
        self._driver = driver
        self._session = session
        self.connection = session.connection

    def fate(self, target: SessionId) -> Fate:
        """What has become of it."""
        here = self._session.identity
        if not _same_place(target, here):
            return Fate.ELSEWHERE
        if target.instance == here.instance and target.started and here.started not in ("", target.started):
            return Fate.GONE
        looks = (self._in_gv_session, self._in_v_session, self._by_function, self._by_package)
        return next((fate for look in looks if (fate := look(target)) is not None), Fate.UNSEEN)

    def kill(self, target: SessionId) -> str:
        """Have it ended; why that cannot be, if it cannot."""
        if not _same_place(target, self._session.identity):
            return Fate.ELSEWHERE.value
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
        return self._in_view("gv$session", {"inst_id": target.instance}, target)

    def _in_v_session(self, target: SessionId) -> Fate | None:
        if not self._same_instance(target):
            return None
        return self._in_view("v$session", {}, target)

    def _in_view(self, view: str, keys: dict[str, Any], target: SessionId) -> Fate | None:
        """SID and SERIAL# are used again once the instance was started anew, AUDSID is not."""
        if target.serial is None:
            return None
        keys = {**keys, "sid": target.sid, "serial#": target.serial}
        if target.audit_id.isdecimal():
            keys["audsid"] = int(target.audit_id)
        where = " AND ".join(f"{column} = :{column.rstrip('#')}" for column in keys)
        binds = {column.rstrip("#"): value for column, value in keys.items()}
        try:
            with self._session.cursor() as cursor:
                row = cursor.execute(f"SELECT status FROM {view} WHERE {where}", binds).fetchone()  # noqa: S608  (binds)
        except Exception:  # noqa: BLE001  (not granted, or the network: nothing is told)
            return None
        return _of_status(row[0] if row else None)

    def _by_function(self, target: SessionId) -> Fate | None:
        if target.serial is None:
            return None
        call = f"BEGIN :state := {STATE_FUNCTION}(:sid, :serial, :instance); END;"
        binds = {"sid": target.sid, "serial": target.serial, "instance": target.instance}
        state = self._answer(call, "state", str, binds)
        if state == "GONE":  # an older one did not see another user's sessions, and said the same of them
            return Fate.GONE if target.user == self._session.identity.user else None
        return None if state is None else _of_status(state)

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
        except Exception:  # noqa: BLE001  (see `_in_view`)
            return None

    def _try(self, statement: str, binds: "Mapping[str, Any]") -> tuple[str, str]:
        """Code and message of the error; two empty texts if there is none."""
        try:
            with self._session.cursor() as cursor:
                cursor.execute(statement, dict(binds))
        except Exception as error:  # noqa: BLE001  (whatever it is, it was not told to end)
            failure = failure_in_session(error, self._driver)
            return failure.code or "error", failure.message
        return "", ""


def _same_place(target: SessionId, here: SessionId) -> bool:
    """Whether a session of the one would be found by the other. What was not recorded is not the same."""
    if not target.database or (target.database, target.pdb) != (here.database, here.pdb):
        return False
    return target.instance != here.instance or target.host == here.host


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
    if fate not in (Fate.GONE, Fate.ELSEWHERE) and may_kill:
        if refused := watch.kill(target):
            say(f"{target} could not be ended: {refused}")
        else:
            say(f"{target} was told to end")
            fate = watch.await_gone(target, rest)
    say(f"{target} {fate.value}")
    return fate
