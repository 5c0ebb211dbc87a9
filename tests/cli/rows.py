"""Rows and views made by hand, for tests of what is shown."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from mflow.core.model import AttemptEnd, Definition, Identity, Owner, RunRow, TaskRow
from mflow.core.states import Outcome, RunState, TaskState
from mflow.core.view import Node, RunView, blocked_by, view_run

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
OWNER = Owner(Identity("alpha", "boot", 1, 4711, 99), "ana", NOON)


def later(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def run_row(**changes: Any) -> RunRow:
    known: dict[str, Any] = {
        "id": 7,
        "uid": "ab" * 16,
        "state": RunState.RUNNING,
        "taskfile": "/w/tasks.json",
        "cwd": "/w",
        "config": None,
        "datasources": None,
        "oneshot": None,
        "folder": "/w/logs/run-7",
        "created_at": NOON,
        "started_at": NOON,
        "ended_at": None,
        "fence": 1,
        "owner": OWNER,
        "lease_expired": False,
    }
    return RunRow(**(known | changes))


def exited(code: int = 0, seconds: float = 1.5, **more: Any) -> AttemptEnd:
    return AttemptEnd(Outcome.EXITED, code, started_at=NOON, ended_at=later(seconds), **more)


def task_rows(**states: TaskState | Mapping[str, Any]) -> list[TaskRow]:
    """`task_rows(a=TaskState.PENDING, b={"state": ..., "tries": 1})`."""
    return [
        TaskRow(number, id_, "bash", **(state if isinstance(state, Mapping) else {"state": state}))
        for number, (id_, state) in enumerate(states.items())
    ]


def failed(code: int = 3, tries: int = 1, max_attempts: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "state": TaskState.FAILED,
        "attempts": tries,
        "tries": tries,
        "max_attempts": max_attempts,
        "end": exited(code, **more),
        "log": "/w/logs/run-7/x.1.log",
        "started_at": NOON,
    }


def definition() -> Definition:
    return Definition((), "/w/tasks.json", "/w")


def graph(**depends: Sequence[str]) -> list[Node]:
    return list(depends.items())


def view(
    rows: Sequence[TaskRow],
    nodes: Sequence[Node] = (),
    *,
    alive: bool | None = True,
    seconds: float = 60,
    **changes: Any,
) -> RunView:
    states = {row.id: row.state for row in rows}
    blocked = blocked_by(nodes, states)
    return view_run(
        run_row(**changes), rows, Counter(states.values()), blocked, alive=alive, now=later(seconds)
    )
