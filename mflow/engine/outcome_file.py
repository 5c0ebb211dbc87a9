"""How an attempt ended, in a file beside its log: kept by a worker whose supervisor does not answer, or is gone.

The file is whole or absent: written under another name, fsynced, renamed, and its folder fsynced. It counts only
for the attempt, run and worker it names. What is read may be damaged, or planted by somebody: reading never raises.
"""

import json
import math
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any

from mflow.core.model import AttemptEnd, Identity
from mflow.core.states import Outcome

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


def make_fallback_folder(folder: str) -> None:
    """Make the folder, for this user alone. Raises OSError, also if somebody else made it (it may be in /tmp)."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    found = os.lstat(folder)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise PermissionError(f"{folder} is not this user's own folder")


def write_outcome(log: str, kept: KeptOutcome, *, fallback_folder: str, log_is_ours: bool = True) -> str:
    """Write the file beside the log (making the folder again if it vanished) or else into the fallback folder.

    If the log is not ours, nor is the name beside it: then into the fallback folder. Returns the file's path.
    Raises OSError if it can be had nowhere.
    """
    text = json.dumps(_to_json(kept), ensure_ascii=True).encode("ascii")
    path = outcome_path(log)
    if log_is_ours:
        with suppress(OSError):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _write_whole(path, text)
            return path
    make_fallback_folder(fallback_folder)
    path = fallback_path(path, fallback_folder)
    _write_whole(path, text)
    return path


def read_outcome(
    log: str, *, fallback_folder: str, run_uid: str, task_no: int, attempt: int, worker: Identity
) -> tuple[KeptOutcome | None, str]:
    """The outcome of exactly this attempt by this worker, or None and why. Never raises."""
    reasons = []
    for path in (outcome_path(log), fallback_path(outcome_path(log), fallback_folder)):
        try:
            kept = _from_json(json.loads(_read_bounded(path), parse_constant=_no_number))
        except FileNotFoundError:
            continue
        except (OSError, ValueError, TypeError, KeyError, ArithmeticError, RecursionError) as error:
            reasons.append(f"{path} cannot be used: {type(error).__name__}: {error}"[:500])
            continue
        if (kept.run_uid, kept.task_no, kept.attempt, kept.worker) == (run_uid, task_no, attempt, worker):
            return kept, ""
        reasons.append(f"{path} belongs to another attempt, run or worker")
    return None, "; ".join(reasons) or "there is no outcome file"


def remove_outcome(path: str) -> None:
    """Remove the file, if it is there. Never raises: one that stays does no harm."""
    with suppress(OSError):
        os.unlink(path)


def any_trace(log: str, *, fallback_folder: str) -> bool:
    """Whether a log or outcome exists in any of their places.

    On the boot that it was given to a worker, a dead worker's attempt without a trace was never started. Raises
    OSError if that cannot be looked up: then nothing is proven.
    """
    beside = (log, outcome_path(log))
    return any(
        _exists(path) for path in (*beside, *(fallback_path(path, fallback_folder) for path in beside))
    )


def _exists(path: str) -> bool:
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _write_whole(path: str, text: bytes) -> None:
    folder, name = os.path.split(path)
    unfinished = os.path.join(folder, name.removesuffix(_OUTCOME) + _UNFINISHED)
    remove_outcome(unfinished)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with open(unfinished, "wb", opener=lambda name, _: os.open(name, flags, 0o666)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(unfinished, path)
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_bounded(path: str) -> bytes:
    """The content of a regular file of a sensible size; O_NONBLOCK so that a FIFO cannot hold us."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(path, "rb", opener=lambda name, _: os.open(name, flags)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        content = file.read(_LONGEST + 1)
    if len(content) > _LONGEST:
        raise ValueError("too large")
    return content


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
