"""Problems as they are found in one file, and the words for values in them."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from mflow.core.errors import Problem
from mflow.core.suggest import did_you_mean

_SHOWN = 60
"""Characters of an offending value that are shown."""


class Report:
    """Collects what is wrong with one file. In strict mode an unknown key is an error."""

    def __init__(
        self,
        file: str,
        path: str | None = None,
        *,
        strict: bool = False,
        refusal: Callable[[str], str | None] | None = None,
    ) -> None:
        """`file` is its name in messages. `refusal` says why an unknown key must not be passed over, if so."""
        self.file, self.path = file, path
        self.problems: list[Problem] = []
        self._strict, self._refusal = strict, refusal

    def error(self, place: str, text: str, *, of_key: bool = False) -> None:
        """Something that must be mended before anything can run."""
        self.problems.append(Problem(self.file, place, harmless(text), of_key=of_key))

    def error_at(self, line: int, column: int, text: str, entry: str = "") -> None:
        """Something that keeps the file from being read any further."""
        self.problems.append(Problem(self.file, "", harmless(text), line=line, column=column, entry=entry))

    def warning(self, place: str, text: str, *, of_key: bool = False) -> None:
        """Something a person should know, but may want."""
        self.problems.append(Problem(self.file, place, harmless(text), warning=True, of_key=of_key))

    def unknown_key(self, place: str, key: str, known: Sequence[str]) -> None:
        """A near miss of a known key is an error, and so is what must not be passed over; else it is a warning."""
        meant, refusal = did_you_mean(key, known), self._refusal and self._refusal(key)
        place = below(place, key)
        if refusal or meant or self._strict:
            self.error(place, f"unknown key{meant}{f': {refusal}' if refusal else ''}", of_key=True)
        else:
            self.warning(place, "unknown key, ignored", of_key=True)

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
