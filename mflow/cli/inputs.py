"""The files of a run: read for run and resume alike, named on stderr, and turned into what a supervisor asks for."""

import os
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from mflow.cli.boundary import tell, warn
from mflow.cli.database import Database
from mflow.core.errors import Problem
from mflow.core.model import Config, Datasource, Definition, Task

if TYPE_CHECKING:
    from mflow.files.load import Loaded


def load_files(
    *,
    taskfile: str | None,
    config: str | None,
    datasources: str | None,
    oneshot: str | None = None,
    strict: bool = False,
) -> "Loaded":
    """The three files, the default ones where none is named. Raises InvalidInput with all that is wrong."""
    from mflow.files.load import Request, load
    from mflow.tasks.registry import task_types

    return load(Request(task_types(), taskfile, config, datasources, oneshot, strict))


def show_warnings(problems: Iterable[Problem]) -> None:
    """What a person should know before anything starts."""
    for problem in problems:
        warn(str(problem))


def announce(database: Database, definition: Definition) -> None:
    """The first lines of a run on stderr: the database and every file used."""
    tell(f"state database {database.shown} ({database.source})")
    files = (
        ("task file", definition.taskfile),
        ("config", definition.config),
        ("datasources", definition.datasources),
    )
    for name, path in files:
        if path is not None:
            tell(f"{name} {path}")


# ------------------------------------------------------------------------ what a supervisor asks for


def config_reader(path: str | None, cwd: str) -> Callable[[], Config] | None:
    """Reads config.json again, as it was read first."""
    if path is None:
        return None

    def read() -> Config:
        from mflow.files.load import load_config

        return load_config(path, cwd, os.environ)

    return read


def connection_finder(datasources: Mapping[str, Datasource]) -> Callable[[Task], Mapping[str, Any]]:
    """The connection of a task that names one: it goes to the worker and nowhere else."""

    def find(task: Task) -> Mapping[str, Any]:
        name = task.options.get("db")
        found = datasources.get(name) if isinstance(name, str) else None
        return {"datasource": found} if found else {}

    return find


def env_expander(environ: Mapping[str, str]) -> Callable[[Task], Mapping[str, str]]:
    """The own variables of a task, expanded over those that every task has."""

    def expand(task: Task) -> Mapping[str, str]:
        if not task.env:
            return {}
        from mflow.files.expand import expand_env

        return dict(expand_env(task.env, environ).env)

    return expand
