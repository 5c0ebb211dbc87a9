"""Problems as they are found in one file, and the words for values in them."""

import json
from collections.abc import Sequence
from typing import Any

from mflow.core.errors import Problem
from mflow.core.suggest import did_you_mean

_SHOWN = 60
"""Characters of an offending value that are shown."""


class Report:
    """Collects what is wrong with one file. In strict mode an unknown key is an error."""

    def __init__(self, file: str, *, strict: bool = False) -> None:
        self.file = file
        self.problems: list[Problem] = []
        self._strict = strict

    def error(self, place: str, text: str) -> None:
        """Something that must be mended before anything can run."""
        self.problems.append(Problem(self.file, place, harmless(text)))

    def warning(self, place: str, text: str) -> None:
        """Something a person should know, but may want."""
        self.problems.append(Problem(self.file, place, harmless(text), warning=True))

    def unknown_key(self, place: str, key: str, known: Sequence[str]) -> None:
        """A near miss of a known key is an error; any other is ignored with a warning."""
        meant = did_you_mean(key, known)
        if meant:
            self.error(below(place, key), f"unknown key{meant}")
        elif self._strict:
            self.error(below(place, key), "unknown key")
        else:
            self.warning(below(place, key), "unknown key, ignored")

    @property
    def failed(self) -> bool:
        """Whether anything worse than a warning was found."""
        return any(not problem.warning for problem in self.problems)


def below(place: str, step: str | int) -> str:
    """The place one key or index below another: `tasks` -> `tasks[3]` -> `tasks[3].depends`."""
    if isinstance(step, int):
        return f"{place}[{step}]"
    step = printable(step)
    return f"{place}.{step}" if place else step


def printable(text: str) -> str:
    """The text cut to a length that a message can bear, and harmless."""
    return harmless(text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "...")


def harmless(text: str) -> str:
    """The text on one line, and without what could disturb a terminal."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


def shown(value: Any) -> str:
    """An offending value in a message: text in quotes, cut; a list or object by its kind only."""
    match value:
        case str():
            return f'"{printable(value)}"'
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case _:
            return printable(json.dumps(value))
