"""Values that the store's tests write and read."""

import uuid
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mflow.core.contracts import NewRun
from mflow.core.model import (
    AttemptEnd,
    Batch,
    Claim,
    Definition,
    Ending,
    Identity,
    Owner,
    RetryPolicy,
    RunRow,
    Task,
)
from mflow.core.states import Outcome, RunState, TaskState
from mflow.store.repository import SqlStore

EPOCH = datetime(2026, 3, 29, 0, 59, 59, 123456, tzinfo=UTC)
"""Just before a change of clocks in Europe, with microseconds."""

BOOT = "0e4a1d0c-7a57-4a65-9d4c-3c5d1b0f6c11"


def at(seconds: float) -> datetime:
    """An instant so many seconds after EPOCH."""
    return EPOCH + timedelta(seconds=seconds)


def identity(pid: int, host: str = "alpha") -> Identity:
    """A process of a host."""
    return Identity(host, BOOT, 4026531836, pid, 8_123_456_789_012)


def owner(pid: int = 100, user: str = "ana") -> Owner:
    """A supervisor."""
    return Owner(identity(pid), user, at(pid))


def definition(count: int = 4, **changed: Any) -> Definition:
    """A chain of tasks."""
    tasks = tuple(
        Task(
            id=f"task {number}",
            type="bash",
            depends=(f"task {number - 1}",) if number else (),
            retry=RetryPolicy(attempts=2),
            options={"command": "true"},
        )
        for number in range(count)
    )
    return replace(Definition(tasks, "/srv/jobs/tasks.json", "/srv/jobs"), **changed)


def new_run(count: int = 4, **changed: Any) -> NewRun:
    """A run that nobody has made yet."""
    return replace(NewRun(uuid.uuid4().hex, definition(count), owner()), **changed)


def create(store: SqlStore, count: int = 4, **changed: Any) -> RunRow:
    """A run of that many tasks, owned by `owner()` under fence 1."""
    return store.create_run(new_run(count, **changed), log_directory="/srv/logs")


def claim(no: int, attempt: int = 1, pid: int = 200) -> Claim:
    """A task given to a worker."""
    return Claim(no, attempt, identity(pid), f"/srv/logs/run-1/{no}.{attempt}.log", at(no))


def exited(code: int = 0, **more: Any) -> AttemptEnd:
    """An end by itself, with everything that can be told of one."""
    end = AttemptEnd(
        Outcome.EXITED,
        exit_code=code,
        started_at=at(1),
        ended_at=at(2.5),
        cpu_seconds=0.25,
        max_rss_bytes=5_000_000_000,
    )
    return end._replace(**more)


def success(no: int, attempt: int = 1) -> Ending:
    """The end of an attempt that did what it was asked to."""
    return Ending(no, attempt, TaskState.SUCCESS, 1, exited())


def failure(no: int, attempt: int = 1, end: AttemptEnd | None = None) -> Ending:
    """The end of an attempt and of its task."""
    return Ending(no, attempt, TaskState.FAILED, 1, end or exited(3))


def go(store: SqlStore, run: RunRow, batches: Sequence[Batch], fence: int = 1) -> None:
    """Apply some batches."""
    for batch in batches:
        store.apply(run.id, fence, batch)


def running(store: SqlStore, count: int = 4) -> RunRow:
    """A run whose first batch has been applied."""
    run = create(store, count)
    store.apply(run.id, 1, Batch(1, run_state=RunState.RUNNING))
    return run
