"""The commands a person is told to type next, with the options that lead to the same database."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from mflow.cli.wording import clean

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_]*")  # what a shell takes before a command; `env` takes others too


@dataclass(frozen=True, slots=True)
class Commands:
    """Writes commands for the shell; `options` are those of the present command that others need too."""

    options: tuple[str, ...] = ()

    def of(self, command: str, *words: object) -> str:
        """`mflow logs 7 extract --follow`, quoted for a shell, and printable whatever the words are.

        Options come last, unless a word looks like one.
        """
        positional = [str(word) for word in words]
        name = [word for word in command.split() if not word.startswith("-")]
        options = [word for word in command.split() if word.startswith("-")] + list(self.options)
        if any(word.startswith("-") for word in positional):
            written = [*options, "--", *positional]
        else:
            written = [*positional, *options]
        return " ".join(map(_quoted, ["mflow", *name, *written]))

    def with_variables(self, values: Mapping[str, str | None], command: str, *words: object) -> str:
        """`DAY=1 mflow resume 7`, these variables set for it; `...` is written for a value that is not known."""
        set_ = [
            f"{_quoted(name)}={'...' if value is None else _quoted(value)}" for name, value in values.items()
        ]
        by = [] if all(map(_NAME.fullmatch, values)) else ["env"]
        return " ".join([*by, *set_, self.of(command, *words)])


def _quoted(word: str) -> str:
    """The word for bash: what cannot be seen in its `$'...'` form."""
    if word.isprintable():
        return shlex.quote(word)
    return "$'" + clean(word.replace("\\", "\\\\").replace("'", "\\'")) + "'"
