"""The keys that every task has, whatever its type, and those of the task file itself.

A task type's own keys are a model derived from `TaskKeys`; which type has which model is told by the caller.
"""

from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar

from pydantic import Field

from mflow.files.retry_keys import WithRetry
from mflow.files.values import Seconds, Some, TaskId, Variables


class RunKeys(WithRetry):
    """How a task is run: what `defaults` of the task file may give for all."""

    timeout_seconds: Seconds | None = Field(
        None, description="Seconds after which an attempt is ended; each try has them anew."
    )
    cwd: Some | None = Field(
        None,
        description="Folder the task runs in; relative to the one mflow was started in, which is the default.",
    )
    env: Variables = Field(
        (), description="Environment variables, expanded in order, each seeing those before it."
    )


class TaskKeys(RunKeys):
    """One task. A task type derives its model from this one and adds its own keys."""

    id: TaskId = Field(description="Name of the task, unique in the file.")
    type: Some = Field(description="What kind of task it is.")
    depends: tuple[str, ...] = Field(
        (), description="Ids of the tasks that must be SUCCESS before this one starts."
    )

    connection_key: ClassVar[str | None] = None
    """Key that names a connection of oracle.json, if the type has one."""

    def options(self) -> dict[str, Any]:
        """The type's own keys that differ from their defaults, as JSON values under their spelling in files."""
        values = self.__dict__
        return {
            key: _as_json(value)
            for name, key, default in own_keys(type(self))
            if (value := values[name]) != default
        }

    def remarks(self) -> Iterable[tuple[str, str]]:
        """(key, text) of what is allowed but deserves a warning."""
        return ()


@cache
def own_keys(model: type[TaskKeys]) -> tuple[tuple[str, str, Any], ...]:
    """(field, key, default) of the keys that a type has beside those of every task."""
    return tuple(
        (name, field.alias or name, field.get_default())
        for name, field in model.model_fields.items()
        if name not in TaskKeys.model_fields
    )


def _as_json(value: Any) -> Any:
    match value:
        case tuple() | list():
            return [_as_json(one) for one in value]
        case _ if hasattr(value, "key") and hasattr(value, "value"):
            return [value.key, value.value]
        case _:
            return value
