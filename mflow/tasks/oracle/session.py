"""One session of the database: marked, identified, cancelled from another thread.

A DBA finds it in V$SESSION by MODULE (`mflow`), ACTION (`<run>/<task>`) and CLIENT_IDENTIFIER (the attempt). SID and
SERIAL# are known before anything of the task is sent.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mflow.core.contracts import Job, Workbench
from mflow.core.model import Datasource
from mflow.core.oracle_login import schema_statement
from mflow.tasks.oracle.connection import connect
from mflow.tasks.oracle.failure import failure_of

if TYPE_CHECKING:
    from oracledb import Connection, Cursor

MODULE = "mflow"

FACTS = "oracle"
"""The key of what is recorded of a session."""

_LONGEST_MARK = 64
"""Bytes of MODULE, ACTION and CLIENT_IDENTIFIER that V$SESSION keeps."""

# ENABLE(NULL): no limit. Any further call is one round trip more. V$INSTANCE is seldom granted.
_OPENING = """
DECLARE
  l_started VARCHAR2(40);
BEGIN
  sys.dbms_output.enable(NULL);
  :unique_id := sys.dbms_session.unique_session_id;
  :sid := SYS_CONTEXT('USERENV', 'SID');
  :instance := SYS_CONTEXT('USERENV', 'INSTANCE');
  :session_user := SYS_CONTEXT('USERENV', 'SESSION_USER');
  :audit_id := SYS_CONTEXT('USERENV', 'SESSIONID');
  :database := SYS_CONTEXT('USERENV', 'DB_UNIQUE_NAME');
  :pdb := SYS_CONTEXT('USERENV', 'CON_NAME');
  :host := SYS_CONTEXT('USERENV', 'SERVER_HOST');
  BEGIN
    EXECUTE IMMEDIATE 'SELECT TO_CHAR(startup_time, ''YYYY-MM-DD HH24:MI:SS'') FROM v$instance' INTO l_started;
  EXCEPTION
    WHEN OTHERS THEN
      l_started := NULL;
  END;
  :started := l_started;
END;"""

_SAID = (
    *("unique_id", "sid", "instance", "session_user", "audit_id"),
    *("database", "pdb", "host", "started"),
)

# Granted to PUBLIC; only for thick mode, whose client does not tell.
_SERIAL = "BEGIN :serial := sys.dbms_debug_jdwp.current_session_serial; END;"


@dataclass(frozen=True, slots=True)
class Marks:
    """How a session is named in V$SESSION."""

    action: str
    client_identifier: str

    @classmethod
    def of(cls, job: Job, bench: Workbench) -> "Marks":
        """Those of an attempt."""
        identifier = f"{MODULE}:{bench.run_uid}:{job.task_no}:{job.attempt}"
        return cls(_cut(f"{bench.run_id}/{job.task_id}"), _cut(identifier))

    def for_ending(self) -> "Marks":
        """Those of the second session, that looks after the first."""
        return Marks(_cut(f"end {self.action}"), self.client_identifier)


def _cut(text: str) -> str:
    return text.encode()[:_LONGEST_MARK].decode(errors="ignore")


@dataclass(frozen=True, slots=True)
class SessionId:
    """Which session, without doubt as long as its instance runs; and which instance of which database that is."""

    sid: int
    serial: int | None  # None: it could not be found out
    instance: int
    user: str = ""
    unique_id: str = ""  # DBMS_SESSION.UNIQUE_SESSION_ID
    client_identifier: str = ""
    audit_id: str = ""  # AUDSID of V$SESSION
    database: str = ""  # DB_UNIQUE_NAME: a standby has another
    pdb: str = ""
    host: str = ""  # of the instance
    started: str = ""  # the instance, by its own clock; "": V$INSTANCE is not granted

    def __str__(self) -> str:
        serial = "unknown" if self.serial is None else self.serial
        return f"session SID {self.sid}, SERIAL# {serial}, instance {self.instance}, user {self.user}"

    @property
    def kill_statement(self) -> str:
        """What a DBA types."""
        serial = "<SERIAL#>" if self.serial is None else self.serial
        return f"ALTER SYSTEM KILL SESSION '{self.sid},{serial},@{self.instance}' IMMEDIATE;"

    def as_facts(self) -> dict[str, Any]:
        """As JSON, to be kept."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "SessionId | None":
        """What was kept of a session; None if these facts name none."""
        numbers = [facts.get(name) for name in cls.__slots__[:3]]
        texts = [facts.get(name) or "" for name in cls.__slots__[3:]]
        sid, serial, instance = numbers
        if not (isinstance(sid, int) and isinstance(serial, int | None) and isinstance(instance, int)):
            return None
        return cls(sid, serial, instance, *map(str, texts))


