"""The databases that the store's tests run on: a SQLite file always, others by environment variables.

- `MFLOW_TEST_DATABASE`: a SQLAlchemy URL of any database that mflow supports;
- `MFLOW_TEST_ORACLE`: the same for Oracle, or `user/password@dsn`;
- `MFLOW_TEST_ORACLE_CONTROL`: `host:port` of what injects faults, where the Oracle is a stand-in.

All that mflow keeps there is removed before every test.
"""

import json
import os
import socket
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from mflow.core.model import Datasource
from mflow.store import admin
from mflow.store.connect import connect, open_store
from mflow.store.repository import SqlStore
from mflow.store.tables import metadata


@dataclass
class Database:
    """A database under test, and the stores opened on it, which are closed when the test is over."""

    where: str | Datasource
    stores: list[SqlStore] = field(default_factory=list)

    def open(self) -> SqlStore:
        """One more store on the same database, as another process would have."""
        self.stores.append(open_store(self.where, create=True))
        return self.stores[-1]

    def close(self) -> None:
        """Close all of them."""
        for store in self.stores:
            store.close()

    def empty(self) -> None:
        """Bring the tables up to date and remove all rows."""
        admin.upgrade(self.where)
        self.execute(*(f"DELETE FROM {table.name}" for table in reversed(metadata.sorted_tables)))

    def execute(self, *statements: str) -> None:
        """Do something to the database behind the store's back; committed."""
        store = connect(self.where, create=True)
        try:
            with store.engine.begin() as conn:
                for statement in statements:
                    conn.exec_driver_sql(statement)
        finally:
            store.close()

    def select(self, query: str) -> list[tuple[Any, ...]]:
        """Look behind the store's back."""
        store = connect(self.where, create=True)
        try:
            with store.engine.connect() as conn:
                return [tuple(row) for row in conn.execute(sa.text(query))]
        finally:
            store.close()


class Control:
    """The side channel of the Oracle stand-in: JSON lines, a command each, all arguments by name."""

    def __init__(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        self._address = (host, int(port))

    def __call__(self, cmd: str, **arguments: Any) -> Any:
        """Have a command carried out."""
        with socket.create_connection(self._address, timeout=20) as conn, conn.makefile("rwb") as lines:
            lines.write(json.dumps({"cmd": cmd, **arguments}).encode() + b"\n")
            lines.flush()
            answer = json.loads(lines.readline())
        assert answer["ok"], answer
        return answer["result"]

    def calm(self) -> None:
        """No fault any more, and nothing remembered."""
        for cmd in ("accept", "resume", "clear_faults", "clear_transcript"):
            self(cmd)
        self("latency", seconds=0)


def oracle_url() -> str:
    """The Oracle under test as a SQLAlchemy URL."""
    given = os.environ["MFLOW_TEST_ORACLE"]
    if "://" in given:
        return given
    login, _, dsn = given.rpartition("@")
    user, _, password = login.partition("/")
    address, _, service = dsn.partition("/")
    host, _, port = address.partition(":")
    url = sa.URL.create(
        "oracle+oracledb", user, password, host, int(port or 1521), query={"service_name": service}
    )
    return url.render_as_string(hide_password=False)
