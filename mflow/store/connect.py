"""Opening the state database: where it is, what it is, whether its tables are the ones this mflow needs."""

import os
import sqlite3
from contextlib import closing

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mflow.core.errors import StoreOutdated, StoreRefused
from mflow.core.model import Datasource
from mflow.store import scripts, sqlite_file
from mflow.store.dialects import BUSY_SECONDS, Sqlite
from mflow.store.failures import to_error
from mflow.store.repository import SqlStore
from mflow.store.tables import VERSION_TABLE

_HOW_TO_UPGRADE = "mflow db upgrade"


def open_store(where: str | Datasource, *, create: bool = False) -> SqlStore:
    """Open the state database at a SQLAlchemy URL, or that of a datasource. One bounded attempt.

    `create`: make a SQLite file that is not there, and upgrade one whose tables are older. Everything that can be
    wrong with the database is found here: raises StoreUnavailable, StoreOutdated or StoreRefused.
    """
    url = _parse(where) if isinstance(where, str) else None
    if url is not None and url.get_backend_name() == "sqlite":
        return _open_sqlite(url, create=create)
    raise StoreRefused(f"no way to keep a state database in {url}", hint="SQLite and Oracle are known.")


def _parse(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreRefused(
            "the state database is not named by a SQLAlchemy URL", hint="For example sqlite:///mflow.db"
        ) from error


def sqlite_path(url: URL) -> str:
    """The absolute path of a SQLite URL. Raises StoreRefused for a database that is no file."""
    path = url.database or ""
    if path in ("", ":memory:") or path.startswith("file:"):
        raise StoreRefused(f"{url}: not a file", hint="Name one: sqlite:///mflow.db or sqlite:////srv/mflow.db")
    return os.path.abspath(path)


def _open_sqlite(url: URL, *, create: bool) -> SqlStore:
    path = sqlite_path(url)
    sqlite_file.require_place(path, create=create)
    read_only = sqlite_file.is_read_only(path)
    try:
        warnings = _prepare(path, create=create, read_only=read_only)
    except sqlite3.Error as error:
        raise to_error(sqlite_file.explain(error).at(path)) from error
    dialect = Sqlite()
    return SqlStore(dialect.engine(path, read_only=read_only), dialect, f"sqlite:///{path}", warnings=warnings)


def _prepare(path: str, *, create: bool, read_only: bool) -> list[str]:
    """Make, check and upgrade the file; what is worth a warning."""
    shared = sqlite_file.shared_file_system(path)
    if create and not read_only:
        sqlite_file.make(path, scripts.render_sql("sqlite"), wal=not shared, busy_seconds=BUSY_SECONDS)
    with closing(sqlite_file.connect(path, busy_seconds=BUSY_SECONDS, read_only=read_only)) as conn:
        sqlite_file.require_ours(path, sqlite_file.table_names(conn), VERSION_TABLE)
        version = conn.execute(scripts.READ_VERSION).fetchone()
        scripts.require_version(version and version[0], path, how=_HOW_TO_UPGRADE)
        mode = sqlite_file.use_journal(conn, wal=not shared) if create else "wal"
    return _warnings(path, shared, mode, read_only)


def _warnings(path: str, shared: str | None, mode: str, read_only: bool) -> list[str]:
    found = []
    if shared:
        found.append(
            f"{path} is on a file system that hosts may share ({shared}): SQLite is slower there, and only "
            "one host at a time may use it."
        )
    if shared and mode == "wal":
        found.append(f"{path} is in WAL mode, which is not safe there, and in use: stop all runs, then start again.")
    if read_only:
        found.append(f"{path} can only be read: this user has no permission to write it.")
    return found


__all__ = ["StoreOutdated", "open_store", "sa", "sqlite_path"]
