"""What a command that runs nothing hides of a run: its secrets, as the files and the environment have them now.

What the run had is known by name (`core.environment`, the kept definition). Where one of those cannot be found any
more, it cannot be masked either, and the log that may hold it is not shown.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from mflow.core.environment import KeptEnvironment
from mflow.core.model import Definition, RunRow, TaskRow
from mflow.core.states import TaskState
from mflow.core.view import RunView

if TYPE_CHECKING:
    from mflow.store.repository import SqlStore

_WITH_CONNECTION = frozenset({"oracle"})
"""The types of tasks whose processes get a password of oracle.json."""


@dataclass(frozen=True)
class Hiding:
    """Of one run: masks its secrets in texts, and says which logs may hold some that it does not know."""

    run: RunRow
    kept: KeptEnvironment | None = field(default=None, repr=False)
    tasks: Definition | None = field(default=None, repr=False)  # those that failed, as they were kept

    def hide(self, text: str) -> str:
        """The text with what is known to be a secret masked. The files are read when a first text comes."""
        from mflow.core.secrets import mask

        return mask(text, self._secrets)

    def withhold(self, row: TaskRow) -> str:
        """Why the log of a task must not be shown, in words; "" if all that it may hold is known."""
        lost = [*self._lost_of_all, *self._lost_of(row)]
        return f"they may hold {', and '.join(lost)}" if lost else ""

    @cached_property
    def _environ(self) -> Mapping[str, str]:
        return self.kept.for_files(os.environ) if self.kept else os.environ

    @cached_property
    def _secrets(self) -> frozenset[str]:
        from mflow.core.secrets import definition_secrets
        from mflow.files.raw_secrets import secrets_in_files

        run, tasks = self.run, self._filled[0]
        ids = {task.id for task in tasks.tasks} if tasks else set()
        found = set(secrets_in_files(run.taskfile, run.config, run.datasources, self._environ, ids))
        if tasks:
            found |= definition_secrets(tasks, self._environ)
        return frozenset(found | {os.environ.get(name, "") for name in self._named})

    @cached_property
    def _named(self) -> frozenset[str]:
        """The variables that were secrets of the run; of a run that an older mflow began, those that may have been."""
        if self.kept:
            return self.kept.secrets
        from mflow.core.secrets import task_references
        from mflow.files.raw_secrets import references_of_config

        tasks = self.tasks.tasks if self.tasks else ()
        return references_of_config(self.run.config) | {
            name for task in tasks for name in task_references(task)
        }

    @cached_property
    def _lost_of_all(self) -> list[str]:
        """What every task of the run may print: it is in the environment of each."""
        from mflow.files.raw_secrets import lost_of_config

        in_config = self.kept.in_config if self.kept else None
        found = (_unset(self._named), lost_of_config(self.run.config, in_config, self._environ))
        return [text for text in found if text]

    def _lost_of(self, row: TaskRow) -> Iterator[str]:
        from mflow.files.raw_secrets import lost_of_connections

        if row.id in self._filled[1]:
            yield f"secrets of this task that {self.run.taskfile} no longer has"
        if row.type in _WITH_CONNECTION and (lost := lost_of_connections(self.run.datasources, os.environ)):
            yield lost

    @cached_property
    def _filled(self) -> tuple[Definition | None, frozenset[str]]:
        """The tasks that failed with their secrets, and the ids of those some of whose are not to be found."""
        from mflow.core.secrets import hides_secrets
        from mflow.files.raw_secrets import lost_of_tasks

        if self.tasks is None or not any(map(hides_secrets, self.tasks.tasks)):
            return self.tasks, frozenset()
        from mflow.tasks.registry import task_types

        filled, lacking = lost_of_tasks(self.tasks, task_types(), self._environ)
        return filled, frozenset(lacking)


def hiding_of(store: "SqlStore", view: RunView) -> Hiding:
    """What is to be hidden of this run; what the database knows of it is read only if a task has failed."""
    failed = {row.id for row in view.tasks if row.state is TaskState.FAILED}
    if not failed:
        return Hiding(view.run)
    from mflow.cli.kept_files import kept_environment

    return Hiding(view.run, kept_environment(store, view.run), store.read_part(view.run.id, failed))


def _unset(variables: frozenset[str]) -> str:
    from mflow.files.raw_secrets import listed

    names = sorted(name for name in variables if not os.environ.get(name))
    return f"{listed(names)}, which {'is' if len(names) == 1 else 'are'} not set here" if names else ""
