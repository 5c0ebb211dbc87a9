"""Alembic, which costs some 0.2 s to import: only to upgrade, and to render the SQL of db/ from the migrations."""

import io
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.ddl.oracle import OracleImpl
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError

from mflow.core.oracle_errors import codes_in
from mflow.store import scripts

_DONE_BEFORE = frozenset(
    {"ORA-00955", "ORA-01408", "ORA-01430", "ORA-02260", "ORA-02261", "ORA-02264", "ORA-02275"}
)
"""The object, index, column or constraint is there already."""


class ResumableOracle(OracleImpl):
    """Oracle commits each statement that makes something: an upgrade that was interrupted goes on where it stopped.

    Alembic takes this one instead of its own, by the name of the dialect.
    """

    __dialect__ = "oracle"

    def _exec(self, *args: Any, **options: Any) -> Any:
        try:
            return super()._exec(*args, **options)
        except DatabaseError as error:
            if _DONE_BEFORE.isdisjoint(codes_in(str(error.orig))):
                raise
            return None


def upgrade(conn: Connection) -> None:
    """Bring the tables to the version needed, from any older one or from nothing. Commits nothing by itself."""
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def render(dialect: str, start: str = "base") -> str:
    """The statements of the migrations after `start` for a database that is not at hand; of all of them by default."""
    buffer = io.StringIO()
    config = _config(buffer)
    config.attributes["dialect"] = dialect
    command.upgrade(config, f"{start}:head", sql=True)
    return buffer.getvalue()


def _config(buffer: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=buffer)
    config.set_main_option("script_location", str(scripts.folder()).replace("%", "%%"))
    return config
