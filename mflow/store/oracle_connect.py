"""Connections to Oracle by python-oracledb: thin by default, thick when the datasource says so.

https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html
"""

import getpass
import math
import os
import queue
import re
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

import oracledb
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

from mflow.core.errors import StoreRefused
from mflow.core.model import Datasource
from mflow.core.oracle_errors import Nature, explain
from mflow.core.oracle_login import client_arguments, login_arguments, schema_statement
from mflow.store import oracle_dialect

MODULE = "mflow"
"""How V$SESSION names every session of mflow."""

CALL_SECONDS = 10.0
"""One bounded attempt: how long a connection is waited for, and how long each answer of the database."""

IDLE_SECONDS = 5.0
"""A session that was not used for so long is asked whether it lives, before anything is entrusted to it."""

_YES = ("1", "true", "yes")


def datasource_of(url: URL) -> Datasource:
    """A SQLAlchemy URL of Oracle as the datasource it describes; the query may hold a datasource's further keys."""
    query = {key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()}
    service, sid = query.pop("service_name", None), url.database
    minutes = query.pop("expire_time_minutes", None)
    thick = query.pop("thick", "")
    disable_oob = query.pop("disable_oob", "")
    names = ("config_dir", "wallet_location", "wallet_password", "schema")
    config_dir, wallet_location, wallet_password, schema = (query.pop(name, None) for name in names)
    if query or (minutes and not minutes.isdigit()):
        raise StoreRefused(f"{url}: not understood: {', '.join(query) or 'expire_time_minutes'}")
    return Datasource(
        name=MODULE,
        connection_string=_connection_string(url, service, sid),
        user=url.username,
        password=None if url.password is None else str(url.password),
        config_dir=config_dir,
        wallet_location=wallet_location,
        wallet_password=wallet_password,
        thick=thick if thick.startswith("/") else thick.lower() in _YES,
        expire_time_minutes=int(minutes) if minutes else None,
        schema=schema,
        disable_oob=disable_oob.lower() in _YES,
    )


def _connection_string(url: URL, service: str | None, sid: str | None) -> str:
    """Host alone is an alias of tnsnames.ora, as SQLAlchemy reads it."""
    host = url.host or ""
    if sid:
        return oracledb.makedsn(host, url.port or 1521, sid=sid)
    if service:
        return f"{f'[{host}]' if ':' in host else host}:{url.port or 1521}/{service}"
    return host


def shown(source: Datasource) -> str:
    """The database as messages name it."""
    return f"oracle {source.user or ''}@{' '.join(source.connection_string.split())}"


def engine(source: Datasource, warnings: list[str] | None = None) -> Engine:
    """An engine whose sessions bear the mark of mflow, and of who uses it, in V$SESSION.

    What a login warns of is added to `warnings`, once.
    """
    told = [] if warnings is None else warnings
    _require_login(source)
    _schema_statement(source)
    made = sa.create_engine(
        oracle_dialect.URL,
        creator=partial(_connect, source, told),
        pool_size=1,
        max_overflow=1,
        pool_reset_on_return=None,  # every transaction is ended explicitly: one round trip less
        hide_parameters=True,
        arraysize=1000,
    )
    event.listen(made, "handle_error", _notice_disconnect)
    event.listen(made, "checkin", _begin_to_idle)
    event.listen(made, "checkout", _require_life)
    return made


def _require_login(source: Datasource) -> None:
    """Thick mode may know the user from the operating system or a wallet; thin mode would ask for thick mode."""
    if not source.user and not source.thick:
        raise StoreRefused(
            f"{shown(source)}: no user is given", hint="Give `user` and `password` in oracle.json."
        )


def _schema_statement(source: Datasource) -> str | None:
    try:
        return schema_statement(source)
    except ValueError as error:
        raise StoreRefused(str(error), hint="Give the owner of the tables.") from None


def _connect(source: Datasource, warnings: list[str]) -> oracledb.Connection:
    if source.thick:  # before any thin connection is made; again is of no effect
        oracledb.init_oracle_client(**client_arguments(source))
    conn = _in_time(partial(_log_in, source))
    if conn.warning and not warnings:
        warnings.append(_warning(source, str(conn.warning)))
    conn.call_timeout = int(CALL_SECONDS * 1000)
    conn.module = MODULE
    conn.client_identifier = whoami()[:64]
    if choose := _schema_statement(source):
        with conn.cursor() as cursor:
            cursor.execute(choose)
    return conn


def _warning(source: Datasource, text: str) -> str:
    """What a login that succeeded warns of: nearly always that its password is about to expire."""
    said = explain(text)
    if said.code != "ORA-28002":
        return f"{shown(source)}: {said.text}"
    days = re.search(r"within (\d+) days?", text)
    when = f"within {days[0].removeprefix('within ')}" if days else "soon"
    return f"{shown(source)}: the password expires {when} (ORA-28002): change it in time, and in oracle.json, too."


def _log_in(source: Datasource) -> oracledb.Connection:
    try:
        return oracledb.connect(**login_arguments(source, CALL_SECONDS))
    except OSError as error:  # of a host name that cannot be resolved, for example
        raise oracledb.OperationalError(f"DPY-6005: cannot connect to database.\n{error}") from error


def _in_time(login: Callable[[], oracledb.Connection]) -> oracledb.Connection:
    """Log in, or raise oracledb.OperationalError when the database has not answered in time.

    The driver bounds the making of a connection and each call, but not the login between them: of a database that
    hangs it would never come back. The thread is left to itself then; what it may still get is dropped, so closed.
    """
    answers: queue.SimpleQueue[oracledb.Connection | BaseException] = queue.SimpleQueue()

    def log_in() -> None:
        try:
            answers.put(login())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits for it
            answers.put(error)

    threading.Thread(target=log_in, name="mflow-login", daemon=True).start()
    try:
        answer = answers.get(timeout=2 * CALL_SECONDS)
    except queue.Empty:
        text = f"DPY-6005: cannot connect to database.\nThe login was not answered within {2 * CALL_SECONDS:g} s."
        raise oracledb.OperationalError(text) from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _begin_to_idle(conn: oracledb.Connection | None, record: ConnectionPoolEntry) -> None:
    record.info["idle_since"] = time.monotonic()


def _require_life(conn: oracledb.Connection, record: ConnectionPoolEntry, proxy: object) -> None:
    """A session that idled may have been ended: the pool makes another one then. Busy ones are not asked."""
    if time.monotonic() - record.info.get("idle_since", math.inf) < IDLE_SECONDS:
        return
    try:
        conn.ping()
    except (oracledb.Error, OSError) as error:
        raise DisconnectionError from error


def _notice_disconnect(context: ExceptionContext) -> None:
    """SQLAlchemy knows some of the codes only. After a call that timed out a new session is the safer choice."""
    error = explain(str(context.original_exception))
    if error.nature in (Nature.DISCONNECTED, Nature.NO_CONNECTION) or error.code == "DPY-4024":
        context.is_disconnect = True


def whoami() -> str:
    """How V$SESSION shall name the client: who runs mflow, where, and as which process."""
    return f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"
