"""tasks.json: from its keys to tasks, with everything wrong in it found at once."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from mflow.core.graph import examine
from mflow.core.model import Config, RetryPolicy, Task
from mflow.core.suggest import did_you_mean
from mflow.files.expand import expand_env
from mflow.files.keys import Keys, key_table
from mflow.files.report import Report, below, shown
from mflow.files.retry_keys import merged_policy
from mflow.files.task_keys import RunKeys, TaskKeys
from mflow.files.values import as_pairs
from mflow.files.wording import report_invalid

Types = Mapping[str, type[TaskKeys]]
"""The model of each task type's keys."""


class TaskfileKeys(Keys):
    """The top of the file; its tasks are checked one by one, each by the model of its type."""

    tasks: list[Any]
    defaults: RunKeys | None = None


@dataclass(frozen=True, slots=True)
class TasksRead:
    """The tasks that are right, and every connection that one of them names, with the place where it does."""

    tasks: tuple[Task, ...]
    connections: tuple[tuple[str, str], ...]  # (place, name)
    first: int = 0
    """Where the first of them stands in the file: elsewhere than at its beginning if one is run alone."""


def read_tasks(
    raw: Mapping[str, Any],
    types: Types,
    config: Config,
    environ: Mapping[str, str],
    report: Report,
    oneshot: str | None = None,
) -> TasksRead:
    """The tasks of an object; problems go to the report. `oneshot`: that one alone, without its dependencies.

    `environ` is that of this process: what tasks see before config.json's variables and their own.
    """
    entries, defaults = _parts(raw, report)
    reader = _Reader(types, config, environ, defaults, report)
    first = 0
    if oneshot is not None:
        first = _first_position(oneshot, entries)
        tasks = _only(oneshot, entries, reader, report)
    else:
        tasks = [reader.read(entry, position) for position, entry in enumerate(entries)]
        _examine(entries, tasks, report)
    return TasksRead(tuple([task for task in tasks if task is not None]), tuple(reader.connections), first)


def check_connections(read: TasksRead, names: Collection[str], report: Report) -> None:
    """Report every connection that a task names and oracle.json does not have."""
    for place, name in read.connections:
        if name not in names:
            where = (
                f" in oracle.json{did_you_mean(name, names)}"
                if names
                else ": oracle.json is missing or has none"
            )
            report.error(place, f"no connection {shown(name)}{where}")


def _parts(raw: Mapping[str, Any], report: Report) -> tuple[list[Any], RunKeys]:
    """The list of tasks, and the defaults; what is wrong with either is as if it were not there."""
    clean = key_table(TaskfileKeys).normalised(raw, "", report)
    entries, defaults = clean.get("tasks"), None
    try:
        defaults = TaskfileKeys.model_validate(clean).defaults
    except ValidationError as error:
        report_invalid(error, clean, "", report)
    if entries == []:
        report.warning("tasks", "is empty: there is nothing to run")
    return (entries if isinstance(entries, list) else []), defaults or RunKeys.model_validate({})


def _only(name: str, entries: Sequence[Any], reader: "_Reader", report: Report) -> list[Task | None]:
    ids = [_id_of(entry) for entry in entries]
    positions = [position for position, one in enumerate(ids) if one == name]
    if not positions:
        report.error(
            "", f"no task {shown(name)}{did_you_mean(name, [one for one in ids if one is not None])}"
        )
    for again in positions[1:]:
        report.error(f"tasks[{again}].id", f'the id "{name}" is already that of tasks[{positions[0]}]')
    tasks = [reader.read(entries[position], position) for position in positions[:1]]
    return [None if task is None else replace(task, depends=()) for task in tasks]


def _first_position(name: str, entries: Sequence[Any]) -> int:
    return next((position for position, entry in enumerate(entries) if _id_of(entry) == name), 0)


def _id_of(entry: Any) -> str | None:
    found = _value_of(entry, "id")
    return found if isinstance(found, str) else None


def _depends_of(entry: Any) -> Sequence[str]:
    """The dependencies of a task that is in error elsewhere, if they can be understood."""
    found = _value_of(entry, "depends")
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def _value_of(entry: Any, sought: str) -> Any:
    """What an entry that may be anything has under a key in whatever case."""
    if not isinstance(entry, dict):
        return None
    return next((value for key, value in entry.items() if key.casefold() == sought), None)


