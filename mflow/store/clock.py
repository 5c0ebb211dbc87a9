"""The database's clock in SQL: leases are written and compared by it, so that hosts need not agree on the time."""

from typing import Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from mflow.core.contracts import LEASE_SECONDS
from mflow.store.tables import UtcTimestamp


class utc_now(FunctionElement[Any]):  # noqa: N801 - reads as the SQL function that it is
    """This instant in UTC."""

    inherit_cache = True
    type = UtcTimestamp
    seconds_ahead = 0.0


class lease_end(utc_now):  # noqa: N801
    """When a lease that is renewed now will run out."""

    inherit_cache = True
    seconds_ahead = LEASE_SECONDS


@compiles(utc_now, "sqlite")
@compiles(lease_end, "sqlite")
def _sqlite(element: utc_now, compiler: SQLCompiler, **_: Any) -> str:
    """Milliseconds, written with the six digits that SQLAlchemy stores, so that texts compare as instants do."""
    return f"(strftime('%Y-%m-%d %H:%M:%f', 'now', '+{element.seconds_ahead} seconds') || '000')"


@compiles(utc_now, "oracle")
@compiles(lease_end, "oracle")
def _oracle(element: utc_now, compiler: SQLCompiler, **_: Any) -> str:
    return f"(SYS_EXTRACT_UTC(SYSTIMESTAMP) + NUMTODSINTERVAL({element.seconds_ahead}, 'SECOND'))"
