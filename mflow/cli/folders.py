"""Where the logs of a run go: a folder of its own, also when another database has a run of the same number."""

import os
from dataclasses import replace
from pathlib import Path

from mflow.core.contracts import Store
from mflow.core.errors import UsageError
from mflow.core.model import RunRow


def require_log_directory(path: str) -> None:
    """Make the log directory, or see that it can be used. Raises UsageError: without logs nothing is started."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"the log directory {path} cannot be made: {error.strerror}",
            hint="set log_directory in config.json to a folder that this user may write to",
        ) from error
    if not os.access(path, os.W_OK | os.X_OK):
        raise UsageError(
            f"the log directory {path} cannot be written to",
            hint="set log_directory in config.json to a folder that this user may write to",
        )


def make_run_folder(store: Store, run: RunRow, fence: int) -> RunRow:
    """Make the folder of a new run, exclusively; the run with the folder that it got.

    `run-<id>` may be there already: sites keep several databases over one log directory.
    """
    for path in (run.folder, f"{run.folder}-{run.uid[:8]}"):
        try:
            Path(path).mkdir(parents=True)
        except FileExistsError:
            continue
        except OSError as error:
            raise UsageError(
                f"the folder {path} for the run's logs cannot be made: {error.strerror}"
            ) from error
        if path != run.folder:
            store.set_folder(run.id, fence, path)
        return replace(run, folder=path)
    raise UsageError(f"the folders {run.folder} and {run.folder}-{run.uid[:8]} are there already")
