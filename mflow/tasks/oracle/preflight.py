"""What can be told about an oracle task before anything runs; the database is not asked."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from mflow.tasks.oracle.plan import read_binds, read_steps


def preflight(
    options: Mapping[str, Any],
    environ: Mapping[str, str],
    cwd: str,
    *,
    here: bool = True,
    after: bool = False,
) -> list[str]:
    """The problems of one task, each a line that begins with its key.

    With `here` false only what is wrong on any host: variables and access to files may differ there, what a script says
    does not. With `after` a script is not looked at: a task before this one may make it.
    """
    found = _binds(options, environ) if here else []
    if after and options.get("script") is not None:
        return found
    return [*found, *_steps(options, cwd, here=here)]


def _steps(options: Mapping[str, Any], cwd: str, *, here: bool) -> list[str]:
    key = "command" if options.get("script") is None else "script"
    try:
        with suppress(FileNotFoundError):  # it may be made by what mflow does not know
            read_steps(options, cwd)
    except OSError as error:
        return [f"{key}: {error.strerror}: {error.filename}"] if here else []
    except ValueError as error:
        return [f"{key}: {line}" for line in str(error).splitlines()]
    return []


def _binds(options: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    try:
        read_binds(options, environ)
    except ValueError as error:
        return [str(error)]
    return []
