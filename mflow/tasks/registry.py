"""The task types there are: where the model of their keys is, and what runs them in a worker. Imported when used."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

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


def task_types() -> "Mapping[str, type[TaskKeys]]":
    """The models of the keys of all task types."""
    return {name: _imported(where) for name, where in _KEYS.items()}


def _imported(where: str) -> "type[TaskKeys]":
    module, _, name = where.partition(":")
    model: type[TaskKeys] = getattr(importlib.import_module(module), name)
    return model
