"""Alembic, which costs some 0.2 s to import: only to upgrade, and to render the SQL of db/ from the migrations."""

import io

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import Connection

from mflow.store import scripts


def upgrade(conn: Connection) -> None:
    """Bring the tables to the version needed, from any older one or from nothing. Commits nothing by itself."""
    config = _config()
    config.attributes["connection"] = conn
    command.upgrade(config, "head")


def render(dialect: str) -> str:
    """The statements of all migrations for a database that is not at hand."""
    buffer = io.StringIO()
    config = _config(buffer)
    config.attributes["dialect"] = dialect
    command.upgrade(config, "head", sql=True)
    return buffer.getvalue()


def _config(buffer: io.StringIO | None = None) -> Config:
    config = Config(output_buffer=buffer)
    config.set_main_option("script_location", str(scripts.folder()).replace("%", "%%"))
    return config
