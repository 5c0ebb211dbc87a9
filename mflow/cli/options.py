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

_LARGEST_ID = 2**63 - 1

RunArgument = Annotated[
    int, typer.Argument(metavar="RUN", min=1, max=_LARGEST_ID, help="Number of the run.", show_default=False)
]
OptionalRunArgument = Annotated[
    int | None,
    typer.Argument(
        metavar="[RUN]", min=1, max=_LARGEST_ID, help="Number of the run.", show_default="the newest"
    ),
]
