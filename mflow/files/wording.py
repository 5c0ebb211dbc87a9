"""pydantic's findings in words for operators: by place, with the offending value, but never a secret."""

import re
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from mflow.core.secrets import looks_secret
from mflow.core.suggest import did_you_mean
from mflow.files.report import Report, below, shown

Path = tuple[int | str, ...]

_HIDDEN = frozenset({"value", "connection_string", "database"})
"""Keys whose values may hold a secret though their names do not tell."""

_SAID = {
    "string_type": "must be text in quotes",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_type": "must be yes or no",
    "bool_parsing": "must be yes or no",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "greater_than_equal": "must be at least {ge:.12g}",
    "greater_than": "must be more than {gt:.12g}",
    "less_than_equal": "must be at most {le:.12g}",
}

_SAID_ALONE = {
    "string_too_short": "must not be empty",
    "string_too_long": "must not be longer than {max_length} characters",
    "string_pattern_mismatch": "must not hold control characters",
}
"""Where the value itself would not help to see what is wrong."""


def report_invalid(error: ValidationError, raw: Any, place: str, report: Report) -> None:
    """Report everything that a model found wrong with `raw`, which stands at `place`."""
    for details in error.errors(include_url=False):
        path = details["loc"]
        if details["type"] == "missing":
            report.error(place_of(path[:-1], raw, place), f'the key "{path[-1]}" is missing')
        else:
            report.error(place_of(path, raw, place), _text(details, path, raw))


def place_of(path: Path, raw: Any, place: str) -> str:
    """Where `path` leads to. Pairs that were given as an object are named by their key."""
    for step in path:
        if step == "[key]":
            return place  # pydantic's word for the key itself, which is the last step already
        if isinstance(raw, dict) and isinstance(step, int):
            key = list(raw)[step]
            return below(place, key)
        place = below(place, step)
        raw = _step(raw, step)
    return place


def _text(details: ErrorDetails, path: Path, raw: Any) -> str:
    context, kind = details.get("ctx", {}), details["type"]
    if kind in _SAID_ALONE:
        return _SAID_ALONE[kind].format(**context)
    value = _value_at(path, raw)
    if kind in {"literal_error", "enum"}:
        return _must_be_one_of(str(context["expected"]), value)
    text = (
        str(context["error"]) if kind == "value_error" else _SAID.get(kind, details["msg"]).format(**context)
    )
    if not text.startswith("must be ") or _is_hidden(path) or isinstance(value, _Nothing):
        return text
    return f"{text}, not {shown(value)}"


def _must_be_one_of(expected: str, value: Any) -> str:
    names = re.findall(r"'([^']*)'", expected)
    meant = did_you_mean(value, names) if isinstance(value, str) else ""
    quoted = " or ".join(f'"{name}"' for name in names)
    return f"must be {quoted}, not {shown(value)}{meant}"


def _is_hidden(path: Path) -> bool:
    return any(isinstance(step, str) and (step in _HIDDEN or looks_secret(step)) for step in path)


class _Nothing:
    """There is no value at a path."""


def _value_at(path: Path, raw: Any) -> Any:
    for step in path:
        raw = _step(raw, step)
    return raw if path else _Nothing()


def _step(raw: Any, step: int | str) -> Any:
    match raw:
        case dict() if step in raw:
            return raw[step]
        case list() if isinstance(step, int) and step < len(raw):
            return raw[step]
        case _:
            return _Nothing()
