"""The entry point: which command is meant, with as little loaded as it needs."""

import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.core

from mflow import __version__
from mflow.cli.boundary import guarded

COMMANDS = ("run", "resume", "status", "runs", "logs", "cancel", "validate", "db", "schema")
"""Each is a module here of the same name; its function of that name (or its `app`) is the command."""

_OWN_OPTIONS = ("--help", "-h", "--version")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run mflow with the arguments of this process, or these; its exit code."""
    gc.set_threshold(100_000, 10, 10)  # what is imported and read is no garbage: looked for more rarely
    _open_standard_streams()
    words = list(sys.argv[1:] if arguments is None else arguments)
    if words[:1] == ["--version"]:
        return guarded(_show_version)
    if not words or (words[0].startswith("-") and words[0] not in _OWN_OPTIONS):
        words.insert(0, "run")  # plain `mflow`, as its origin is called
    return guarded(lambda: _command_line(words[0]).main(words, prog_name="mflow", standalone_mode=False))


def _open_standard_streams() -> None:
    """A stream closed by the caller (`>&-`) must not lend its number to the database file."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  for good
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _command_line(first: str) -> typer.core.TyperGroup:
    """The commands; only the one that is called, if one is."""
    app = typer.Typer(
        help="Runs a graph of tasks, keeps every task's state in a database, and can always be resumed.",
        epilog="Plain `mflow` is `mflow run`.",
        callback=_own_options,
        no_args_is_help=False,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["--help", "-h"]},
    )
    for name in (first,) if first in COMMANDS else COMMANDS:
        _add(app, name)
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group


def _add(app: typer.Typer, name: str) -> None:
    module = importlib.import_module(f"mflow.cli.{name}")
    if hasattr(module, "app"):
        app.add_typer(module.app, name=name)
    else:
        app.command(name)(getattr(module, name))


def _own_options(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Options of mflow itself: `--version` alone is answered before this is asked."""


def _show_version() -> None:
    print(f"mflow {__version__}")