class Session:
    """An open session. Used by one thread; only `cancel` is for others."""

    def __init__(self, connection: "Connection", identity: SessionId) -> None:
        self.connection = connection
        self.identity = identity
        self._lock = threading.Lock()
        self._in_call = False

    def cursor(self) -> "Cursor":
        """A new cursor."""
        return self.connection.cursor()

    @contextmanager
    def call(self) -> Iterator[None]:
        """While the task's own statement runs: what `cancel` may interrupt."""
        with self._lock:
            self._in_call = True
        try:
            yield
        finally:
            with self._lock:
                self._in_call = False

    def cancel(self) -> bool:
        """Interrupt the statement that runs (ORA-01013); false if none does. Raises the driver's errors."""
        with self._lock:
            if self._in_call:
                self.connection.cancel()
            return self._in_call

    def rollback(self) -> None:
        """A cancel that came too late for its statement hits the next call: that is made once more."""
        try:
            self.connection.rollback()
        except Exception as error:
            if failure_of(error).code != "ORA-01013":
                raise
            self.connection.rollback()

    def close(self) -> None:
        """Log off. Never raises."""
        with suppress(Exception):
            self.connection.close()


class SettingFailed(Exception):
    """A statement of `session_sql` failed; the cause is the driver's error."""


def open_session(driver: Any, source: Datasource, marks: Marks, settings: Sequence[str] = ()) -> Session:
    """Connect and mark, one round trip beyond the login; then one for the schema and for each of the `settings`.

    Raises the driver's errors, OSError, ValueError, or SettingFailed.
    """
    choose = schema_statement(source)
    connection = connect(driver, source)
    try:
        connection.module = MODULE
        connection.action = marks.action
        connection.client_identifier = marks.client_identifier
        identity = _identify(driver, connection, marks)
        with connection.cursor() as cursor:
            if choose is not None:
                cursor.execute(choose)
            for number, setting in enumerate(settings, 1):
                try:
                    cursor.execute(setting)
                except Exception as error:
                    raise SettingFailed(f"session_sql, statement {number}") from error
    except BaseException:
        with suppress(Exception):
            connection.close()
        raise
    return Session(connection, identity)


def _identify(driver: Any, connection: "Connection", marks: Marks) -> SessionId:
    with connection.cursor() as cursor:
        answers = {name: cursor.var(str) for name in _SAID}
        cursor.execute(_OPENING, answers)
        said = {name: answer.getvalue() or "" for name, answer in answers.items()}
        return SessionId(
            sid=int(said["sid"]),
            serial=_serial(driver, connection),
            instance=int(said["instance"] or 1),
            user=said["session_user"] or connection.username or "",
            client_identifier=marks.client_identifier,
            **{name: said[name] for name in _SAID if name not in ("sid", "instance", "session_user")},
        )


def _serial(driver: Any, connection: "Connection") -> int | None:
    """SERIAL#; the driver knows it in thin mode since 3.0."""
    with suppress(AttributeError, driver.Error):
        return int(connection.serial_num)
    with suppress(driver.Error), connection.cursor() as cursor:
        serial = cursor.var(int)
        cursor.execute(_SERIAL, {"serial": serial})
        return int(serial.getvalue())
    return None
