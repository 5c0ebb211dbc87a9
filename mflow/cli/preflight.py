"""What a task type can find out before anything runs: combinations it refuses, programs and files that are missing.

Files may be checked on another machine than they run on: what is missing here stops a run, and is a warning to
`validate`; what is wrong on any host is an error to both. Files of a task behind others may be made by those: they are
looked at when it starts, and before that `validate` alone speaks of them.
"""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mflow.cli.driving import task_environ
from mflow.cli.inputs import env_expander
from mflow.core.errors import InvalidInput, Problem, UsageError
from mflow.core.model import Definition
from mflow.files.reading import with_positions
from mflow.tasks.registry import preflight_of

if TYPE_CHECKING:
    from mflow.files.load import Loaded


def require_means() -> None:
    """Raise Unequipped if no supervisor could work here at all, as far as that shows before one is started."""
    from mflow.engine.pool import require_means as of_a_supervisor

    of_a_supervisor()


def require_storable(definition: Definition, *paths: str) -> None:
    """Raise UsageError for what no database can keep as it is: the store would refuse it, after much was made."""
    from mflow.core.errors import StoreRefused
    from mflow.store.values import require_storable as by_a_store

    try:
        by_a_store(definition, *paths)
    except StoreRefused as error:
        raise UsageError(error.message, hint=error.hint) from error


def require_ready(loaded: "Loaded") -> None:
    """Raise InvalidInput if a task cannot run on this machine."""
    problems = _problems(loaded)
    if problems:
        raise InvalidInput([*loaded.warnings, *problems])


def lacking(loaded: "Loaded", *, as_run: bool = False) -> list[Problem]:
    """Warnings for what this machine lacks. Raises InvalidInput for what is wrong on any host.

    With `as_run` for all that would stop a run here.
    """
    wrong = _problems(loaded, here=as_run)
    missing = [one for one in _problems(loaded) if one not in wrong]
    later = [
        replace(one, text=f"{one.text}; a task before it may make that: looked at again when it starts")
        for one in _problems(loaded, look_ahead=True)
        if one not in wrong and one not in missing
    ]
    warnings = [replace(one, warning=True) for one in (*missing, *later)]
    if wrong:
        raise InvalidInput([*loaded.warnings, *warnings, *wrong])
    return warnings


def _problems(loaded: "Loaded", *, here: bool = True, look_ahead: bool = False) -> list[Problem]:
    """`look_ahead`: also what is wrong with files that an earlier task may make."""
    definition = loaded.definition
    environ = task_environ(os.environ, loaded.config)
    expand = env_expander(environ)
    file = os.path.relpath(definition.taskfile)
    found: list[Problem] = []
    for position, task in enumerate(definition.tasks, loaded.first):
        check = preflight_of(task.type)
        if check is not None:
            cwd = os.path.normpath(f"{definition.cwd}/{task.cwd}") if task.cwd else definition.cwd
            after = bool(task.depends) and not look_ahead
            texts = check(task.options, {**environ, **expand(task)}, cwd, here=here, after=after)
            found += [Problem(file, f"tasks[{position}]", text) for text in texts]
    return with_positions(found, definition.taskfile)
