"""Finding out what became of attempts and supervisors: the facts that `core.recovery` decides by.

Looking is done in the order that module demands: worker, its hold of the log, outcome file, log, sweep.
"""

import os
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from math import inf

from mflow.core.holders import Attempt
from mflow.core.model import Identity, RunRow, TaskRow
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
    Swept,
    decide,
)
from mflow.core.states import TaskState
from mflow.engine import procfs
from mflow.engine.attempt_log import noted_token
from mflow.engine.clock import boot_seconds
from mflow.engine.family import Family
from mflow.engine.hunt import Hunt
from mflow.engine.identity import is_alive, own_identity
from mflow.engine.outcome_file import any_trace, look_for_outcome, sync_folder
from mflow.engine.provenance import (
    Foreign,
    Writers,
    folders_like,
    is_theirs,
    only_theirs_to_write,
    read_own,
    writers,
)
from mflow.engine.trail import trail_of

SWEEP_SECONDS = 3.0
"""How long a sweep may wait for killed processes to be gone."""

SETTING_SECONDS = 600.0
"""So far the wall clock may have been set since an end: a process that started later than that is another."""


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


def settle(
    run: RunRow,
    rows: Iterable[TaskRow],
    family: Family,
    *,
    adopted: Collection[Attempt] = (),
    ours: bool = False,
) -> Iterator[tuple[TaskRow, Decision, Evidence]]:
    """Decide about attempts, doing what a decision asks for on the way; one sweep serves them all.

    `family`: the children of this process. `adopted`: attempts that this process has seen to run. `ours`: the workers
    were started by this process: what they leave lands here.
    """
    seen = [
        (row, *_look_and_secure(run, row, adopted=(row.task_no, row.attempts) in adopted)) for row in rows
    ]
    to_sweep = [row for row, decision, _ in seen if isinstance(decision, Sweep)]
    swept = sweep(run, to_sweep, family, ours=ours) if to_sweep else {}
    for row, decision, evidence in seen:
        if found := swept.get((row.task_no, row.attempts)):
            after = replace(evidence, swept=found, named=_named(row, evidence.here))
            yield row, decide(row, after), evidence
        else:
            yield row, decision, evidence


def _look_and_secure(run: RunRow, row: TaskRow, *, adopted: bool) -> tuple[Decision, Evidence]:
    while True:
        evidence = replace(look(run, row), adopted=adopted)
        decision = decide(row, evidence)
        if not isinstance(decision, Secure):
            return decision, evidence
        try:
            secure(row)
        except OSError as error:  # a full disk: its worker still lives, and will tell, or leave without a log
            return _watched(row, error), evidence


def _watched(row: TaskRow, error: OSError) -> Decision:
    """What is not secured may still begin: it is watched like what has begun, until its worker ends."""
    text = f"has not begun, but may: its log's name cannot be taken ({error.strerror})"
    return Adopt(text, began=False) if row.state is TaskState.RUNNING else Stays(f"{text}: resume again")


def look(run: RunRow, row: TaskRow) -> Evidence:
    """What can be seen of the last attempt of a row, in the order that `core.recovery` demands."""
    here, worker = own_identity(), row.worker
    alive = is_alive(worker) if worker is not None and worker.same_kernel(here) else None
    if worker is None or row.log is None:
        return Evidence(here, alive, None, _log_trace(run, row, writers(run.folder)))
    allowed = writers(os.path.dirname(row.log), worker.pid if alive else None)
    holds = _holds_log(worker, run, row, row.log) if alive else None
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
        holds,
        without=found.without,
        withheld=found.withheld,
        foreign=found.foreign,
    )


def _named(row: TaskRow, here: Identity) -> tuple[int, ...]:
    """Of the pids that the row's end names, those that are there and may be the same process."""
    if row.end is None or row.worker is None or not row.worker.same_kernel(here):
        return ()
    latest = inf
    if row.end.ended_at is not None:
        up = row.end.ended_at.timestamp() - time.time() + boot_seconds()
        latest = (up + SETTING_SECONDS) * procfs.TICKS_PER_SECOND
    return tuple(pid for pid in row.end.survivors if _is_from_before(pid, latest))


def _is_from_before(pid: int, latest: float) -> bool:
    found = procfs.read_stat(pid)
    if found is None:
        return procfs.is_hidden(pid)
    return found.lives and found.start_ticks <= latest


def _holds_log(worker: Identity, run: RunRow, row: TaskRow, log: str) -> bool | None:
    """Whether a living worker has the log open, also deleted, renamed or in another folder; None if it is not clear.

    A worker serves one run, in which the names of logs are unique. Beside its logs and outcome files it has no file
    open: one that is neither in place nor says whose it is may be a log that was renamed.
    """
    token = attempt_token(run.uid, row.task_no, row.attempts).encode()
    names = (os.path.basename(log), f"{os.path.basename(log)} (deleted)")
    nameless = False
    try:
        for number, path in procfs.written_files(worker.pid):
            noted = noted_token(worker.pid, number, path)
            if noted == token or os.path.basename(path) in names:
                return True
            nameless = nameless or (noted is None and _is_file(path) and not path.endswith(".log"))
    except OSError:
        return None
    if nameless:
        return None
    has_files = os.path.lexists(f"/proc/{worker.pid}/fd/0")  # else it was dying at that look, or is dead
    return False if has_files and is_alive(worker) else None


def _is_file(path: str) -> bool:
    return path.startswith("/") and not path.startswith(("/dev/", "/proc/", "/memfd:"))


def secure(row: TaskRow) -> None:
    """Take the name of a log whose attempt has not begun, so that it never can; or find that it has."""
    if row.log is None:
        return
    with suppress(FileExistsError):
        os.symlink(SECURED_LINK, row.log)
        sync_folder(
            os.path.dirname(row.log)
        )  # or a power failure leaves the worker's refusal without its reason


def sweep(run: RunRow, rows: Sequence[TaskRow], family: Family, *, ours: bool) -> dict[Attempt, Swept]:
    """Kill every process of attempts whose workers are dead; what was found of each."""
    own, _ = folders_like(fallback_folder(run.uid), writers(run.folder))
    trails = [trail_of(run, row, own) for row in rows]
    return Hunt(run.uid, trails, family, ours=ours).until(SWEEP_SECONDS)


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
