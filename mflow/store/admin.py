"""What `mflow db` does: bring the tables up to date, tell how they are, print the SQL that makes them."""

from dataclasses import dataclass

from mflow.core.model import Datasource
from mflow.store import scripts
from mflow.store.connect import connect, how_to_upgrade
from mflow.store.repository import SqlStore
from mflow.store.scripts import render_sql


@dataclass(frozen=True, slots=True)
class VersionReport:
    """How the tables are; versions are the names of the migrations in db/versions."""

    url: str  # without password
    found: str | None  # None: there are none
    needed: str
    cure: str  # what brings them up to date, for a person
    warnings: tuple[str, ...] = ()  # about the database or the login

    @property
    def up_to_date(self) -> bool:
        """True iff this mflow can work with them."""
        return self.found == self.needed


def check(where: str | Datasource) -> VersionReport:
    """The version of the tables. Raises StoreUnavailable, StoreRefused, and StoreOutdated without a file."""
    store = connect(where, create=False)
    try:
        return _report(store)
    finally:
        store.close()


def upgrade(where: str | Datasource) -> tuple[VersionReport, VersionReport]:
    """Make the tables, or bring older ones up to date; how they were and are. Makes a SQLite file that is not there.

    Raises StoreOutdated for tables of a newer mflow, StoreUnavailable and StoreRefused.
    """
    store = connect(where, create=True)
    try:
        before = _report(store)
        if not before.up_to_date:
            _require_known(before)
            store.upgrade()
        return before, _report(store)
    finally:
        store.close()


def _report(store: SqlStore) -> VersionReport:
    found = store.schema_version()
    return VersionReport(
        store.url, found, scripts.VERSIONS[-1], how_to_upgrade(store, found), tuple(store.warnings)
    )


def _require_known(report: VersionReport) -> None:
    if report.found is not None and not scripts.is_older(report.found):
        scripts.require_version(report.found, report.url, how="")


__all__ = ["VersionReport", "check", "render_sql", "upgrade"]
