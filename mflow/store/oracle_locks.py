"""Who holds the lock that a statement waited for in vain.

Once a call was given up nothing tells any more what it had waited for: so one session waits for the same again, for a
moment, and another one looks at V$SESSION meanwhile.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any

import oracledb
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from mflow.core.oracle_errors import codes_in
from mflow.store.failures import Failure

_WAIT_SECONDS = 2
_LOOK_EVERY_SECONDS = 0.1
_LONGEST_CHAIN = 20

_OF_A_ROW = f"SELECT 1 FROM mflow_runs WHERE id = :run FOR UPDATE WAIT {_WAIT_SECONDS}"  # noqa: S608 - constants
_OF_THE_TABLES = (
    "LOCK TABLE mflow_runs, mflow_definitions, mflow_tasks, mflow_attempts IN EXCLUSIVE MODE "
    f"WAIT {_WAIT_SECONDS}"
)

_SESSION = "sid, serial#, username, machine, module, action, client_identifier, last_call_et"
_LOOK = "SELECT {session}, {instance}, {blocker}, {its_instance} FROM {view} WHERE sid = :sid AND {here}"
_BLOCKER_HERE = "DECODE(blocking_instance, SYS_CONTEXT('USERENV', 'INSTANCE'), blocking_session)"
_ONE_INSTANCE = {
    "session": _SESSION,
    "instance": "NULL",
    "its_instance": "NULL",
    "view": "v$session",
    "here": ":instance = 0",
}
_LOOKS = (
    _LOOK.format(
        session=_SESSION,
        instance="inst_id",
        blocker="blocking_session",
        its_instance="blocking_instance",
        view="gv$session",
        here="(inst_id = :instance OR :instance = 0 AND inst_id = SYS_CONTEXT('USERENV', 'INSTANCE'))",
    ),
    _LOOK.format(blocker=_BLOCKER_HERE, **_ONE_INSTANCE),
    _LOOK.format(blocker="blocking_session", **_ONE_INSTANCE),
)
"""Of a whole cluster, of one instance of it (0: this one), of a server without: the first one that may be asked."""

_DBA_SEES = (
    "If another session's lock held it up, a DBA sees whose while mflow waits: SELECT s.sid, s.serial#, s.username, "
    "s.machine FROM v$session w JOIN v$session s ON s.sid = w.blocking_session WHERE w.module = 'mflow'; if that "
    "process is gone: ALTER SYSTEM KILL SESSION 'sid,serial#' IMMEDIATE. With GRANT SELECT ON v_$session mflow names "
    "it by itself."
)

_NOT_SEEN = "if another session's lock held it up, this user may not see whose"
_DBA_ENDS = (
    "If that process is gone or hangs, have a DBA end its session: what it had not committed is undone"
)
_THEN_AGAIN = ". Then `mflow db upgrade` again: it goes on where it stopped."


@dataclass(frozen=True, slots=True)
class Holder:
    """A session as V$SESSION shows it."""

    sid: int
    serial: int
    user: str | None
    machine: str | None
    module: str | None
    action: str | None
    client: str | None
    idle_seconds: int | None
    _: KW_ONLY
    instance: int | None  # of a cluster

    def __str__(self) -> str:
        marks = (self.user and f"user {self.user}", self.machine and f"machine {self.machine}")
        program = " ".join(filter(None, (self.module, self.action)))
        idle = None if self.idle_seconds is None else f"last call {self.idle_seconds} s ago"
        return f"session {self._name} ({', '.join(filter(None, (*marks, program, self.client, idle)))})"

    @property
    def end(self) -> str:
        """The statement that ends it."""
        where = f",@{self.instance}" if self.instance is not None else ""
        return f"ALTER SYSTEM KILL SESSION '{self._name}{where}' IMMEDIATE"

    @property
    def _name(self) -> str:
        return f"{self.sid},{self.serial}"


class _NotSeenError(Exception):
    """This user may not look at V$SESSION."""


def name_holder(engine: Engine, failure: Failure, run_id: int | None) -> Failure:
    """The failure of a statement that a lock held up, with who holds it: the row of the run, or mflow's tables.

    As it was if nobody holds it any more, or if that cannot be found out now.
    """
    what = "the tables of mflow are" if run_id is None else f"the row of run {run_id} is"
    try:
        holder = (
            _find(engine, _OF_THE_TABLES, {}) if run_id is None else _find(engine, _OF_A_ROW, {"run": run_id})
        )
    except _NotSeenError:
        return replace(failure, message=f"{failure.message}; {_NOT_SEEN}", hint=_DBA_SEES)
    except (SQLAlchemyError, oracledb.Error, OSError):
        return failure
    if holder is None:
        return failure
    return replace(
        failure,
        message=f"{failure.message}; {what} locked by {holder}: {holder.end} ends it",
        hint=_DBA_ENDS + (_THEN_AGAIN if run_id is None else "."),
    )


def _find(engine: Engine, statement: str, binds: Mapping[str, Any]) -> Holder | None:
    looking = engine.raw_connection()
    try:
        look = _first_allowed(looking)
        waiting = engine.raw_connection()
        [(sid,)] = _ask(waiting, "SELECT SYS_CONTEXT('USERENV', 'SID') FROM dual", {})
        waiter = threading.Thread(target=_wait, args=(waiting, statement, binds), daemon=True)
        waiter.start()
        return _watch(looking, look, int(sid), waiter)
    finally:
        looking.close()


def _first_allowed(conn: PoolProxiedConnection) -> str:
    for look in _LOOKS:
        try:
            _ask(conn, look, {"sid": 0, "instance": 0})
        except oracledb.DatabaseError as error:
            if not {"ORA-00942", "ORA-00904", "ORA-01031"} & set(codes_in(str(error))):
                raise
        else:
            return look
    raise _NotSeenError


def _wait(conn: PoolProxiedConnection, statement: str, binds: Mapping[str, Any]) -> None:
    """Get the lock and let go of it at once, or wait in vain."""
    try:
        _run(conn, statement, binds)
        conn.rollback()
        conn.close()
    except (SQLAlchemyError, oracledb.Error, OSError):
        conn.invalidate()


def _watch(conn: PoolProxiedConnection, look: str, sid: int, waiter: threading.Thread) -> Holder | None:
    deadline = time.monotonic() + _WAIT_SECONDS
    while waiter.is_alive() and time.monotonic() < deadline:
        if holder := _root(conn, look, sid):
            return holder
        waiter.join(_LOOK_EVERY_SECONDS)
    return None


def _root(conn: PoolProxiedConnection, look: str, sid: int) -> Holder | None:
    """Who holds up the session in the end: others may wait in the same queue before it."""
    blocker, instance = sid, 0
    for _ in range(_LONGEST_CHAIN):
        rows = _ask(conn, look, {"sid": blocker, "instance": instance})
        if not rows:
            return None
        *session, where, next_blocker, next_instance = rows[0]
        if next_blocker is None:
            return None if blocker == sid else Holder(*session, instance=where)
        blocker, instance = int(next_blocker), int(next_instance or 0)
    return None


def _ask(conn: PoolProxiedConnection, query: str, binds: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    cursor = conn.cursor()
    try:
        cursor.execute(query, binds)
        return list(cursor.fetchall())
    finally:
        cursor.close()


def _run(conn: PoolProxiedConnection, statement: str, binds: Mapping[str, Any]) -> None:
    cursor = conn.cursor()
    try:
        cursor.execute(statement, binds)
    finally:
        cursor.close()
