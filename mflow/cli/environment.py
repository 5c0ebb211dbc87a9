"""The environment of a run, then and now: what is kept of it, what a resume must have, what a person is told."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mflow.cli.wording import names
from mflow.core.environment import (
    Changes,
    KeptEnvironment,
    changes,
    empty_secrets,
    keep,
    literal_secrets,
    missing,
)
from mflow.core.errors import InvalidInput, Problem
from mflow.core.model import Config, Definition, Task

if TYPE_CHECKING:
    from mflow.files.load import Settings

_SHOWN = 20


def taken_now(
    definition: Definition,
    settings: "Settings",
    environ: Mapping[str, str],
    uid: str,
    secrets: Collection[str],
    before: KeptEnvironment | None = None,
    told: Collection[str] = (),
) -> KeptEnvironment:
    """What is to be kept of this environment for a run of this definition. What was kept `before` stays.

    `told`: names of variables that were set for the call which makes the run.
    """
    from mflow.files.environment import uses

    own = literal_secrets(settings.config, environ)
    return keep(uses(definition.tasks, settings.config), environ, uid, secrets, before, own, told)


def require_variables(
    kept: KeptEnvironment,
    tasks: Sequence[Task],
    settings: "Settings",
    taskfile: str,
    environ: Mapping[str, str],
) -> None:
    """Raise InvalidInput if these tasks need a variable that is never kept, or never was there, and is not set now."""
    from mflow.files.environment import uses

    problems = [
        Problem(
            (settings.config_path or "config.json") if use.task is None else taskfile,
            f"env.{use.key}" if use.task is None else f'task "{use.task}": {use.key}',
            f"the environment has no variable {use.name}",
        )
        for use in missing(kept, uses(tasks, settings.config), environ)
    ]
    if problems:
        hint = (
            "nothing was started or changed: secrets are never kept with a run, so set them where you resume it "
            "and type the command again"
        )
        raise InvalidInput(problems, hint=hint)


def empty_in_tasks(
    kept: KeptEnvironment,
    tasks: Sequence[Task],
    settings: "Settings",
    taskfile: str,
    environ: Mapping[str, str],
) -> Iterator[str]:
    """What a person is told of secrets of these tasks that are not set, and were not at the run's start."""
    from mflow.files.environment import uses

    for use in empty_secrets(kept, uses(tasks, settings.config), environ):
        if use.task is not None:  # what config.json lacks is said whenever it is read
            where = f'task "{use.task}"'
            yield str(
                Problem(
                    taskfile, f"env.{use.key}", f'no variable "{use.name}": it is taken as empty', entry=where
                )
            )


def differences(
    kept: KeptEnvironment,
    environ: Mapping[str, str],
    uid: str,
    run_id: int,
    config: Config,
    resume: str,
) -> Iterator[str]:
    """What a person is told of an environment that is another than that of the run's start: names, never values.

    `resume`: the command that resumes the run with its task file edited.
    """
    found = changes(kept, environ, uid, {key for key, _ in config.env})
    if found.gone:
        were, are, them = ("was", "is", "it") if len(found.gone) == 1 else ("were", "are", "them")
        yield (
            f"{names(found.gone, _SHOWN)} {were} set when run {run_id} began and {are} not now: "
            f"tasks do not inherit {them}{_in_files(kept, found.gone)}"
        )
    if found.changed:
        have = "has" if len(found.changed) == 1 else "have"
        yield (
            f"{names(found.changed, _SHOWN)} {have} changed since run {run_id} began: "
            f"tasks inherit what is set now{_in_files(kept, found.changed)}"
        )
    if found.appeared:
        yield from _appeared(found, run_id, resume)


def _appeared(found: Changes, run_id: int, resume: str) -> Iterator[str]:
    is_, was = ("is", "was") if len(found.appeared) == 1 else ("are", "were")
    yield (
        f"{names(found.appeared, _SHOWN)} {is_} set now and {was} not when run {run_id} began: "
        "where its files take a variable of that name it stays empty; to have it, write the value into the file, "
        f"or use a variable of another name there, and type {resume}"
    )


def _in_files(kept: KeptEnvironment, of: Sequence[str]) -> str:
    used = [name for name in of if kept.files.get(name) is not None]
    if not used:
        return ""
    return f"; where the files say {names([f'${{{name}}}' for name in used], _SHOWN)} the first value stays"
