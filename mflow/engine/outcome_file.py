"""How an attempt ended, in a file beside its log: kept by a worker whose supervisor does not answer, or is gone.

The file is whole or absent: written under another name, fsynced, renamed, and its folder fsynced. It counts only
for the attempt, run and worker it names, and only if nobody else can have written it (`provenance`): it is written
where that can be told, and read so. What is read may be damaged: reading never raises.
"""

import json
import math
import os
from collections.abc import Container, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from mflow.core.model import AttemptEnd, Identity
from mflow.core.states import Outcome
from mflow.engine.provenance import (
    Doubtful,
    Foreign,
    Writers,
    folder_of,
    folders_like,
    is_withheld,
    make_folder_like,
    read_own,
    require_own,
    writers,
)

_LOG, _OUTCOME, _UNFINISHED = ".log", ".outcome", ".outcome.new"
_LONGEST = 1 << 20  # bytes; a real one has some hundred
_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class KeptOutcome:
    """What the file says: which attempt of which run was executed by which worker, and how it ended."""

    run_uid: str
    task_no: int
    attempt: int
    worker: Identity
    end: AttemptEnd
    facts: Mapping[str, Any] = field(default_factory=dict)  # recorded by the task type, the latest of each


def outcome_path(log: str) -> str:
    """Where the outcome of the attempt with this log is kept."""
    return log.removesuffix(_LOG) + _OUTCOME


def fallback_path(path: str, fallback_folder: str) -> str:
    """Where a log or outcome is when it could not be had at `path`."""
    return os.path.join(fallback_folder, os.path.basename(path))


@dataclass(frozen=True, slots=True)
class Found:
    """What looking for the outcome of one attempt has shown."""

    kept: KeptOutcome | None
    without: str  # for a person: why there is none
    foreign: tuple[str, ...] = ()  # for a person: what others have put where it could have been
    withheld: str = (
        ""  # for a person: why one that may be there cannot be used; then nothing proves that there is none
    )


def write_outcome(log: str, kept: KeptOutcome, *, fallback_folder: str, log_is_ours: bool = True) -> str:
    """Write the file beside the log (making the folder again if it vanished) or else into the fallback folder.

    If the log is not ours, nor is the name beside it: then into the fallback folder. There, too, goes what could not
    be told from another user's work beside the log. Returns the file's path. Raises OSError if it can be had nowhere.
    """
    text = json.dumps(_to_json(kept), ensure_ascii=True).encode("ascii")
    path = outcome_path(log)
    if log_is_ours:
        with suppress(OSError, Foreign):
            os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
            _write_whole(path, text)
            return path
    path = fallback_path(path, make_folder_like(fallback_folder))
    try:
        _write_whole(path, text)
    except Foreign as error:
        raise OSError(str(error)) from error
    return path


def look_for_outcome(
    log: str,
    *,
    fallback_folder: str,
    run_uid: str,
    task_no: int,
    attempt: int,
    worker: Identity,
    allowed: Writers,
) -> Found:
    """The outcome of exactly this attempt by this worker, written by one of the `allowed`. Never raises."""
    own, foreign = folders_like(fallback_folder, allowed)
    reasons, withheld = list(foreign), ""
    beside = outcome_path(log)
    for path in (beside, *(fallback_path(beside, folder) for folder in own)):
        try:
            kept = _from_json(json.loads(read_own(path, allowed, _LONGEST), parse_constant=_no_number))
        except FileNotFoundError:
            continue
        except Foreign as error:
            reasons.append(str(error))
            if isinstance(error, Doubtful):
                withheld = withheld or str(error)
            else:
                foreign.append(str(error))
            continue
        except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
            reasons.append(f"{path} cannot be used: {type(error).__name__}: {error}"[:500])
            if isinstance(error, OSError) and is_withheld(path, allowed):
                withheld = withheld or f"{path} may not be read by this user"
            continue
        if (kept.run_uid, kept.task_no, kept.attempt, kept.worker) == (run_uid, task_no, attempt, worker):
            return Found(kept, "", tuple(foreign))
        reasons.append(f"{path} belongs to another attempt, run or worker")
    return Found(None, "; ".join(reasons) or "there is no outcome file", tuple(foreign), withheld)


def read_outcome(
    log: str, *, fallback_folder: str, run_uid: str, task_no: int, attempt: int, worker: Identity
) -> tuple[KeptOutcome | None, str]:
    """The outcome of exactly this attempt by this worker, or None and why. Never raises."""
    found = look_for_outcome(
        log,
        fallback_folder=fallback_folder,
        run_uid=run_uid,
        task_no=task_no,
        attempt=attempt,
        worker=worker,
        allowed=writers(os.path.dirname(log)),
    )
    return found.kept, found.without


def remove_outcome(path: str) -> None:
    """Remove the file, if it is there. Never raises: one that stays does no harm."""
    with suppress(OSError):
        os.unlink(path)


def remove_folder_if_empty(folder: str) -> None:
    """Remove a fallback folder that holds nothing any more. Never raises."""
    with suppress(OSError):
        os.rmdir(folder)


