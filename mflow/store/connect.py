"""Opening the state database: where it is, what it is, whether its tables are the ones this mflow needs."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from mflow.core.errors import StoreError, StoreRefused
from mflow.core.model import Datasource
from mflow.core.secrets import url_without_password
from mflow.store import scripts, sqlite_file
from mflow.store.dialects import BUSY_SECONDS, Sqlite
from mflow.store.failures import to_error
from mflow.store.repository import SqlStore
from mflow.store.tables import VERSION_TABLE

_FOR_EXAMPLE = "Name one: sqlite:///mflow.db or sqlite:////srv/mflow.db"
_HOW_SQLITE = "Run `mflow db upgrade`; stop the runs of an older mflow first."
_HOW_ORACLE = (
    "Run `mflow db upgrade` as the owner of the tables, or hand the file that `mflow db sql --dialect oracle{start}` "
    "prints to the database's administrator."
)


def open_store(where: str | Datasource, *, create: bool = False) -> SqlStore:
    """Open the state database at a SQLAlchemy URL, or that of a datasource. One bounded attempt.

    `create`: make a SQLite file that is not there, and upgrade one whose tables are older. Everything that can be
    wrong with the database is found here: raises StoreUnavailable, StoreOutdated or StoreRefused.
    """
    store = connect(where, create=create)
    try:
        version = store.schema_version()
        if create and version is not None and scripts.is_older(version) and store.dialect.upgrades_itself:
            store.upgrade()
            version = store.schema_version()
        scripts.require_version(version, store.url, how=how_to_upgrade(store, version))
    except StoreError:
        store.close()
        raise
    return store


def require_usable(where: str | Datasource) -> None:
    """Raise the StoreError that `open_store(where, create=True)` would, without making or changing anything."""
    if isinstance(where, str) and (url := _parse(where)).get_backend_name() == "sqlite":
        path = sqlite_path(url)
        sqlite_file.require_place(path, create=True)
        if not Path(path).exists() or not Path(path).stat().st_size:
            return  # it would be made
        if sqlite_file.is_read_only(path):
            raise StoreRefused(
                f"{path}: the file or its folder is not writable", hint="Give this user write permission."
            )
    store = connect(where, create=False)
    try:
        version = store.schema_version()
        if version is None or not (scripts.is_older(version) and store.dialect.upgrades_itself):
            scripts.require_version(version, store.url, how=how_to_upgrade(store, version))
    finally:
        store.close()


def connect(where: str | Datasource, *, create: bool) -> SqlStore:
    """The same without a look at the version of the tables."""
    if isinstance(where, Datasource):
        return _connect_oracle(where)
    url = _parse(where)
    if url.get_backend_name() == "sqlite":
        return connect_sqlite(sqlite_path(url), create=create)
    if url.get_backend_name() == "oracle":
        return _connect_oracle(url)
    raise StoreRefused(
        f"{_shown(url)}: mflow keeps its state in SQLite or Oracle", hint="Name such a database."
    )


def how_to_upgrade(store: SqlStore, version: str | None) -> str:
    """What a person does about tables that are missing, or of an older version."""
    if store.dialect.name != "oracle":
        return _HOW_SQLITE
    return _HOW_ORACLE.format(start=f" --from {version}" if version and scripts.is_older(version) else "")


def _parse(text: str) -> URL:
    try:
        return make_url(text)
    except (ArgumentError, ValueError):
        raise StoreRefused(
            "the state database is not named by a SQLAlchemy URL", hint="For example sqlite:///mflow.db"
        ) from None


def _shown(url: URL) -> str:
    return url_without_password(
        url.difference_update_query(["wallet_password"]).render_as_string(hide_password=True)
    )


# ---------------------------------------------------------------------------------------------- SQLite


def sqlite_path(url: URL) -> str:
    """The absolute path of a SQLite URL. Raises StoreRefused for a database that is no file."""
    path = url.database or ""
    if url.host:
        raise StoreRefused(f"{_shown(url)}: a file is not on a host", hint=_FOR_EXAMPLE)
    if path.startswith("//"):
        raise StoreRefused(
            f"{url}: there is a slash too many", hint=f"Name the file by sqlite:////{path.lstrip('/')}"
        )
    if path in ("", ":memory:") or path.startswith("file:") or "\0" in path:
        raise StoreRefused(f"{url}: not a file", hint=_FOR_EXAMPLE)
    return str(Path.cwd() / path)


def connect_sqlite(path: str, *, create: bool) -> SqlStore:
    try:
        sqlite_file.require_place(path, create=create)
        read_only = sqlite_file.is_read_only(path)
        warnings = _prepare(path, create=create and not read_only, read_only=read_only)
    except sqlite3.Error as error:
        raise to_error(sqlite_file.explain(error, path).at(path)) from error
    except OSError as error:
        raise StoreRefused(f"{path}: {error.strerror}", hint="Name another database.") from error
    dialect = Sqlite()
    return SqlStore(
        dialect.engine(path, read_only=read_only), dialect, f"sqlite:///{path}", warnings=warnings
    )


def _prepare(path: str, *, create: bool, read_only: bool) -> list[str]:
    """Make and check the file; what is worth a warning."""
    shared = sqlite_file.shared_file_system(path)
    if create:
        sqlite_file.make(path, scripts.render_sql("sqlite"), wal=not shared, busy_seconds=BUSY_SECONDS)
    alone = not create and not read_only and sqlite_file.lacks_room(path)
    with closing(
        sqlite_file.connect(path, busy_seconds=BUSY_SECONDS, read_only=read_only, alone=alone)
    ) as conn:
        sqlite_file.require_ours(path, sqlite_file.table_names(conn), VERSION_TABLE)
        change = create or (shared and not read_only)  # a file may have been moved to where WAL is not safe
        mode = sqlite_file.use_journal(conn, wal=not shared) if change else sqlite_file.journal(conn)
    return _warnings(path, shared, mode, read_only)


def _warnings(path: str, shared: str | None, mode: str, read_only: bool) -> list[str]:
    found = []
    if shared:
        found.append(
            f"{path} is on a file system that hosts may share ({shared}): SQLite is slower there, and only "
            "one host at a time may use it."
        )
    if shared and mode == "wal":
        found.append(
            f"{path} is in WAL mode, which is not safe there, and in use: stop all runs, then start again."
        )
    if read_only:
        found.append(f"{path} can only be read: this user has no permission to write it.")
    return found


# ---------------------------------------------------------------------------------------------- Oracle


def _connect_oracle(where: URL | Datasource) -> SqlStore:
    from mflow.store import oracle_connect
    from mflow.store.oracle import Oracle

    source = where if isinstance(where, Datasource) else oracle_connect.datasource_of(where)
    named = oracle_connect.shown(source) if isinstance(where, Datasource) else _shown(where)
    warnings: list[str] = []
    return SqlStore(oracle_connect.engine(source, warnings), Oracle(), named, warnings=warnings)
