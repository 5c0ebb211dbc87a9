"""The task types there are: where the model of their keys is, and what runs them in a worker. Imported when used."""

import importlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mflow.files.task_keys import TaskKeys

_KEYS = {
    "bash": "mflow.tasks.bash_keys:BashKeys",
    "oracle": "mflow.tasks.oracle_keys:OracleKeys",
    "spark": "mflow.tasks.spark_keys:SparkKeys",
}

RUNNERS: Mapping[str, str] = {
    "bash": "mflow.tasks.bash:BashRunner",
    "oracle": "mflow.tasks.oracle:OracleRunner",
    "spark": "mflow.tasks.spark:SparkRunner",
}
"""What a worker imports to run attempts of a type."""

_PREFLIGHTS = {
    "oracle": "mflow.tasks.oracle.preflight:preflight",
    "spark": "mflow.tasks.spark.preflight:preflight",
}


class Preflight(Protocol):
    """What a task type can tell of a task before anything runs."""

    def __call__(
        self,
        options: Mapping[str, Any],
        environ: Mapping[str, str],
        cwd: str,
        *,
        here: bool = True,
        after: bool = False,
    ) -> Sequence[str]:
        """The problems, each a line. `environ`, `cwd`: as its processes will get them.

        With `here` false only those that the task would have on any host. With `after`, no file is looked at that a
        task before it may make or change; the attempt does so when it starts.
        """
        ...


def task_types() -> "Mapping[str, type[TaskKeys]]":
    """The models of the keys of all task types."""
    return {name: _imported(where) for name, where in _KEYS.items()}


def preflight_of(kind: str) -> Preflight | None:
    """The check of a task type, if it has one."""
    where = _PREFLIGHTS.get(kind)
    check: Preflight | None = _imported(where) if where else None
    return check


def _imported(where: str) -> Any:
    module, _, name = where.partition(":")
    return getattr(importlib.import_module(module), name)
