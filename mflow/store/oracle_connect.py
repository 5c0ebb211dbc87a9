"""Connections to Oracle by python-oracledb: thin by default, thick when the datasource says so.

https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html
"""

import getpass
import os
import queue
import re
import socket
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import oracledb
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Engine, ExceptionContext

from mflow.core.errors import StoreRefused
from mflow.core.model import Datasource
from mflow.core.oracle_errors import Nature, explain

MODULE = "mflow"
"""How V$SESSION names every session of mflow."""

CALL_SECONDS = 10.0
"""One bounded attempt: how long a connection is waited for, and how long each answer of the database."""

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,127}")


def datasource_of(url: URL) -> Datasource:
    """A SQLAlchemy URL of Oracle as the datasource it describes; the query may hold a datasource's further keys."""
    query = {key: value if isinstance(value, str) else value[-1] for key, value in url.query.items()}
    service, sid = query.pop("service_name", None), url.database
    minutes = query.pop("expire_time_minutes", None)
    thick = query.pop("thick", "")
    known = {
        key: query.pop(key, None) for key in ("config_dir", "wallet_location", "wallet_password", "schema")
    }
    if query or (minutes and not minutes.isdigit()):
        raise StoreRefused(f"{url}: not understood: {', '.join(query) or 'expire_time_minutes'}")
    return Datasource(
        name=MODULE,
        connection_string=_connection_string(url, service, sid),
        user=url.username,
        password=None if url.password is None else str(url.password),
        thick=thick if thick.startswith("/") else thick.lower() in ("1", "true", "yes"),
        expire_time_minutes=int(minutes) if minutes else None,
        **known,
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


def engine(source: Datasource) -> Engine:
    """An engine whose sessions bear the mark of mflow, and of who uses it, in V$SESSION."""
    _require_login(source)
    _require_plain(source.schema)
    made = sa.create_engine(
        "oracle+oracledb://",
        creator=partial(_connect, source),
        pool_size=1,
        max_overflow=1,
        pool_pre_ping=True,
        pool_reset_on_return=None,  # every transaction is ended explicitly: one round trip less
        hide_parameters=True,
        arraysize=1000,
    )
    event.listen(made, "handle_error", _notice_disconnect)
    return made


def _require_login(source: Datasource) -> None:
    """Thick mode may know the user from the operating system or a wallet; thin mode would ask for thick mode."""
    if not source.user and not source.thick:
        raise StoreRefused(
            f"{shown(source)}: no user is given", hint="Give `user` and `password` in oracle.json."
        )


def _require_plain(schema: str | None) -> None:
    """The owner's name must be able to stand in a statement as it is."""
    if schema is not None and not _PLAIN_NAME.fullmatch(schema):
        raise StoreRefused(f"`schema` is not a plain name: {schema!r}", hint="Give the owner of the tables.")


def _connect(source: Datasource) -> oracledb.Connection:
    if source.thick:
        start_client(source)
    conn = _in_time(partial(_log_in, source))
    conn.call_timeout = int(CALL_SECONDS * 1000)
    conn.module = MODULE
    conn.client_identifier = whoami()[:64]
    if source.schema:
        with conn.cursor() as cursor:
            cursor.execute(f'ALTER SESSION SET CURRENT_SCHEMA = "{source.schema.upper()}"')
    return conn


def _log_in(source: Datasource) -> oracledb.Connection:
    try:
        return oracledb.connect(**arguments(source))
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


def arguments(source: Datasource) -> dict[str, Any]:
    """What `oracledb.connect` is given: only what is set, and never more than one try."""
    given: dict[str, Any] = {
        "user": source.user,
        "password": source.password,
        "dsn": source.connection_string,
        "expire_time": source.expire_time_minutes,  # minutes, too
    }
    if not source.thick:  # thick mode reads its own files, in the folder given to `start_client`
        given |= {
            "config_dir": source.config_dir,
            "wallet_location": source.wallet_location,
            "wallet_password": source.wallet_password,
            "tcp_connect_timeout": CALL_SECONDS,
        }
    return {key: value for key, value in given.items() if value is not None}


def start_client(source: Datasource) -> None:
    """Load the Instant Client, once a process; before any thin connection is made."""
    given = {
        "lib_dir": source.thick if isinstance(source.thick, str) else None,
        "config_dir": source.config_dir,
    }
    oracledb.init_oracle_client(**{key: value for key, value in given.items() if value})


def _notice_disconnect(context: ExceptionContext) -> None:
    """SQLAlchemy knows some of the codes only. After a call that timed out a new session is the safer choice."""
    error = explain(str(context.original_exception))
    if error.nature in (Nature.DISCONNECTED, Nature.NO_CONNECTION) or error.code == "DPY-4024":
        context.is_disconnect = True


def whoami() -> str:
    """How V$SESSION shall name the client: who runs mflow, where, and as which process."""
    return f"{getpass.getuser()}@{socket.gethostname()}:{os.getpid()}"
