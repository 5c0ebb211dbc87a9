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
    """The top of the file; its tasks are checked one by one."""

    defaults: RunKeys | None = None


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a task is checked against beside its own file."""

    types: Types
    config: Config
    connections: Collection[str] | None  # names in oracle.json; None: they could not be read
    environ: Mapping[str, str]  # of this process


def read_tasks(
    raw: Mapping[str, Any], around: Surroundings, report: Report, oneshot: str | None = None
) -> tuple[Task, ...]:
    """The tasks of an object; problems go to the report. `oneshot`: that one alone, without its dependencies."""
    entries, defaults = _parts(raw, report)
    reader = _Reader(around, defaults, report)
    if oneshot is not None:
        return _only(oneshot, entries, reader, report)
    tasks = [reader.read(entry, position) for position, entry in enumerate(entries)]
    _examine(entries, tasks, report)
    return tuple(task for task in tasks if task is not None)


def connections_used(raw: Mapping[str, Any], types: Types, oneshot: str | None = None) -> frozenset[str]:
    """The connections that tasks name, as far as the file can be understood: before anything is checked."""
    keys = {key.casefold() for model in types.values() if (key := model.connection_key)}
    entries = next((value for key, value in raw.items() if key.casefold() == "tasks"), ())
    return frozenset(
        value
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and (oneshot is None or _id_of(entry) == oneshot)
        for key, value in entry.items()
        if isinstance(value, str) and key.casefold() in keys
    )


def _parts(raw: Mapping[str, Any], report: Report) -> tuple[list[Any], RunKeys]:
    """The list of tasks, and the defaults."""
    lists = [key for key in raw if key.casefold() == "tasks"]
    rest = {key: value for key, value in raw.items() if key not in lists[:1]}
    clean = key_table(_WholeKeys).normalised(rest, "", report)
    defaults = RunKeys.model_validate({})
    try:
        defaults = TaskfileKeys.model_validate(clean).defaults or defaults
    except ValidationError as error:
        report_invalid(error, clean, "", report)
    entries = raw[lists[0]] if lists else None
    if not lists:
        report.error("", 'the key "tasks" is missing')
    elif not isinstance(entries, list):
        report.error("tasks", f"must be a list, not {shown(entries)}")
    elif not entries:
        report.warning("tasks", "is empty: there is nothing to run")
    return (entries if isinstance(entries, list) else []), defaults


class _WholeKeys(TaskfileKeys):
    """Knows `tasks` too, so that a near miss of it is found; in other case twice is found as well."""

    tasks: Any = None


def _only(name: str, entries: Sequence[Any], reader: "_Reader", report: Report) -> tuple[Task, ...]:
    ids = [_id_of(entry) for entry in entries]
    if name not in ids:
        report.error(
            "", f"no task {shown(name)}{did_you_mean(name, [one for one in ids if one is not None])}"
        )
        return ()
    position = ids.index(name)
    task = reader.read(entries[position], position)
    return () if task is None else (replace(task, depends=()),)


def _id_of(entry: Any) -> str | None:
    if not isinstance(entry, dict):
        return None
    found = next((value for key, value in entry.items() if key.casefold() == "id"), None)
    return found if isinstance(found, str) else None


def _depends_of(entry: Mapping[str, Any]) -> Sequence[str]:
    """The dependencies of a task that is in error elsewhere, if they can be understood."""
    found = next((value for key, value in entry.items() if key.casefold() == "depends"), ())
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else ()


def _examine(entries: Sequence[Any], tasks: Sequence[Task | None], report: Report) -> None:
    """What is wrong with the graph. Ids and dependencies are looked at also where the task itself is in error."""
    places: list[int] = []
    ids: list[str] = []
    depends: list[Sequence[str]] = []
    for position, (entry, task) in enumerate(zip(entries, tasks, strict=True)):
        name = task.id if task is not None else _id_of(entry)
        if name is not None:
            places.append(position)
            ids.append(name)
            depends.append(task.depends if task is not None else _depends_of(entry))
    for finding in examine(ids, depends):
        place = below("tasks", places[finding.task])
        place = (
            below(place, "id")
            if finding.dependency is None
            else below(below(place, "depends"), finding.dependency)
        )
        (report.warning if finding.warning else report.error)(place, finding.text)


class _Reader:
    """Reads one task after the other."""

    def __init__(self, around: Surroundings, defaults: RunKeys, report: Report) -> None:
        self._around, self._report = around, report
        self._policy = merged_policy(around.config.retry, defaults.retry_given())
        self._defaults = defaults
        self._default_env = as_pairs(defaults.env)
        self._known = {**around.environ, **dict(around.config.env)}

    def read(self, entry: Any, position: int) -> Task | None:
        """The task, or None if it is in error."""
        place = below("tasks", position)
        if not isinstance(entry, dict):
            self._report.error(place, f"must be an object, not {shown(entry)}")
            return None
        model = self._model(entry, place)
        if model is None:
            return None
        table = key_table(model)
        clean = entry if table.is_plain(entry) else table.normalised(entry, place, self._report)
        try:
            keys = model.model_validate(clean)
        except ValidationError as error:
            report_invalid(error, clean, place, self._report)
            return None
        return self._task(keys, place)

    def _model(self, entry: Mapping[str, Any], place: str) -> type[TaskKeys] | None:
        kind = entry.get("type") or next(
            (value for key, value in entry.items() if key.casefold() == "type"), None
        )
        if kind is None:
            self._report.error(place, 'the key "type" is missing')
            return None
        model = self._around.types.get(kind) if isinstance(kind, str) else None
        if model is None:
            known = tuple(self._around.types)
            meant = did_you_mean(kind, known) if isinstance(kind, str) else ""
            text = f"unknown task type {shown(kind)}{meant}; known are {', '.join(known)}"
            self._report.error(below(place, "type"), text)
        return model

    def _task(self, keys: TaskKeys, place: str) -> Task:
        options = keys.options()
        self._check_connection(keys, options, place)
        self._pass_on_remarks(keys, place)
        env = self._default_env
        if keys.env:
            env = tuple({**dict(env), **dict(as_pairs(keys.env))}.items())
        if keys.env and any("$" in value for _, value in env):
            self._check_env(keys, place)
        defaults = self._defaults
        return Task(
            id=keys.id,
            type=keys.type,
            depends=keys.depends,
            retry=self._retry(keys),
            timeout_seconds=defaults.timeout_seconds
            if keys.timeout_seconds is None
            else keys.timeout_seconds,
            cwd=keys.cwd or defaults.cwd,
            env=env,
            options=options,
        )

    def _retry(self, keys: TaskKeys) -> RetryPolicy:
        if keys.retry is None and keys.retries is None:
            return self._policy
        return merged_policy(self._policy, keys.retry_given())

    def _check_connection(self, keys: TaskKeys, options: Mapping[str, Any], place: str) -> None:
        key, names = keys.connection_key, self._around.connections
        if key is None or names is None or options.get(key) in names or key not in options:
            return
        meant = did_you_mean(options[key], tuple(names))
        where = " in oracle.json" if names else ": there is no oracle.json, or it names none"
        self._report.error(below(place, key), f"no connection {shown(options[key])}{where}{meant}")

    def _pass_on_remarks(self, keys: TaskKeys, place: str) -> None:
        for key, text in keys.remarks():
            self._report.warning(below(place, key), text)

    def _check_env(self, keys: TaskKeys, place: str) -> None:
        expanded = expand_env(as_pairs(keys.env), {**self._known, **dict(self._default_env)})
        for position, name in expanded.unknown:
            where = below(below(below(place, "env"), position), "value")
            self._report.warning(where, f"${name} is not set: empty")
