"""Finding out what became of attempts and supervisors: the facts that `core.recovery` decides by.

Looking is done in the order that module demands: worker, outcome file, log, sweep.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mflow.core.model import Identity, RunRow, TaskRow
from mflow.core.names import attempt_token
from mflow.core.recovery import SECURED_LINK, Decision, Evidence, LogTrace, Secure, Sweep, decide
from mflow.engine.hunt import Hunt
from mflow.engine.identity import is_alive, own_identity
from mflow.engine.outcome_file import KeptOutcome, any_trace, fallback_path, outcome_path, read_outcome
from mflow.engine.pool import own_servers

SWEEP_SECONDS = 3.0
"""How long a sweep may wait for killed processes to be gone."""


def fallback_folder(run_uid: str) -> str:
    """Where logs and outcomes of a run go when its folder cannot be had; the same for every supervisor."""
    return f"/var/tmp/mflow-{run_uid}"  # noqa: S108  (its owner and mode are checked before use)


def mark_folder(run: RunRow) -> None:
    """Leave a mark in the run's new folder: where it is missing, a missing log proves nothing. Raises OSError."""
    _mark(run).touch(exist_ok=True)


def is_marked(run: RunRow) -> bool:
    """Whether the folder is this run's own, as it was made."""
    return _mark(run).exists()


def settle(run: RunRow, row: TaskRow, spare: Iterable[int] = ()) -> tuple[Decision, Evidence]:
    """Decide about one attempt nobody watched, doing what the decision asks for on the way.

    `spare`: pids below this process that a sweep must leave alone.
    """
    evidence = look(run, row)
    while True:
        decision = decide(row, evidence)
        if isinstance(decision, Secure):
            secure(row)
            evidence = look(run, row)
        elif isinstance(decision, Sweep):
            evidence = replace(evidence, survivors=sweep(run, row, spare))
        else:
            return decision, evidence


def look(run: RunRow, row: TaskRow) -> Evidence:
    """What can be seen of the last attempt of a row."""
    here, worker = own_identity(), row.worker
    alive = is_alive(worker) if worker is not None and worker.same_kernel(here) else None
    if worker is None or row.log is None:
        return Evidence(here, alive, None, _log_trace(run, row))
    kept, without = _kept_outcome(run, row, worker, row.log)
    if kept is None and _is_withheld(run, row.log):
        alive = None
    return Evidence(here, alive, kept.end if kept else None, _log_trace(run, row), without=without)


def _kept_outcome(run: RunRow, row: TaskRow, worker: Identity, log: str) -> tuple[KeptOutcome | None, str]:
    return read_outcome(
        log,
        fallback_folder=fallback_folder(run.uid),
        run_uid=run.uid,
        task_no=row.task_no,
        attempt=row.attempts,
        worker=worker,
    )


def _is_withheld(run: RunRow, log: str) -> bool:
    """Whether there may be an outcome that this user may not read: then its worker's death proves no loss."""
    path = outcome_path(log)
    return any(_is_unreadable(each) for each in (path, fallback_path(path, fallback_folder(run.uid))))


def _is_unreadable(path: str) -> bool:
    try:
        os.lstat(path)
    except PermissionError:
        return True
    except OSError:
        return False
    return not os.access(path, os.R_OK)


def secure(row: TaskRow) -> None:
    """Take the name of a log whose attempt has not begun, so that it never can; or find that it has."""
    with suppress(FileExistsError):
        if row.log is not None:
            os.symlink(SECURED_LINK, row.log)


def sweep(run: RunRow, row: TaskRow, spare: Iterable[int] = ()) -> tuple[int, ...]:
    """Kill every process of an attempt whose worker is dead; the pids that were still there in the end.

    Our other children are spared: multiprocessing's servers, and workers that landed here when their fork server
    died.
    """
    token = attempt_token(run.uid, row.task_no, row.attempts)
    logs = (row.log, fallback_path(row.log, fallback_folder(run.uid))) if row.log else ()
    return Hunt(token, own_servers().union(spare), logs).until(SWEEP_SECONDS)


def _log_trace(run: RunRow, row: TaskRow) -> LogTrace:
    if row.log is None:
        return LogTrace.UNPROVEN
    try:
        with suppress(OSError):
            if os.readlink(row.log) == SECURED_LINK:
                return LogTrace.SECURED
        if any_trace(row.log, fallback_folder=fallback_folder(run.uid)):
            return LogTrace.FOUND
        return LogTrace.ABSENT if is_marked(run) else LogTrace.UNPROVEN
    except OSError:
        return LogTrace.UNPROVEN


def _mark(run: RunRow) -> Path:
    return Path(run.folder) / f".run-{run.uid}"
