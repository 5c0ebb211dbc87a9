"""Connections to the database of a task, by python-oracledb: thin, or thick where the datasource says so.

https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html
"""

import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mflow.core.model import Datasource

if TYPE_CHECKING:
    from oracledb import Connection

CONNECT_SECONDS = 20.0
"""How long a host that says nothing is waited for (thin mode; in thick mode sqlnet.ora says it)."""

_client_lock = threading.Lock()
_client_is_loaded = False


def load_driver() -> ModuleType:
    """The driver; 0.3 s to import, so only where an attempt's own thread needs it."""
    import oracledb

    return oracledb


def connect(driver: Any, source: Datasource) -> "Connection":
    """Open a session. Raises the driver's own errors, or OSError for a host without an address."""
    if source.thick:
        _load_client(driver, source)
    made: Connection = driver.connect(**arguments(source))
    return made


def arguments(source: Datasource) -> dict[str, Any]:
    """What the driver is given: only what is set."""
    given: dict[str, Any] = {
        "user": source.user,
        "password": source.password,
        "dsn": source.connection_string,
        "expire_time": source.expire_time_minutes,  # minutes for the driver, too
    }
    if not source.thick:  # thick mode reads its own files, in the folder given to the client
        given |= {
            "config_dir": source.config_dir,
            "wallet_location": source.wallet_location,
            "wallet_password": source.wallet_password,
            "tcp_connect_timeout": CONNECT_SECONDS,
        }
    return {name: value for name, value in given.items() if value is not None}


def _load_client(driver: Any, source: Datasource) -> None:
    """Load the Instant Client, which a process does once and keeps."""
    global _client_is_loaded
    folder = source.thick if isinstance(source.thick, str) else None
    given = {"lib_dir": folder, "config_dir": source.config_dir}
    with _client_lock:
        if not _client_is_loaded:
            driver.init_oracle_client(**{name: value for name, value in given.items() if value})
            _client_is_loaded = True
