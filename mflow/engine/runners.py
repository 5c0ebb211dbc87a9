"""Task types by name, imported when the first attempt of that type comes."""

import importlib
from collections.abc import Mapping

from mflow.core.contracts import Runner


class RunnerNotLoaded(Exception):
    """There is no such task type, or it cannot be imported."""


class Runners:
    """The runners a worker may need, each made once."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """`places`: task type -> "module:attribute" of a class or function that makes its Runner."""
        self._places = places
        self._made: dict[str, Runner] = {}

    def get(self, kind: str) -> Runner:
        """The runner of a task type. Raises RunnerNotLoaded."""
        runner = self._made.get(kind)
        if runner is None:
            runner = self._made[kind] = self._make(kind)
        return runner

    def _make(self, kind: str) -> Runner:
        place = self._places.get(kind)
        if place is None:
            raise RunnerNotLoaded(f"there is no task type {kind!r}")
        module, _, attribute = place.partition(":")
        try:
            runner: Runner = getattr(importlib.import_module(module), attribute)()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"[:500]
            raise RunnerNotLoaded(f"task type {kind!r} cannot be loaded from {place}: {reason}") from error
        return runner
