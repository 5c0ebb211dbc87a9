"""Where the logs of a run go: a folder of its own, also when another database has a run of the same number."""

import errno
import os
from dataclasses import replace
from pathlib import Path

from mflow.cli.placing import place_apart
from mflow.core.contracts import Store
from mflow.core.errors import UsageError
from mflow.core.model import RunRow

OURS_TO_WRITE = 0o755
"""Mode of a run's folder, whatever the umask: who could write to it could take logs and outcomes away."""


_ANOTHER = "set log_directory in config.json to a folder that this user may write to"


def require_log_directory(path: str, *, make: bool = True) -> None:
    """Make the log directory, or see that it can be used. Raises UsageError: without logs nothing is started.

    Without `make` it is only seen whether it could be made.
    """
    try:
        _make_or_look(Path(path), make=make)
    except OSError as error:
        raise UsageError(
            f"the log directory {path} cannot be made: {error.strerror}", hint=_ANOTHER
        ) from error
    if (make or Path(path).exists()) and not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(f"the log directory {path} cannot be written to", hint=_ANOTHER)


def _make_or_look(path: Path, *, make: bool) -> None:
    if make:
        path.mkdir(parents=True, exist_ok=True)
        return
    there = next(one for one in (path, *path.parents) if os.path.lexists(one))
    if not there.is_dir():
        code = errno.EEXIST if there == path else errno.ENOTDIR
        raise OSError(code, os.strerror(code), str(there))
    if there != path and not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(there))


def make_run_folder(store: Store, run: RunRow, fence: int) -> RunRow:
    """Make the folder of a new run, exclusively; the run with the folder that it got.

    `run-<id>` may be there already: sites keep several databases over one log directory. A folder that also bears
    our own uid can only be one that we did not live to use.
    """
    if _make(run.folder, exist_ok=False):
        place_apart(run.folder)
        return run
    own = run if run.folder.endswith(run.uid[:8]) else replace(run, folder=f"{run.folder}-{run.uid[:8]}")
    _make(own.folder, exist_ok=True)
    store.set_folder(run.id, fence, own.folder)
    return own


def require_run_folder(store: Store, run: RunRow, fence: int) -> RunRow:
    """For a run of which nothing has begun: its supervisor may have died before the folder was made or made known."""
    from mflow.engine.evidence import is_marked

    return run if is_marked(run) else make_run_folder(store, run, fence)


def files_in(folder: str) -> tuple[str, ...]:
    """The names of what is in a run's folder; none if it has gone."""
    try:
        return tuple(path.name for path in Path(folder).iterdir())
    except OSError:
        return ()


def _make(path: str, *, exist_ok: bool) -> bool:
    """False if there is something of that name. Raises UsageError."""
    try:
        Path(path).mkdir(mode=OURS_TO_WRITE, parents=True, exist_ok=exist_ok)
    except FileExistsError:
        if not exist_ok:
            return False
        raise UsageError(f"the folder {path} for the run's logs cannot be made: it is a file") from None
    except OSError as error:
        raise UsageError(f"the folder {path} for the run's logs cannot be made: {error.strerror}") from error
    return True