def remove_outcomes(folder: str, fallback_folder: str, keep: Container[str]) -> None:
    """Remove what workers have written, and left unfinished, but for the attempts whose logs are to be kept.

    `folder`: where the logs are. `keep`: file names of logs. Never raises.
    """
    allowed = writers(folder)
    own, _ = folders_like(fallback_folder, allowed)
    for each in (folder, *own):
        for name in _outcomes_in(each, allowed):
            if name.removesuffix(_UNFINISHED).removesuffix(_OUTCOME) + _LOG not in keep:
                remove_outcome(os.path.join(each, name))
    for each in own:
        remove_folder_if_empty(each)


def _outcomes_in(folder: str, allowed: Writers) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [entry for entry in entries if entry.name.endswith((_OUTCOME, _UNFINISHED))]
            return [entry.name for entry in found if entry.stat(follow_symlinks=False).st_uid in allowed]
    except OSError:
        return []


def any_trace(log: str, *, fallback_folder: str, allowed: Writers | None = None) -> bool:
    """Whether a log or outcome exists in any of their places.

    On the boot that it was given to a worker, a dead worker's attempt without a trace was never started. Raises
    OSError if that cannot be looked up: then nothing is proven.
    """
    beside = (log, outcome_path(log))
    own, _ = folders_like(fallback_folder, writers(os.path.dirname(log)) if allowed is None else allowed)
    elsewhere = (fallback_path(path, folder) for folder in own for path in beside)
    return any(_exists(path) for path in (*beside, *elsewhere))


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _write_whole(path: str, text: bytes) -> None:
    """Raises OSError, and Foreign if a reader could not tell it from another user's (a folder of somebody else, a
    file system that knows no owners)."""
    name = os.path.basename(path)
    unfinished = name.removesuffix(_OUTCOME) + _UNFINISHED
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with folder_of(path, writers(os.path.dirname(path))) as folder:
        with suppress(OSError):
            os.unlink(unfinished, dir_fd=folder)
        descriptor = os.open(unfinished, flags, 0o644, dir_fd=folder)
        try:
            with open(descriptor, "wb") as file:
                require_own(path, descriptor)
                file.write(text)
                file.flush()
                os.fsync(descriptor)
            os.replace(unfinished, name, src_dir_fd=folder, dst_dir_fd=folder)
        except (OSError, Foreign):
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=folder)
            raise
    sync_folder(os.path.dirname(path))


def sync_folder(folder: str) -> None:
    """Have the names in a folder survive a power failure. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# ------------------------------------------------------------------------------------------- JSON <-> values


def _to_json(kept: KeptOutcome) -> dict[str, Any]:
    return {
        "run_uid": kept.run_uid,
        "task_no": kept.task_no,
        "attempt": kept.attempt,
        "worker": {each.name: getattr(kept.worker, each.name) for each in fields(Identity)},
        "end": {name: _plain(value) for name, value in kept.end._asdict().items()},
        "facts": dict(kept.facts),
    }


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _from_json(data: Any) -> KeptOutcome:
    """Raises ValueError, TypeError or KeyError unless everything is of its type and range."""
    return KeptOutcome(
        run_uid=_text(data["run_uid"]),
        task_no=_integer(data["task_no"]),
        attempt=_integer(data["attempt"]),
        worker=_identity(data["worker"]),
        end=_end(data["end"]),
        facts=_facts(data["facts"]),
    )


def _identity(data: Any) -> Identity:
    return Identity(
        host=_text(data["host"]),
        boot_id=_text(data["boot_id"]),
        pid_ns=_integer(data["pid_ns"]),
        pid=_integer(data["pid"]),
        start_ticks=_integer(data["start_ticks"]),
        machine_id=_optional(_text, data.get("machine_id")),
    )


def _end(data: Any) -> AttemptEnd:
    return AttemptEnd(
        outcome=Outcome(data["outcome"]),
        exit_code=_optional(_integer, data["exit_code"]),
        signal=_optional(_text, data["signal"]),
        error=_optional(_text, data["error"]),
        message=_optional(_text, data["message"]),
        started_at=_optional(_instant, data["started_at"]),
        ended_at=_optional(_instant, data["ended_at"]),
        cpu_seconds=_optional(_seconds, data["cpu_seconds"]),
        max_rss_bytes=_optional(_integer, data["max_rss_bytes"]),
        survivors=tuple(_integer(pid) for pid in data["survivors"]),
        leftovers=tuple(_integer(pid) for pid in data["leftovers"]),
        retry_safe=_optional(_truth, data["retry_safe"]),
    )


def _no_number(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _optional(check: Any, value: Any) -> Any:
    return None if value is None else check(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"text expected, not {type(value).__name__}")
    value.encode("utf-8")  # a lone surrogate cannot be stored: ValueError
    return value


def _integer(value: Any) -> int:
    if type(value) is not int:
        raise TypeError(f"a whole number expected, not {type(value).__name__}")
    if not -_LARGEST <= value < _LARGEST:
        raise ValueError("a number out of range")
    return value


def _seconds(value: Any) -> float:
    if type(value) not in (int, float):
        raise TypeError(f"a number expected, not {type(value).__name__}")
    if not math.isfinite(value) or value < 0:
        raise ValueError("a duration out of range")
    return float(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"true or false expected, not {type(value).__name__}")
    return value


def _instant(value: Any) -> datetime:
    instant = datetime.fromisoformat(_text(value))
    if instant.utcoffset() is None:
        raise ValueError("an instant without its time zone")
    return instant


def _facts(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"facts expected, not {type(value).__name__}")
    return value
