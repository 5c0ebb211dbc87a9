"""The files of a run that is resumed: where they were when it began, unless an option names another.

What they take from the environment is what they took when it began, too.
"""

import os
from collections.abc import Mapping, Set
from pathlib import Path
from typing import TYPE_CHECKING

from mflow.cli.waiting import patient
from mflow.core.environment import KeptEnvironment, environment_from_json
from mflow.core.errors import InvalidInput, Problem, StoreRefused
from mflow.core.model import Config, Definition, RunRow

if TYPE_CHECKING:
    from mflow.core.contracts import Store
    from mflow.files.load import Loaded, Settings

_MANY_TASKS = 5000
_CLOCKS_DIFFER_SECONDS = 60.0
"""A task file this large is read again only if it may have changed since the run was made, clocks allowed for."""


def kept_environment(store: "Store", run: RunRow) -> KeptEnvironment | None:
    """What the run took from the environment it was started in; None of a run that an older mflow began."""
    text = patient(lambda: store.read_environment(run.id))
    try:
        return None if text is None else environment_from_json(text)
    except ValueError as error:
        raise StoreRefused(
            f"{store.url}: the kept environment of run {run.id} is damaged: {error}"
        ) from error


def files_environment(kept: KeptEnvironment | None) -> Mapping[str, str]:
    """The environment that the files of a run see: what was kept, over what there is now."""
    return dict(os.environ) if kept is None else kept.for_files(os.environ)


def kept_settings(
    run: RunRow,
    config: str | None,
    datasources: str | None,
    environ: Mapping[str, str],
    needed: Set[str] = frozenset(),
) -> "Settings":
    """config.json and oracle.json of the run; the connections `needed` must be usable. Raises InvalidInput."""
    from mflow.files.load import load_settings

    try:
        settings = load_settings(
            config=absolute(config) or run.config,
            datasources=absolute(datasources) or run.datasources,
            search=False,
            cwd=run.cwd,
            environ=environ,
            needed=needed,
        )
        _require_connections(settings, needed)
    except InvalidInput as error:
        hint = (
            "nothing was started or changed: set what is missing and type the command again; these are the files "
            "that the run began with: --config and --datasources name others"
        )
        raise InvalidInput(error.problems, hint=error.hint or hint) from error
    return settings


def connections_needed(kept: Definition, finished: Set[str]) -> Set[str]:
    """Those that tasks name which are not SUCCESS yet."""
    from mflow.files.load import connections_of

    return {name for task in kept.tasks if task.id not in finished for name in connections_of(task)}


def _require_connections(settings: "Settings", needed: Set[str]) -> None:
    lacking = sorted(needed - set(settings.connections or ()))
    if lacking:
        file = settings.datasources_path or "oracle.json"
        texts = (f'no connection "{name}", which tasks of the run need' for name in lacking)
        raise InvalidInput([Problem(file, "", text) for text in texts])


def settings_to_cancel(run: RunRow, environ: Mapping[str, str]) -> "Settings":
    """The same, but a run must end also if its files are gone or broken."""
    from mflow.files.load import Settings

    try:
        return kept_settings(run, None, None, environ)
    except InvalidInput:
        return Settings(Config(1, str(Path(run.folder).parent)), {}, None, None)


def read_taskfile(
    path: str, kept: Definition, settings: "Settings", environ: Mapping[str, str], finished: Set[str]
) -> "Loaded":
    """A task file for the run that this definition was kept of, some of whose tasks are over. Raises InvalidInput."""
    from mflow.files.load import Request, load
    from mflow.tasks.registry import task_types

    request = Request(
        task_types(),
        taskfile=path,
        config=settings.config_path,
        datasources=settings.datasources_path,
        oneshot=kept.oneshot,
        search=False,
        needed=frozenset(),
        finished=finished,
        cwd=kept.cwd,
        environ=environ,
    )
    try:
        return load(request)
    except InvalidInput as error:
        hint = "nothing was started or changed: mend what is said and type the command again"
        raise InvalidInput(error.problems, hint=error.hint or hint) from error


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
