"""Finding out what became of attempts and supervisors: the facts that `core.recovery` decides by.

Looking is done in the order that module demands: worker, outcome file, log, sweep.
"""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from mflow.core.model import RunRow, TaskRow
from mflow.core.names import attempt_token
from mflow.core.recovery import (
    SECURED_LINK,
    Adopt,
    Decision,
    Evidence,
    LogTrace,
    Secure,
    Stays,
    Sweep,
    decide,
)
from mflow.core.states import TaskState
from mflow.engine.hunt import Hunt
from mflow.engine.identity import is_alive, own_identity
from mflow.engine.outcome_file import any_trace, fallback_path, look_for_outcome, sync_folder
from mflow.engine.pool import own_servers
from mflow.engine.provenance import (
    Foreign,
    Writers,
    folders_like,
    is_theirs,
    only_theirs_to_write,
    read_own,
    writers,
)

SWEEP_SECONDS = 3.0
"""How long a sweep may wait for killed processes to be gone."""


def fallback_folder(run_uid: str) -> str:
    """Where logs and outcomes of a run go when its folder cannot be had; the same for every supervisor."""
    return f"/var/tmp/mflow-{run_uid}"  # noqa: S108  (its owner and mode are checked before use)


def mark_folder(run: RunRow) -> None:
    """Leave a mark in the run's new folder: where it is missing (a full disk), a missing log proves nothing."""
    with suppress(OSError):
        os.close(os.open(_mark(run), os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))


def is_marked(run: RunRow) -> bool:
    """Whether the folder is this run's own, as it was made: nobody else could have taken a log away."""
    try:
        return read_own(_mark(run), writers(run.folder), 0) == b"" and only_theirs_to_write(run.folder)
    except (OSError, ValueError, Foreign):
        return False


def settle(run: RunRow, row: TaskRow, spare: Iterable[int] = ()) -> tuple[Decision, Evidence]:
    """Decide about one attempt nobody watched, doing what the decision asks for on the way.

    `spare`: pids below this process that a sweep must leave alone.
    """
    evidence = look(run, row)
    while True:
        decision = decide(row, evidence)
        if isinstance(decision, Secure):
            try:
                secure(row)
            except (
                OSError
            ) as error:  # a full disk: its worker still lives, and will tell, or leave without a log
                return _watched(row, error), evidence
            evidence = look(run, row)
        elif isinstance(decision, Sweep):
            evidence = replace(evidence, survivors=sweep(run, row, spare))
        else:
            return decision, evidence


def _watched(row: TaskRow, error: OSError) -> Decision:
    """What is not secured may still begin: it is watched like what has begun, until its worker ends."""
    text = f"has not begun, but may: its log's name cannot be taken ({error.strerror})"
    return Adopt(text) if row.state is TaskState.RUNNING else Stays(f"{text}: resume again")


def look(run: RunRow, row: TaskRow) -> Evidence:
    """What can be seen of the last attempt of a row."""
    here, worker = own_identity(), row.worker
    alive = is_alive(worker) if worker is not None and worker.same_kernel(here) else None
    if worker is None or row.log is None:
        return Evidence(here, alive, None, _log_trace(run, row, writers(run.folder)))
    allowed = writers(os.path.dirname(row.log), worker.pid if alive else None)
    found = look_for_outcome(
        row.log,
        fallback_folder=fallback_folder(run.uid),
        run_uid=run.uid,
        task_no=row.task_no,
        attempt=row.attempts,
        worker=worker,
        allowed=allowed,
    )
    return Evidence(
        here,
        alive,
        found.kept.end if found.kept else None,
        _log_trace(run, row, allowed),
        without=found.without,
        withheld=found.withheld,
        foreign=found.foreign,
    )


def secure(row: TaskRow) -> None:
    """Take the name of a log whose attempt has not begun, so that it never can; or find that it has."""
    if row.log is None:
        return
    with suppress(FileExistsError):
        os.symlink(SECURED_LINK, row.log)
        sync_folder(
            os.path.dirname(row.log)
        )  # or a power failure leaves the worker's refusal without its reason


def sweep(run: RunRow, row: TaskRow, spare: Iterable[int] = ()) -> tuple[int, ...]:
    """Kill every process of an attempt whose worker is dead; the pids that were still there in the end.

    Our other children are spared: multiprocessing's servers, and workers that landed here when their fork server
    died.
    """
    token = attempt_token(run.uid, row.task_no, row.attempts)
    own, _ = folders_like(fallback_folder(run.uid), writers(run.folder))
    logs = [row.log, *(fallback_path(row.log, folder) for folder in own)] if row.log else []
    if row.output:
        logs.append(row.output)
    return Hunt(token, own_servers().union(spare), logs).until(SWEEP_SECONDS)


def _log_trace(run: RunRow, row: TaskRow, allowed: Writers) -> LogTrace:
    if row.log is None:
        return LogTrace.UNPROVEN
    try:
        with suppress(OSError):
            if os.readlink(row.log) == SECURED_LINK and is_theirs(row.log, allowed):
                return LogTrace.SECURED
        if any_trace(row.log, fallback_folder=fallback_folder(run.uid), allowed=allowed):
            return LogTrace.FOUND
        return LogTrace.ABSENT if is_marked(run) else LogTrace.UNPROVEN
    except OSError:
        return LogTrace.UNPROVEN


def _mark(run: RunRow) -> str:
    return os.path.join(run.folder, f".run-{run.uid}")
