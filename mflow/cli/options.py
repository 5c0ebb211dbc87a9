"""The options and arguments that several commands share."""

from typing import Annotated

import typer

ConfigOption = Annotated[
    str | None,
    typer.Option(
        "--config", metavar="FILE", help="config.json to use, instead of the one that is looked for."
    ),
]
TaskfileOption = Annotated[
    str | None,
    typer.Option(
        "--taskfile", metavar="FILE", help="Task file to use, instead of the tasks.json looked for."
    ),
]
DatasourcesOption = Annotated[
    str | None,
    typer.Option("--datasources", metavar="FILE", help="oracle.json to use, instead of the one looked for."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option("--database", metavar="URL", help="State database, as a SQLAlchemy URL without a password."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]

RunArgument = Annotated[str, typer.Argument(metavar="RUN", help="Number of the run.", show_default=False)]
OptionalRunArgument = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Number of the run; without it the newest.")
]

_LARGEST_ID = 2**63 - 1


def run_number(text: str) -> int:
    """RUN as a number that a database can hold. Raises UsageError."""
    if text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= _LARGEST_ID:
        return int(text)
    from mflow.core.errors import UsageError

    raise UsageError(f'"{text}" is not the number of a run', hint="mflow runs lists them")