def _examine(entries: Sequence[Any], tasks: Sequence[Task | None], report: Report) -> None:
    """What is wrong with the graph. Ids and dependencies are looked at also where the task itself is in error."""
    both = list(zip(entries, tasks, strict=True))
    ids = [
        task.id if task else _id_of(entry) or f"\0{position}"  # no id, and nobody can mean it
        for position, (entry, task) in enumerate(both)
    ]
    for finding in examine(ids, [task.depends if task else _depends_of(entry) for entry, task in both]):
        place = f"tasks[{finding.task}]"
        place += ".id" if finding.dependency is None else f".depends[{finding.dependency}]"
        (report.warning if finding.warning else report.error)(place, finding.text)


class _Reader:
    """Reads one task after the other."""

    def __init__(
        self, types: Types, config: Config, environ: Mapping[str, str], defaults: RunKeys, report: Report
    ) -> None:
        self.connections: list[tuple[str, str]] = []
        self._types, self._report, self._defaults = types, report, defaults
        self._policy = merged_policy(config.retry, defaults.retry_given())
        self._default_env = as_pairs(defaults.env)
        self._environ = {**environ, **dict(config.env)}
        self._warn_of_unknown(self._default_env, "defaults")
        self._environ |= dict(self._default_env)
        self._ids: dict[str, str] = {}  # one object for each id, however often it is depended upon

    def read(self, entry: Any, position: int) -> Task | None:
        """The task, or None if it is in error."""
        if not isinstance(entry, dict):
            self._report.error(f"tasks[{position}]", f"must be an object, not {shown(entry)}")
            return None
        kind = entry.get("type")
        model = self._types.get(kind) if type(kind) is str else None
        model = model or self._model(entry, f"tasks[{position}]")
        if model is None:
            return None
        table = key_table(model)
        if not table.is_plain(entry):
            entry = table.normalised(entry, f"tasks[{position}]", self._report)
        try:
            return self._task(model.model_validate(entry), position)
        except ValidationError as error:
            report_invalid(error, entry, f"tasks[{position}]", self._report)
            return None

    def _model(self, entry: Mapping[str, Any], place: str) -> type[TaskKeys] | None:
        """The model where the key `type` is spelled in another case; or what is wrong with it."""
        kind = _value_of(entry, "type")
        if kind is None:
            self._report.error(place, 'the key "type" is missing')
            return None
        model = self._types.get(kind) if isinstance(kind, str) else None
        if model is None:
            meant = did_you_mean(kind, self._types) if isinstance(kind, str) else ""
            text = f"unknown task type {shown(kind)}{meant}; known are {', '.join(self._types)}"
            self._report.error(below(place, "type"), text)
        return model

    def _task(self, keys: TaskKeys, position: int) -> Task:
        for key, text in keys.remarks():
            self._report.warning(f"tasks[{position}].{key}", text)
        options = keys.options()
        if keys.connection_key in options:
            place = f"tasks[{position}].{keys.connection_key}"
            self.connections.append((place, options[keys.connection_key]))
        share, defaults = self._ids.setdefault, self._defaults
        return Task(
            id=share(keys.id, keys.id),
            type=keys.type,
            depends=tuple([share(name, name) for name in keys.depends]),
            retry=self._retry(keys),
            timeout_seconds=defaults.timeout_seconds
            if keys.timeout_seconds is None
            else keys.timeout_seconds,
            cwd=keys.cwd or defaults.cwd,
            env=self._env(keys, f"tasks[{position}]") if keys.env else self._default_env,
            options=options,
        )

    def _retry(self, keys: TaskKeys) -> RetryPolicy:
        if keys.retry is None and keys.retries is None:
            return self._policy
        return merged_policy(self._policy, keys.retry_given())

    def _env(self, keys: TaskKeys, place: str) -> tuple[tuple[str, str], ...]:
        """The defaults' variables, then the task's own, which may build upon them."""
        own = as_pairs(keys.env)
        self._warn_of_unknown(own, place)
        return self._default_env + own

    def _warn_of_unknown(self, env: Sequence[tuple[str, str]], place: str) -> None:
        """Variables are expanded when an attempt starts; here it is only seen whether they could be."""
        for position, name in expand_env(env, self._environ).unknown:
            self._report.warning(
                f"{place}.env[{position}].value", f'no variable "{name}": it is taken as empty'
            )
