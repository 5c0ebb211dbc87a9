"""How the values of a spark task's keys are read: pairs, parameters, yes and no."""

import shlex
from collections.abc import Mapping
from typing import Any

_YES = frozenset({"yes", "true", "on", "1", "y"})


def is_yes(value: Any) -> bool:
    """The origin writes `"yes"`; JSON's true is as good."""
    return value is True or str(value).strip().lower() in _YES


def pairs_of(value: Any) -> tuple[tuple[str, str], ...]:
    """`[{"key": k, "value": v}]`, `[[k, v]]` and `{k: v}` alike. Numbers and truths as JSON writes them."""
    if not value:
        return ()
    if isinstance(value, Mapping):
        return tuple((str(key), _text(one)) for key, one in value.items())
    return tuple(_pair(entry) for entry in value)


def words_of(value: Any) -> tuple[str, ...]:
    """`[{"parameter": "--day 3"}]`: each is split as a shell would, as one the origin's files may hold several
    words. What comes as plain texts was split already. Raises ValueError for an open quote.
    """
    words: list[str] = []
    for entry in value or ():
        if isinstance(entry, Mapping):
            words.extend(_split(_text(entry.get("parameter", ""))))
        else:
            words.append(_text(entry))
    return tuple(words)


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise ValueError(f"parameters: {str(error).lower()}: {text!r}") from error


def _pair(entry: Any) -> tuple[str, str]:
    if isinstance(entry, Mapping):
        return str(entry["key"]), _text(entry["value"])
    key, value = entry
    return str(key), _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
