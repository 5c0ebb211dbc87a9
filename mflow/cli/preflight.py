"""What a task type can find out before anything runs: combinations it refuses, programs and files that are missing.

Files may be checked on another machine than they run on: what is missing here stops a run, and is a warning to
`validate`; what is wrong on any host is an error to both.
"""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from mflow.cli.driving import task_environ
from mflow.cli.inputs import env_expander
from mflow.core.errors import InvalidInput, Problem
from mflow.files.reading import with_positions
from mflow.tasks.registry import preflight_of

if TYPE_CHECKING:
    from mflow.files.load import Loaded


def require_ready(loaded: "Loaded") -> None:
    """Raise InvalidInput if a task cannot run on this machine."""
    problems = _problems(loaded, here=True)
    if problems:
        raise InvalidInput([*loaded.warnings, *problems])


def missing_here(loaded: "Loaded") -> list[Problem]:
    """Warnings for what this machine lacks. Raises InvalidInput for what is wrong on any host."""
    wrong = _problems(loaded, here=False)
    lacking = [replace(one, warning=True) for one in _problems(loaded, here=True) if one not in wrong]
    if wrong:
        raise InvalidInput([*loaded.warnings, *lacking, *wrong])
    return lacking


def _problems(loaded: "Loaded", *, here: bool) -> list[Problem]:
    definition = loaded.definition
    environ = task_environ(os.environ, loaded.config)
    expand = env_expander(environ)
    file = os.path.relpath(definition.taskfile)
    found: list[Problem] = []
    for position, task in enumerate(definition.tasks, loaded.first):
        check = preflight_of(task.type)
        if check is not None:
            cwd = os.path.normpath(f"{definition.cwd}/{task.cwd}") if task.cwd else definition.cwd
            texts = check(task.options, {**environ, **expand(task)}, cwd, here=here)
            found += [Problem(file, f"tasks[{position}]", text) for text in texts]
    return with_positions(found, definition.taskfile)
