"""Where in a file the problems stand that were found in what it holds: line, column, and the task they are of.

json tells no positions, and a reader that does takes many times as long. So a file in which something was found is
read once more, and only the way to those places is walked; json's own scanner leaps over everything beside it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from mflow.core.errors import Problem
from mflow.files.report import below, shown

_NAMED_BY = {"tasks": ("task", "id"), "connections": ("connection", "name")}
"""Lists at the top of a file whose entries have names: what an entry is called, and the key of its name."""

_ENTRY = re.compile(r"(tasks|connections)\[\d+\]")
_BLANKS = re.compile(r"[ \t\n\r]*")
_LEAP = json.JSONDecoder(parse_int=str, parse_float=str, parse_constant=str).raw_decode


def line_and_column(text: str, position: int) -> tuple[int, int]:
    """Both count from 1; a column is a character."""
    return text.count("\n", 0, position) + 1, position - text.rfind("\n", 0, position)


def located(problems: Sequence[Problem], text: str) -> list[Problem]:
    """The problems with their positions in the text, in their order there; those without a position come first."""
    walk = _Walk(text, (problem.place for problem in problems if not problem.line))
    walk.go()
    return sorted(walk.placed(problems), key=lambda problem: (problem.line, problem.column))


def broken_entry(text: str) -> str:
    """Which task or connection (`task "load"`) it is in which a text stops being JSON; empty if none is known."""
    walk = _Walk(text, ())
    return walk.names.get(walk.entry, "") if walk.go() is False else ""


@dataclass(slots=True)
class _Found:
    """Where a value stands, and its key if it has one."""

    value: int
    key: int | None = None


@dataclass(slots=True)
class _Walk:
    """One way through a text. Keys in other case lead to the same place."""

    text: str
    wanted: Iterable[str]
    names: dict[str, str] = field(default_factory=dict)
    entry: str = ""  # the task or connection that was come to last
    _found: dict[str, _Found] = field(default_factory=dict)
    _ways: frozenset[str] = frozenset()

    def go(self) -> bool:
        """Walk as far as the text is JSON; False if it ends before its time."""
        self._ways = frozenset(way for place in self.wanted for way in _ways_to(place.casefold()))
        try:
            self._value(self._blanks(0), "")
        except (ValueError, StopIteration, IndexError, RecursionError):
            return False
        return True

    def placed(self, problems: Sequence[Problem]) -> Iterator[Problem]:
        """The problems, each with line, column and the entry that it is of."""
        positions = {place: self._position(place) for place in {problem.place for problem in problems}}
        starts = sorted(
            {at for found in positions.values() if found for at in (found.value, found.key) if at is not None}
        )
        lines = dict(_lines(self.text, starts))
        for problem in problems:
            found = None if problem.line else positions[problem.place]
            if found is None:
                yield problem
                continue
            line, column = lines[found.key if problem.of_key and found.key is not None else found.value]
            entry = _ENTRY.match(problem.place)
            name = self.names.get(entry[0], "") if entry else ""
            place = problem.place[len(entry[0]) :].removeprefix(".") if entry and name else problem.place
            yield replace(problem, place=place, line=line, column=column, entry=name)

    def _position(self, place: str) -> _Found | None:
        """Of the place itself, or of the nearest one above that there is."""
        for way in reversed(list(_ways_to(place))):
            found = self._found.get(way) or self._found.get(way.casefold())
            if found:
                return found
        return None

    # ------------------------------------------------------------------------------------------ the way

    def _value(self, at: int, place: str) -> int:
        """Walk through what stands at a position; the position behind it."""
        match self.text[at]:
            case "{":
                return self._object(at, place)
            case "[":
                return self._list(at, place)
            case _:
                return _LEAP(self.text, at)[1]

    def _object(self, at: int, place: str) -> int:
        at = self._blanks(at + 1)
        while self.text[at] != "}":
            key_at = at
            if self.text[at] != '"':
                raise ValueError
            key, at = _LEAP(self.text, at)
            at = self._blanks(self._behind(self._blanks(at), ":"))
            self._name(place, key, at)
            at = self._step(at, below(place, key), key_at)
        return at + 1

    def _list(self, at: int, place: str) -> int:
        at, index = self._blanks(at + 1), 0
        while self.text[at] != "]":
            at = self._step(at, below(place, index), None)
            index += 1
        return at + 1

    def _step(self, at: int, place: str, key_at: int | None) -> int:
        """Past one value and the comma behind it: through it if it leads to what is wanted, else over it."""
        folded = place.casefold()
        if _ENTRY.fullmatch(folded):
            self.entry = folded
        if folded in self._ways:
            self._found[place] = self._found[folded] = _Found(at, key_at)
            at = self._value(at, place)
        else:
            at = self._over(at, folded)
        at = self._blanks(at)
        return at if self.text[at] in "]}" else self._blanks(self._behind(at, ","))

    def _over(self, at: int, place: str) -> int:
        """Over a value; where it is broken, through it, so that what is broken is known by its name."""
        try:
            return _LEAP(self.text, at)[1]
        except (ValueError, StopIteration):
            return self._value(at, place)

    def _name(self, place: str, key: str, at: int) -> None:
        if _ENTRY.fullmatch(place.casefold()) is None:
            return
        what, named_by = _NAMED_BY[place.casefold().partition("[")[0]]
        if key.casefold() == named_by and self.text[at] == '"':
            self.names[place.casefold()] = f"{what} {shown(_LEAP(self.text, at)[0])}"

    def _blanks(self, at: int) -> int:
        match = _BLANKS.match(self.text, at)
        assert match, "it matches nothing too"
        return match.end()

    def _behind(self, at: int, mark: str) -> int:
        if self.text[at] != mark:
            raise ValueError
        return at + 1


def _ways_to(place: str) -> Iterator[str]:
    """`tasks`, `tasks[3]`, `tasks[3].env`: all that leads to a place, which is the last of them."""
    for mark in re.finditer(r"(?<=.)[.\[]", place):
        yield place[: mark.start()]
    yield place


def _lines(text: str, positions: Sequence[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    """Line and column of ascending positions, in one pass over the text."""
    line, before = 1, 0
    for position in positions:
        line += text.count("\n", before, position)
        before = position
        yield position, (line, position - text.rfind("\n", 0, position))
