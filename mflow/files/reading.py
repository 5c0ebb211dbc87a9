"""A JSON file, read strictly: what json accepts beyond JSON, and what breaks things later, is refused by place.

The fast scanner of the standard library does the work. What it cannot place (a key twice, NaN) it leaves a
mark for, and only if there is a mark the whole document is walked to find where.
"""

import codecs
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from typing import Any

from mflow.core.errors import Problem
from mflow.files.comments import is_comment
from mflow.files.positions import broken_entry, line_and_column, located
from mflow.files.report import Report, below, printable

LARGEST_BYTES = 256 * 1024 * 1024

_DEEPEST = 100
_LONGEST_NUMBER = 40
_DOUBTFUL = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
"""An escape that may be a NUL or one half of a surrogate pair."""

_SAID = {
    "Expecting value": "a value is missing",
    "Expecting ',' delimiter": "a comma is missing",
    "Expecting ':' delimiter": "a colon is missing after a key",
    "Expecting property name enclosed in double quotes": "a key in double quotes is missing",
    "Extra data": "something stands behind the end",
    "Unterminated string starting at": "a string that begins here does not end",
    "Invalid control character at": "a line break or control character stands inside a string",
    "Invalid \\escape": "a backslash inside a string must be doubled",
    "Invalid \\uXXXX escape": "\\u must be followed by four hexadecimal digits",
}


class Unreadable(Exception):
    """Why a file could not be read, in words."""


def read_object(path: str, report: Report) -> dict[str, Any] | None:
    """The object that a JSON file holds; None (and the reasons in the report) if it holds none."""
    try:
        text = _decoded(read_bytes(path, LARGEST_BYTES), report)
    except Unreadable as error:
        report.error("", str(error))
        return None
    return None if text is None else parse_object(text, report)


def with_positions(problems: Sequence[Problem], path: str) -> list[Problem]:
    """The problems with their positions in the file, which is read once more to find them."""
    if all(problem.line or not problem.place for problem in problems):
        return list(problems)
    try:
        text = read_bytes(path, LARGEST_BYTES).removeprefix(codecs.BOM_UTF8).decode()
    except (Unreadable, UnicodeDecodeError):  # it has changed since
        return list(problems)
    return located(problems, text)


