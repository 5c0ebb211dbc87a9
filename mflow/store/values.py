"""Values of the core as rows of a statement's parameters, cut and checked so that any database can hold them."""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mflow.core.errors import StoreRefused
from mflow.core.model import (
    AttemptEnd,
    Batch,
    Claim,
    Definition,
    Ending,
    GiveBack,
    Owner,
    Progress,
    Reset,
    Settle,
    Task,
)
from mflow.store.statements import OWNER_COLUMNS, Row
from mflow.store.tables import ID_CHARS, TEXT_BYTES

_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def owner(one: Owner) -> dict[str, Any]:
    """The owner's columns of a run."""
    who = one.identity
    process = (who.host, who.boot_id, who.pid_ns, who.pid, who.start_ticks, who.machine_id)
    return dict(zip(OWNER_COLUMNS, (*process, one.user or "?", one.since), strict=True))


def advance_run(run_id: int, fence: int, batch: Batch) -> Row:
    """For the statement of `advance_run`, which has the last value only if the run is let go unfinished."""
    row = (batch.number, run_id, fence)
    return (*row, cut(batch.interrupted_by, 255)) if batch.release and batch.run_state is None else row


def claim_task(run_id: int, one: Claim) -> Row:
    """For CLAIM_TASK."""
    return (one.attempt, run_id, one.task_no, one.attempt - 1)


def insert_attempt(run_id: int, one: Claim) -> Row:
    """For INSERT_ATTEMPT."""
    who = one.worker
    return (
        run_id,
        one.task_no,
        one.attempt,
        who.host,
        who.boot_id,
        who.pid_ns,
        who.pid,
        who.start_ticks,
        one.log,
        one.claimed_at,
        who.machine_id,
    )


def end_task(run_id: int, one: Ending) -> Row:
    """For END_TASK."""
    return (one.to.value, one.tries, one.not_before, run_id, one.task_no, one.attempt)


def end_attempt(run_id: int, one: Ending | Settle) -> Row:
    """For END_ATTEMPT and SETTLE_ATTEMPT."""
    end = one.end
    return (*_end(end), end.started_at, run_id, one.task_no, one.attempt)


def _end(end: AttemptEnd) -> Row:
    return (
        end.outcome.value,
        end.exit_code,
        cut(end.signal, 30),
        cut(end.error, 200),
        cut(end.message, TEXT_BYTES),
        end.ended_at,
        end.cpu_seconds,
        end.max_rss_bytes,
        _pids(end.survivors),
        _pids(end.leftovers),
    )


def give_back_task(run_id: int, one: GiveBack) -> Row:
    """For GIVE_BACK_TASK."""
    return (one.attempt - 1, run_id, one.task_no, one.attempt)


def this_attempt(run_id: int, one: GiveBack | Settle) -> Row:
    """For DELETE_ATTEMPT and SETTLE_TASK."""
    return (run_id, one.task_no, one.attempt)


def this_task(run_id: int, one: Reset) -> Row:
    """For RESET_TASK."""
    return (run_id, one.task_no)


def note_start(run_id: int, one: Progress) -> Row:
    """For NOTE_START."""
    return (one.started_at, one.pid, one.leader_ticks, run_id, one.task_no, one.attempt)


def note_facts(run_id: int, one: Progress) -> Row:
    """For NOTE_FACTS."""
    assert one.facts is not None
    return (facts(one.facts), run_id, one.task_no, one.attempt)


def insert_task(run_id: int, number: int, task: Task, attempts: int) -> Row:
    """For INSERT_TASK."""
    return (run_id, number, task.id, task.type, attempts, task.retry.attempts)


def change_task(run_id: int, number: int, task: Task) -> Row:
    """For CHANGE_TASK."""
    return (task.type, task.retry.attempts, run_id, number)


def facts(given: Mapping[str, Any]) -> str | None:
    """As JSON; None if there are none."""
    return _JSON.encode(given) if given else None


def cut(text: str | None, size: int) -> str | None:
    """At most `size` bytes of UTF-8, no character torn, what is no character replaced; None for nothing."""
    if not text:
        return None
    if len(text) <= size and text.isascii() and "\0" not in text:
        return text
    whole = text.replace("\0", "?").encode("utf-8", "replace")
    if len(whole) > size:
        whole = whole[: size - 3].decode("utf-8", "ignore").encode() + b"..."
    return whole.decode()


def _pids(pids: Iterable[int]) -> str | None:
    """Separated by blanks; the first few hundred are enough for whoever must end them."""
    text = " ".join(str(pid) for pid in pids)
    if len(text) > TEXT_BYTES:
        text = text[:TEXT_BYTES].rpartition(" ")[0]
    return text or None


def exact_texts(definition: Definition, *paths: str) -> Iterator[tuple[str, str]]:
    """The paths and ids that must be kept as they are, each after what it is."""
    given = (definition.taskfile, definition.cwd, definition.config, definition.datasources, *paths)
    for path in filter(None, given):
        yield "path", path
    for task in definition.tasks:
        yield "task id", task.id


def require_storable(definition: Definition, *paths: str) -> None:
    """Raise StoreRefused for a path or id that no column can hold as it is: they are never cut."""
    for what, text in exact_texts(definition, *paths):
        if what == "task id" and not 0 < len(text) <= ID_CHARS:
            raise StoreRefused(f"a task id must have 1 to {ID_CHARS} characters: {text[:40]!r}...")
        _require(text, TEXT_BYTES, what)


def _require(text: str, size: int, what: str) -> None:
    try:
        length = len(text.encode())
    except UnicodeEncodeError:
        raise StoreRefused(f"a {what} is not valid UTF-8: {text[:80]!r}", hint="Rename it.") from None
    if "\0" in text:
        raise StoreRefused(f"a {what} holds a NUL: {text[:80]!r}", hint="Rename it.")
    if length > size:
        raise StoreRefused(
            f"a {what} is longer than {size} bytes: {text[:80]!r}...", hint="Use a shorter one."
        )
