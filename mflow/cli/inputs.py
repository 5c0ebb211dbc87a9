"""The files of a run: read for run and resume alike, named on stderr, and turned into what a supervisor asks for."""

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


def config_reader(path: str | None, cwd: str, environ: Mapping[str, str]) -> Callable[[], Config] | None:
    """Reads config.json again, as it was read first, in the environment that the run's files see."""
    if path is None:
        return None

    def read() -> Config:
        from mflow.files.load import load_config

        return load_config(path, cwd, environ)

    return read


def connection_finder(datasources: Mapping[str, Datasource]) -> Callable[[Task], Mapping[str, Any]]:
    """The connection of a task that names one: it goes to the worker and nowhere else."""

    def find(task: Task) -> Mapping[str, Any]:
        name = task.options.get("db")
        found = datasources.get(name) if isinstance(name, str) else None
        return {"datasource": found} if found else {}

    return find


def env_expander(
    environ: Mapping[str, str], inherited: Mapping[str, str] | None = None
) -> Callable[[Task], Mapping[str, str]]:
    """The own variables of a task, expanded over those that the files of its run see.

    `inherited`: what the task has in any case, if that is something else. A variable that its type takes from there
    (a bind) is added as the files see it.
    """
    differs = inherited is not None and inherited != environ

    def expand(task: Task) -> Mapping[str, str]:
        if not task.env and (not differs or len(task.options) < 2):
            return {}
        from mflow.files.expand import expand_env

        own = dict(expand_env(task.env, environ).env)
        if differs:
            from mflow.files.environment import references

            for _, name in references(task.options):
                if name not in own and name in environ:
                    own[name] = environ[name]
        return own

    return expand
