"""SQLAlchemy's dialect for python-oracledb, without the round trips that mflow has no use for.

Nearly all that a supervisor does with Oracle is waiting for answers: so each question must be worth its round trip.
"""

from typing import Any

from sqlalchemy.dialects import registry
from sqlalchemy.dialects.oracle.oracledb import OracleDialect_oracledb
from sqlalchemy.engine import Connection

URL = "oracle+mflow://"
"""What `sqlalchemy.create_engine` knows this dialect by."""


class OracleOfMflow(OracleDialect_oracledb):
    """Asks nothing of a new session, and does not end the transaction that reading alone has not begun."""

    supports_statement_cache = True

    def learn_schema(self, connection: Connection) -> None:
        """The schema that names without an owner belong to: only migrations and inspectors need it."""
        self.default_schema_name = super()._get_default_schema_name(connection)  # type: ignore[no-untyped-call]

    def _get_default_schema_name(self, connection: Connection) -> str:
        return ""

    def get_default_isolation_level(self, dbapi_conn: Any) -> str:  # type: ignore[override]
        """What every session of Oracle begins with; mflow changes it nowhere."""
        return "READ COMMITTED"

    def _detect_decimal_char(self, connection: Connection) -> None:
        """Thin mode writes numbers by itself; the Oracle client, as NLS_LANG or the database would have them."""
        _session(connection).mflow_reads = True
        if not self.is_thin_mode(connection):  # type: ignore[no-untyped-call]
            super()._detect_decimal_char(connection)  # type: ignore[no-untyped-call]

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Unless nothing but reading was done since the mark."""
        session = dbapi_connection.driver_connection
        if getattr(session, "mflow_reads", False):
            session.mflow_reads = False
        else:
            session.rollback()


def mark_reading(conn: Connection, reading: bool) -> None:
    """Whether this connection only reads until its next rollback, which need not be sent then."""
    _session(conn).mflow_reads = reading


def is_reading(conn: Connection) -> bool:
    """Whether it bears the mark."""
    return getattr(_session(conn), "mflow_reads", False)


def _session(conn: Connection) -> Any:
    """The driver's own connection."""
    return conn.connection.driver_connection


registry.register("oracle.mflow", __name__, OracleOfMflow.__name__)
