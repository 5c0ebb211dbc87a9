"""Creating the file of an attempt's output: before anything starts, and never one that was there."""

import os
from contextlib import suppress

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine.lacks import is_lack
from mflow.engine.outcome_file import fallback_path
from mflow.engine.provenance import make_folder_like

_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND


def create_log(log: str, fallback_folder: str) -> tuple[int, str]:
    """Create the log, its folder too if that has vanished, or else one in the fallback folder.

    Returns a descriptor open for appending, and the path. Raises FileExistsError if the name is taken, be it by a
    link to nowhere: then the attempt has begun before, or somebody made sure that it never will. Raises OSError if
    the log can be had in neither place; its `errno` is that of a lack if waiting may help in either.
    """
    try:
        return _create(log), log
    except FileExistsError:
        raise
    except OSError as error:
        first = error
    if _make_folder(os.path.dirname(log)):
        with suppress(PermissionError, FileNotFoundError):
            return _create(log), log
    try:
        return _create_in_fallback(log, fallback_folder)
    except FileExistsError:
        raise
    except OSError as error:
        number = first.errno if is_lack(first) else error.errno
        said = f"no log: {log}: {first.strerror}; {fallback_folder}: {error.strerror or error}"
        raise OSError(number, said) from None


def without_log(log: str, error: OSError) -> AttemptEnd:
    """The end of an attempt whose log could not be created."""
    if isinstance(error, FileExistsError):
        message = (
            f"cannot start: the log {log} is there already: nothing may run under another attempt's name"
        )
    else:
        message = f"cannot start: {error.strerror}"
    return AttemptEnd(Outcome.NOT_STARTED, message=message)


def remove_log(log: str) -> bool:
    """Remove a log whose attempt has not begun after all: its number may be used again. False if it is still there."""
    try:
        os.unlink(log)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _create_in_fallback(log: str, fallback_folder: str) -> tuple[int, str]:
    path = fallback_path(log, make_folder_like(fallback_folder))
    return _create(path), path


def _create(path: str) -> int:
    return os.open(path, _FLAGS, 0o666)


def _make_folder(folder: str) -> bool:
    with suppress(OSError):
        os.makedirs(folder, mode=0o755, exist_ok=True)
        return True
    return False
