"""How a datasource is told to python-oracledb, for the state database and for tasks alike. Pure: values in, values out.

https://python-oracledb.readthedocs.io/en/latest/user_guide/connection_handling.html
"""

import re
from typing import Any

from mflow.core.model import Datasource

_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_$#]{0,127}")


def login_arguments(source: Datasource, connect_seconds: float) -> dict[str, Any]:
    """What `oracledb.connect` is given: only what is set, and never more than one try."""
    given: dict[str, Any] = {
        "user": source.user,
        "password": source.password,
        "dsn": source.connection_string,
        "expire_time": source.expire_time_minutes,  # minutes for the driver, too
    }
    if (
        not source.thick
    ):  # thick mode reads its own files, in the folder given to the client (DISABLE_OOB: sqlnet.ora)
        given |= {
            "config_dir": source.config_dir,
            "wallet_location": source.wallet_location,
            "wallet_password": source.wallet_password,
            "tcp_connect_timeout": connect_seconds,
            "disable_oob": source.disable_oob or None,
        }
    return {name: value for name, value in given.items() if value is not None}


def client_arguments(source: Datasource) -> dict[str, str]:
    """What `oracledb.init_oracle_client` is given, for a datasource that is `thick`."""
    folder = source.thick if isinstance(source.thick, str) else None
    given = {"lib_dir": folder, "config_dir": source.config_dir}
    return {name: value for name, value in given.items() if value}


def schema_statement(source: Datasource) -> str | None:
    """What makes `schema` the session's; None without one. Raises ValueError if it cannot stand in a statement."""
    if source.schema is None:
        return None
    if not _PLAIN_NAME.fullmatch(source.schema):
        raise ValueError(f"`schema` is not a plain name: {source.schema!r}")
    return f'ALTER SESSION SET CURRENT_SCHEMA = "{source.schema.upper()}"'
