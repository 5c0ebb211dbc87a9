"""`$VAR` and `${VAR}` in the values of `env`. Pure.

`$$` is one `$`. Everything else stays as it stands: `$5`, `$(date)`, `${VAR:-x}` and a `$` at the end are not
variables of mflow. A variable that is not known is empty, and is told.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})"
)


@dataclass(frozen=True, slots=True)
class Expanded:
    """The variables with their final values, and what was not known: (position of the variable, name)."""

    env: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[int, str], ...]


def expand_env(pairs: Iterable[tuple[str, str]], known: Mapping[str, str]) -> Expanded:
    """Expand variables in their order, each seeing `known` and those before it."""
    env: dict[str, str] = {}
    unknown: list[tuple[int, str]] = []
    for position, (key, value) in enumerate(pairs):
        env[key] = _expand(value, (env, known), position, unknown) if "$" in value else value
    return Expanded(tuple(env.items()), tuple(unknown))


def _expand(
    value: str, scopes: tuple[Mapping[str, str], ...], position: int, unknown: list[tuple[int, str]]
) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["plain"] or match["braced"]
        for scope in scopes:
            if name in scope:
                return scope[name]
        unknown.append((position, name))
        return ""

    return _VARIABLE.sub(replacement, value)
