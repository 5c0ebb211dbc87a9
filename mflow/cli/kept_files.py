"""The files of a run that is resumed: where they were when it began, unless an option names another."""

from pathlib import Path
from typing import TYPE_CHECKING

from mflow.core.errors import InvalidInput
from mflow.core.model import Config, Definition, RunRow

if TYPE_CHECKING:
    from mflow.files.load import Loaded, Settings

_MANY_TASKS = 5000
_CLOCKS_DIFFER_SECONDS = 60.0
"""A task file this large is read again only if it may have changed since the run was made, clocks allowed for."""


def kept_settings(run: RunRow, config: str | None, datasources: str | None) -> "Settings":
    """config.json and oracle.json of the run. Raises InvalidInput."""
    from mflow.files.load import load_settings

    try:
        return load_settings(
            config=absolute(config) or run.config,
            datasources=absolute(datasources) or run.datasources,
            search=False,
            cwd=run.cwd,
        )
    except InvalidInput as error:
        hint = "these are the files that the run began with: --config and --datasources name others"
        raise InvalidInput(error.problems, hint=error.hint or hint) from error


def settings_to_cancel(run: RunRow) -> "Settings":
    """The same, but a run must end also if its files are gone or broken."""
    from mflow.files.load import Settings

    try:
        return kept_settings(run, None, None)
    except InvalidInput:
        return Settings(Config(1, str(Path(run.folder).parent)), {}, None, None)


def read_taskfile(path: str, kept: Definition, settings: "Settings") -> "Loaded":
    """A task file for the run that this definition was kept of. Raises InvalidInput."""
    from mflow.files.load import Request, load
    from mflow.tasks.registry import task_types

    request = Request(
        task_types(),
        taskfile=path,
        config=settings.config_path,
        datasources=settings.datasources_path,
        oneshot=kept.oneshot,
        search=False,
        cwd=kept.cwd,
    )
    return load(request)


def may_have_changed(kept: Definition, run: RunRow) -> bool:
    """Whether it is worth reading the task file again: of a large one, only if its inode was touched since."""
    if len(kept.tasks) < _MANY_TASKS:
        return True
    try:
        touched = Path(kept.taskfile).stat().st_ctime
    except OSError:
        return True
    return touched > run.created_at.timestamp() - _CLOCKS_DIFFER_SECONDS


def absolute(path: str | None) -> str | None:
    """An option's file, wherever the run began."""
    return None if path is None else str(Path.cwd() / path)
