"""What a command that runs nothing hides in what it shows of a run: the secrets of the run's files, as they are now."""

import os
from collections.abc import Callable
from functools import cache

from mflow.core.model import RunRow, TaskRow
from mflow.core.states import TaskState
from mflow.core.view import RunView


def hider(view: RunView) -> Callable[[str], str]:
    """Masks the secrets of the files of a run in a text. The files are read when a first text comes."""

    @cache
    def secrets() -> frozenset[str]:
        return _secrets_of(view.run, [row for row in view.tasks if row.state is TaskState.FAILED])

    def hide(text: str) -> str:
        from mflow.core.secrets import mask

        return mask(text, secrets())

    return hide


def _secrets_of(run: RunRow, failed: list[TaskRow]) -> frozenset[str]:
    from mflow.files.raw_secrets import secrets_in_files

    return secrets_in_files(run.taskfile, run.config, run.datasources, os.environ, {row.id for row in failed})
