"""A definition as the text that the store keeps, and back: readable, stable, equal for equal definitions.

Defaults are left out, retry policies stand once in a table of their own and keys are sorted. Keys not known
here are passed over, so that an older mflow reads what a newer one has kept. ASCII only: the text passes
through any character set of a database.
"""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from mflow.core.model import Backoff, Definition, RetryPolicy, Task
from mflow.core.secrets import masked_definition

_VERSION = 1
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)
_WHERE_FROM = ("config", "datasources", "oneshot")


def definition_to_json(definition: Definition) -> str:
    """The canonical text of `definition`, without the literal secrets of its tasks (see `core.secrets`)."""
    definition = masked_definition(definition)
    policies: dict[RetryPolicy, int] = {}
    kept: dict[str, Any] = {
        "version": _VERSION,
        "taskfile": definition.taskfile,
        "cwd": definition.cwd,
        "tasks": [_task_to_object(task, policies) for task in definition.tasks],
        "policies": [_policy_to_object(policy) for policy in policies],
    }
    kept |= {name: value for name in _WHERE_FROM if (value := getattr(definition, name)) is not None}
    if definition.numbers:
        kept["numbers"] = definition.numbers
    return _ENCODER.encode(kept)


def definition_from_json(text: str) -> Definition:
    """The definition that was kept as `text`. Raises ValueError if the text is damaged."""
    try:
        return _definition(json.loads(text))
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"not a kept definition: {error!r}") from error


def part_from_json(text: str, ids: Collection[str]) -> Definition:
    """The same with these tasks only: quicker. Raises ValueError if the text is damaged."""
    try:
        kept = json.loads(text)
        few = [one for one in kept["tasks"] if one["id"] in ids]
        return _definition({**kept, "tasks": few, "numbers": ()})
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        raise ValueError(f"not a kept definition: {error!r}") from error


def graph_from_json(text: str) -> list[tuple[str, Sequence[str]]]:
    """Of every task of a kept definition: its id, and those that it depends on. Raises ValueError."""
    try:
        return [(one["id"], one.get("depends", ())) for one in json.loads(text)["tasks"]]
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a kept definition: {error!r}") from error


def _definition(kept: Mapping[str, Any]) -> Definition:
    policies = [_policy(policy) for policy in kept.get("policies", ())]
    return Definition(
        tasks=_tasks(kept["tasks"], policies),
        taskfile=kept["taskfile"],
        cwd=kept["cwd"],
        config=kept.get("config"),
        datasources=kept.get("datasources"),
        oneshot=kept.get("oneshot"),
        numbers=tuple(kept.get("numbers", ())),
    )


def _task_to_object(task: Task, policies: dict[RetryPolicy, int]) -> dict[str, Any]:
    kept: dict[str, Any] = {"id": task.id, "type": task.type}
    if task.depends:
        kept["depends"] = task.depends
    if task.retry != _ONE_TRY:
        kept["retry"] = policies.setdefault(task.retry, len(policies))
    if task.timeout_seconds is not None:
        kept["timeout_seconds"] = task.timeout_seconds
    if task.cwd is not None:
        kept["cwd"] = task.cwd
    if task.env:
        kept["env"] = task.env
    if task.options:
        kept["options"] = task.options
    return kept


def _tasks(kept: Iterable[Mapping[str, Any]], policies: list[RetryPolicy]) -> tuple[Task, ...]:
    """One str object per id, however often it is depended upon: it matters with 100,000 tasks."""
    shared: dict[str, str] = {}
    share = shared.setdefault
    return tuple(
        Task(
            id=share(one["id"], one["id"]),
            type=share(one["type"], one["type"]),
            depends=tuple([share(name, name) for name in one.get("depends", ())]),
            retry=policies[one["retry"]] if "retry" in one else _ONE_TRY,
            timeout_seconds=one.get("timeout_seconds"),
            cwd=one.get("cwd"),
            env=tuple([(key, value) for key, value in one.get("env", ())]),
            options=one.get("options") or {},
        )
        for one in kept
    )


def _policy_to_object(policy: RetryPolicy) -> dict[str, Any]:
    names = RetryPolicy.__slots__
    return {name: value for name in names if (value := getattr(policy, name)) != getattr(_ONE_TRY, name)}


def _policy(kept: Mapping[str, Any]) -> RetryPolicy:
    known: dict[str, Any] = {name: kept[name] for name in RetryPolicy.__slots__ if name in kept}
    if "backoff" in known:
        known["backoff"] = Backoff(known["backoff"])
    for name in ("on_exit_codes", "on_errors"):
        if known.get(name) is not None:
            known[name] = tuple(known[name])
    return RetryPolicy(**known)


_ONE_TRY = RetryPolicy()
