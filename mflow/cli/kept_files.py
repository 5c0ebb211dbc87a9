"""The files of a run that is resumed: where they were when it began, unless an option names another."""

from pathlib import Path
from typing import TYPE_CHECKING

from mflow.core.errors import InvalidInput
from mflow.core.model import Config, RunRow

if TYPE_CHECKING:
    from mflow.files.load import Settings


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


def absolute(path: str | None) -> str | None:
    """An option's file, wherever the run began."""
    return None if path is None else str(Path.cwd() / path)
