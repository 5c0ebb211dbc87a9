"""Where the files of a run take variables of the environment. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mflow.core.embedded_secrets import is_reference
from mflow.core.environment import Use
from mflow.core.model import Config, Task
from mflow.core.secrets import looks_secret
from mflow.files.expand import expand_env


def uses(tasks: Iterable[Task], config: Config) -> Iterator[Use]:
    """Every place in config.json and in these tasks; not those that find a variable which the files set themselves."""
    yield from (Use(name, key) for key, name in config.env_taken)
    own = {key for key, _ in config.env}
    for task in tasks:
        if any("$" in value for _, value in task.env):
            taken = expand_env(task.env, {}).taken
            yield from (Use(name, key, task.id) for key, name in taken if name not in own)
        if len(task.options) > 1:
            of_task = own.union(key for key, _ in task.env)
            yield from (
                Use(name, key, task.id, required=True)
                for key, name in references(task.options)
                if name not in of_task
            )


def references(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, name) of the binds, and of the secret confs, that are nothing but a variable: they must be set."""
    for key, value in _pairs(options.get("binds")):
        if isinstance(value, str) and value.startswith("${") and is_reference(value):
            yield key, value[2:-1]
    for key, value in _pairs(options.get("confs")):
        if isinstance(value, str) and looks_secret(key) and is_reference(value):
            yield key, value.strip("${}")


def _pairs(pairs: Any) -> Iterable[tuple[str, Any]]:
    if isinstance(pairs, Mapping):
        return pairs.items()
    return ((key, value) for key, value in pairs or ())
