"""`$VAR` and `${VAR}` in the values of `env`. Pure.

`$$` is one `$`. Everything else stays as it stands: `$5`, `$(date)`, `${VAR:-x}` and a `$` at the end are not
variables of mflow. A variable that is not known is empty, and is told.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

_VARIABLE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<plain>[A-Za-z_][A-Za-z0-9_]*)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)\})"
)


@dataclass(frozen=True, slots=True)
class Expanded:
    """The variables with their final values, and what was not known: (position of the variable, name)."""

    env: tuple[tuple[str, str], ...]
    unknown: tuple[tuple[int, str], ...]
    taken: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """(variable, name) of all that was looked up in what was known before, found or not."""


def expand_env(pairs: Iterable[tuple[str, str]], known: Mapping[str, str]) -> Expanded:
    """Expand variables in their order, each seeing `known` and those before it."""
    env: dict[str, str] = {}
    unknown: list[tuple[int, str]] = []
    taken: list[tuple[str, str]] = []
    for position, (key, value) in enumerate(pairs):
        if "$" not in value:
            env[key] = value
            continue
        names: list[str] = []
        env[key] = _expand(value, env, known, names)
        taken += [(key, name) for name in names]
        unknown += [(position, name) for name in names if name not in known]
    return Expanded(tuple(env.items()), tuple(unknown), tuple(taken))


def _expand(value: str, own: Mapping[str, str], known: Mapping[str, str], taken: list[str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match["dollar"]:
            return "$"
        name = match["plain"] or match["braced"]
        if name in own:
            return own[name]
        taken.append(name)
        return known.get(name, "")

    return _VARIABLE.sub(replacement, value)
