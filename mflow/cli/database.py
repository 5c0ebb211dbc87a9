"""Which database keeps the state, in one place: the first that is set of the option, the environment and the files."""

import gc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from mflow.cli.hints import Commands
from mflow.core.errors import StoreError, UsageError
from mflow.core.model import Datasource
from mflow.core.secrets import url_without_password

if TYPE_CHECKING:
    from mflow.store.repository import SqlStore

DEFAULT_URL = "sqlite:///mflow.db"
STATE_CONNECTION = "mflow"
"""The name of the connection in oracle.json that is the state database: the origin's rule."""


@dataclass(frozen=True, slots=True)
class Database:
    """The state database and who named it."""

    where: str | Datasource = field(repr=False)
    source: str

    @property
    def shown(self) -> str:
        """The database without any password."""
        if isinstance(self.where, Datasource):
            user = f"{self.where.user}@" if self.where.user else ""
            return f"oracle {user}{self.where.connection_string}"
        if self.where == DEFAULT_URL:
            return f"sqlite:///{Path.cwd()}/mflow.db"
        return url_without_password(self.where)

    @property
    def file(self) -> str | None:
        """The absolute path of a SQLite database; None of any other."""
        if isinstance(self.where, Datasource):
            return None
        scheme, _, rest = self.where.partition(":///")
        is_sqlite = scheme.partition("+")[0] == "sqlite"
        return str(Path.cwd() / rest.partition("?")[0]) if is_sqlite and rest else None

    def open(self) -> "SqlStore":
        """Open it. Raises StoreError, after saying where was looked."""
        from mflow.cli.boundary import tell

        try:
            return self.open_quietly()
        except StoreError:
            tell(f"the state database is {self.shown} ({self.source})")
            raise

    def open_quietly(self, *, create: bool = False) -> "SqlStore":
        """The same without a word: who runs has said where, and who drives says what fails. Only `run` creates."""
        from mflow.store.connect import open_store

        return open_store(self.where, create=create)

    def require_usable(self) -> None:
        """Raise the StoreError that a new run would meet, as far as nothing need be made to find out."""
        from mflow.store.connect import require_usable

        require_usable(self.where)


def choose_database(
    option: str | None,
    environ: Mapping[str, str],
    connections: Mapping[str, Datasource],
    in_config: str | None,
) -> Database:
    """The first that is set. Raises UsageError for a password where every user of the machine can read it."""
    if option is not None:
        _refuse_password(option)
        return Database(option, "--database")
    if environ.get("MFLOW_DATABASE"):
        return Database(environ["MFLOW_DATABASE"], "MFLOW_DATABASE")
    if STATE_CONNECTION in connections:
        return Database(connections[STATE_CONNECTION], "the connection mflow of the datasources")
    if in_config:
        return Database(in_config, "database in config.json")
    return Database(
        DEFAULT_URL,
        "the default: no --database, no MFLOW_DATABASE, no connection mflow, no database in config.json",
    )


def _refuse_password(url: str) -> None:
    if url_without_password(url) != url:
        raise UsageError(
            "--database must not hold a password: every user of this machine could read it",
            hint="set MFLOW_DATABASE, or describe the connection mflow in oracle.json",
        )


def used_options(database: str | None, datasources: str | None, config: str | None) -> Commands:
    """The options of this command that lead to the database, for the commands a person is told to type."""
    given = (("--database", database), ("--datasources", datasources), ("--config", config))
    return Commands(tuple(word for name, value in given if value is not None for word in (name, value)))


@contextmanager
def opened(
    database: str | None, datasources: str | None, config: str | None
) -> Iterator[tuple["SqlStore", Commands]]:
    """The state database for a command that looks at runs and soon ends; it must be there."""
    gc.disable()  # it would look through 100,000 rows again and again
    store = locate_database(database, datasources, config).open()
    try:
        yield store, used_options(database, datasources, config)
    finally:
        store.close()


def locate_database(database: str | None, datasources: str | None, config: str | None) -> Database:
    """The database for a command that runs nothing: files are read only as far as they may name it."""
    connections: Mapping[str, Datasource] = {}
    in_config: str | None = None
    named = database is not None or os.environ.get("MFLOW_DATABASE")
    if not named or config is not None or datasources is not None:
        from mflow.files.load import load_settings

        settings = load_settings(config=config, datasources=datasources)
        connections, in_config = settings.datasources, settings.database
    return choose_database(database, os.environ, connections, in_config)
