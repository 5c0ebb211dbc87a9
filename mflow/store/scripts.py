"""Where the folder db/ is, and which version of the tables this mflow needs. Light: Alembic is not imported."""

from pathlib import Path

from mflow.core.errors import StoreOutdated, UsageError
from mflow.store.tables import VERSION_TABLE

VERSIONS = ("0001", "0002")
"""The migrations in db/versions, oldest first (a test holds them together). The last one is needed."""

DDL_LOCK_SECONDS = 60
"""How long an upgrade of Oracle waits for the transactions of others to end, with each of its statements."""

SQL_DIALECTS = ("oracle", "sqlite")

READ_VERSION = f"SELECT version_num FROM {VERSION_TABLE}"  # noqa: S608 - a constant


def folder() -> Path:
    """`mflow/_db` of an installed package, else `db` of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_db"
    return installed if installed.is_dir() else package.parent / "db"


def render_sql(dialect: str, start: str | None = None) -> str:
    """The SQL that makes the tables, or upgrades those of version `start`, as a DBA reads and runs it.

    Raises UsageError for a version that is not an older one.
    """
    if dialect not in SQL_DIALECTS:
        raise ValueError(f"no SQL is kept for {dialect}")
    if start is not None:
        return _upgrade_script(dialect, start)
    return (folder() / f"{dialect}.sql").read_text(encoding="utf-8")


def _upgrade_script(dialect: str, start: str) -> str:
    from mflow.store import render

    if not is_older(start):
        raise UsageError(
            f"no migration leads from version {start!r} to {VERSIONS[-1]}",
            hint=f"Older versions: {', '.join(VERSIONS[:-1])}. `mflow db check` says which one the tables are of.",
        )
    return render.upgrade_script(dialect, start)


def is_older(version: str) -> bool:
    """True if migrations lead from this version to the one needed."""
    return version in VERSIONS[:-1]


def require_version(version: str | None, place: str, *, how: str) -> None:
    """Raise StoreOutdated unless the tables are of the version needed. `how` says how to get there."""
    if version == VERSIONS[-1]:
        return
    if version is None:
        raise StoreOutdated(f"{place}: the tables of mflow are missing", hint=how)
    if is_older(version):
        text = f"{place}: the tables are of version {version}; this mflow needs {VERSIONS[-1]}"
        raise StoreOutdated(text, hint=how)
    raise StoreOutdated(
        f"{place}: the tables are of version {version}, newer than this mflow knows ({VERSIONS[-1]})",
        hint="Use the mflow that made them, or a newer one. Nothing was changed.",
    )