def read_bytes(path: str, largest: int) -> bytes:
    """The content of a regular file of at most `largest` bytes. Raises Unreadable."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        raise Unreadable(_why_not(error)) from error
    try:
        content = _content(descriptor, largest)
    except OSError as error:
        raise Unreadable(_why_not(error)) from error
    finally:
        os.close(descriptor)
    if len(content) > largest:
        raise Unreadable(f"is larger than {largest:,} bytes")
    return content


def _content(descriptor: int, largest: int) -> bytes:
    """What an open regular file holds, up to one byte more than `largest`."""
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        raise Unreadable("is a directory" if stat.S_ISDIR(mode) else "is not a regular file")
    with open(descriptor, "rb", closefd=False) as file:
        return file.read(largest + 1)


def _why_not(error: OSError | ValueError) -> str:
    match error:
        case FileNotFoundError() | NotADirectoryError():
            return "does not exist"
        case PermissionError():
            return "cannot be read: permission denied"
        case OSError():
            return f"cannot be read: {error.strerror}"
        case _:
            return "is not a file name"


def _decoded(content: bytes, report: Report) -> str | None:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        before = error.object[: error.start].decode()
        line, column = line_and_column(before, len(before))
        report.error_at(line, column, f"byte 0x{error.object[error.start]:02x} is not UTF-8")
        return None


# ----------------------------------------------------------------------------------------------- parsing


class _Doubled(dict[str, Any]):
    """An object in whose text some keys stood twice."""

    twice: tuple[str, ...] = ()


class _BadNumber:
    """Stands for a number that is none, or that no program can hold."""

    def __init__(self, text: str) -> None:
        self.text = text


class _Marks:
    """The hooks of the scanner, and whether any of them left a mark."""

    def __init__(self) -> None:
        self.left = False

    def object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        seen: set[str] = set()
        doubled = _Doubled(made)
        doubled.twice = tuple(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        self.left = True
        return doubled

    def whole(self, text: str) -> Any:
        return int(text) if len(text) <= _LONGEST_NUMBER else self.bad(text)

    def real(self, text: str) -> Any:
        number = float(text)
        return self.bad(text) if number in (float("inf"), float("-inf")) else number

    def bad(self, text: str) -> _BadNumber:
        self.left = True
        return _BadNumber(text)


def parse_object(text: str, report: Report) -> dict[str, Any] | None:
    """The object that a JSON text holds; None (and the reasons in the report) if it holds none."""
    if not text.strip():
        report.error("", "is empty")
        return None
    marks = _Marks()
    try:
        value = json.loads(
            text,
            object_pairs_hook=marks.object,
            parse_int=marks.whole,
            parse_float=marks.real,
            parse_constant=marks.bad,
        )
    except json.JSONDecodeError as error:
        _report_broken(text, error, report)
        return None
    except RecursionError:
        report.error("", "is nested too deep")
        return None
    return _checked(value, marks.left or ("\\u" in text and bool(_DOUBTFUL.search(text))), report)


def _checked(value: Any, marked: bool, report: Report) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        report.error("", "must hold an object: { ... }")
        return None
    if marked:
        for place, text, of_key in _marks_in(value):
            report.error(place, text, of_key=of_key)
    return None if report.failed else value


def _report_broken(text: str, error: json.JSONDecodeError, report: Report) -> None:
    position, said = error.pos, _SAID.get(error.msg, error.msg)
    comma = _comma_too_many(text, position)
    if comma is not None:
        position, said = comma, "a comma too many"
    report.error_at(*line_and_column(text, position), said, broken_entry(text))


def _comma_too_many(text: str, position: int) -> int | None:
    """Where the comma before a closing bracket is, if that is what is wrong. (Python 3.13 points at it itself.)"""
    if text[position : position + 1] == ",":
        return position if text[position + 1 :].lstrip()[:1] in {"}", "]"} else None
    before = text[:position].rstrip()
    return len(before) - 1 if text[position : position + 1] in {"}", "]"} and before.endswith(",") else None


# ---------------------------------------------------------------------------------------- finding marks


def _marks_in(document: Any) -> Iterator[tuple[str, str, bool]]:
    """Place and text of all that was marked, and whether it is of the key there; in the order of the document."""
    ahead: list[tuple[str, Any, int]] = [("", document, 0)]
    while ahead:
        place, value, depth = ahead.pop()
        if depth > _DEEPEST:
            yield place[:200], "is nested too deep", False
            return
        yield from _wrong_here(place, value)
        ahead += reversed([(inner, one, depth + 1) for inner, one in _inside(place, value)])


def _wrong_here(place: str, value: Any) -> Iterator[tuple[str, str, bool]]:
    match value:
        case _BadNumber():
            yield place, f"{printable(value.text)} is not a number that can be used here", False
        case str():
            yield from ((place, text, False) for text in _bad_characters(value))
        case dict():
            for key in value:
                yield from ((below(place, key), f"the key {text}", True) for text in _bad_characters(key))
            if isinstance(value, _Doubled):
                yield from (
                    (below(place, key), "the same key twice in one object", True)
                    for key in dict.fromkeys(value.twice)
                    if not is_comment(key)
                )


def _inside(place: str, value: Any) -> Iterator[tuple[str, Any]]:
    match value:
        case dict():
            yield from ((below(place, key), one) for key, one in value.items())
        case list():
            yield from ((below(place, index), one) for index, one in enumerate(value))


def _bad_characters(text: str) -> Iterator[str]:
    if "\0" in text:
        yield "holds a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in text):
        yield "holds one half of a surrogate pair (\\ud800 to \\udfff), which is no character"
