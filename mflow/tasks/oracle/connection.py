"""Connections to the database of a task, by python-oracledb: thin, or thick where the datasource says so.

https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html
"""

import queue
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mflow.core.model import Datasource
from mflow.core.oracle_login import client_arguments, login_arguments

if TYPE_CHECKING:
    from oracledb import Connection

CONNECT_SECONDS = 20.0
"""How long a host that says nothing is waited for (thin mode; in thick mode sqlnet.ora says it)."""

LOGIN_SECONDS = 2 * CONNECT_SECONDS
"""How long all of a login may take. The driver bounds the connection and, if told so, each call, but not this."""

_client_lock = threading.Lock()
_client_is_loaded = False


def load_driver() -> ModuleType:
    """The driver; 0.3 s to import, so only where an attempt's own thread needs it."""
    import oracledb

    return oracledb


def connect(driver: Any, source: Datasource) -> "Connection":
    """Open a session. Raises the driver's own errors, or OSError: a host without an address, a login without answer.

    A login that hangs is left to itself; a session that it still brings is dropped, and so closed.
    """
    if source.thick:
        _load_client(driver, source)
    answers: queue.SimpleQueue[Connection | BaseException] = queue.SimpleQueue()

    def log_in() -> None:
        try:
            answers.put(driver.connect(**login_arguments(source, CONNECT_SECONDS)))
        except BaseException as error:  # noqa: BLE001  (raised again where it is waited for)
            answers.put(error)

    threading.Thread(target=log_in, name="oracle-login", daemon=True).start()
    try:
        answer = answers.get(timeout=LOGIN_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"the login was not answered in {LOGIN_SECONDS:g} s") from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _load_client(driver: Any, source: Datasource) -> None:
    """Load the Instant Client, which a process does once and keeps."""
    global _client_is_loaded
    with _client_lock:
        if not _client_is_loaded:
            driver.init_oracle_client(**client_arguments(source))
            _client_is_loaded = True
