"""A run as a person or a program reads it: everything that is derived from the rows and never stored. Pure.

What decides "interrupted", "blocked by" and "how long" is here and nowhere else; the command line renders it, and so
may any other reader.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from mflow.core.contracts import LEASE_SECONDS, AttemptRow
from mflow.core.model import RunRow, RunSummary, TaskRow
from mflow.core.prospect import Prospect
from mflow.core.states import OVER, RunState, TaskState

Node = tuple[str, Sequence[str]]
"""A task's id and the ids that it depends on."""

MAX_BLOCKERS = 100
"""A task names at most so many failures that block it, the first in the order of the task file."""


@dataclass(frozen=True, slots=True)
class RunView:
    """One run at one moment. `counts` are of all its tasks; `tasks` may be a part of them."""

    run: RunRow
    state: RunState  # INTERRUPTED included
    alive: bool | None  # the owner: None if there is none, or if it cannot be known
    counts: Mapping[TaskState, int]
    tasks: Sequence[TaskRow]
    now: datetime
    blocked: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by id, only those that are
    prospects: Mapping[int, Prospect] = field(default_factory=dict)  # by task number, of unwatched ones
    restarted: bool = False  # the machine of the owner was, since
    stopped: bool = False  # the owner is there, but stopped
    stalls: Mapping[int, str] = field(default_factory=dict)  # by task number: what keeps it from going on
    depends: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by id, if it was asked for
    attempts: Mapping[int, Sequence[AttemptRow]] | None = None  # by task number, if they were asked for


def view_run(
    run: RunRow,
    tasks: Sequence[TaskRow],
    counts: Mapping[TaskState, int],
    blocked: Mapping[str, tuple[str, ...]],
    *,
    alive: bool | None,
    now: datetime,
    prospects: Mapping[int, Prospect] | None = None,
    restarted: bool = False,
    stopped: bool = False,
    stalls: Mapping[int, str] | None = None,
    depends: Mapping[str, Sequence[str]] | None = None,
    attempts: Mapping[int, Sequence[AttemptRow]] | None = None,
) -> RunView:
    """Put together what is known of a run."""
    return RunView(
        run=run,
        state=shown_state(run, alive),
        alive=alive if run.owner else None,
        counts=all_states(counts),
        tasks=tasks,
        now=now,
        blocked=blocked,
        prospects=prospects or {},
        restarted=restarted,
        stopped=stopped,
        stalls=stalls or {},
        depends=depends or {},
        attempts=attempts,
    )


def shown_state(run: RunRow, alive: bool | None) -> RunState:
    """INTERRUPTED if the run is not over and nobody drives it: only a resume gets it on."""
    return (
        RunState.INTERRUPTED if run.state not in OVER and (run.owner is None or alive is False) else run.state
    )


def last_sign(run: RunRow) -> datetime | None:
    """When the run's owner, the present or the last one, is last known to have driven it, by the database's clock.

    Of a run that was let go: when that was. Of one with an owner: the last renewal of its lease. None for a run of
    an older database that tells neither.
    """
    if run.owner and run.lease_until:
        return run.lease_until - timedelta(seconds=LEASE_SECONDS)
    return run.interrupted_at or run.ended_at


def idle_until(run: RunRow, now: datetime) -> float:
    """Seconds in all that nobody has driven the run, if somebody goes on with it now."""
    since = last_sign(run)
    return run.idle_seconds + (max(0.0, (now - since).total_seconds()) if since else 0.0)


def run_seconds(run: RunRow, state: RunState, now: datetime) -> float | None:
    """How long the run took, or has taken so far, without the time in which nobody drove it; None: not begun."""
    if run.started_at is None:
        return None
    until = now if state is RunState.RUNNING else run.ended_at or last_sign(run)
    return max(0.0, (until - run.started_at).total_seconds() - run.idle_seconds) if until else None


class Interruption(NamedTuple):
    """When and by what a run was left unfinished."""

    at: datetime | None
    by: str
    seen: bool  # its supervisor has said so; else `at` is its last sign of life


def interruption(run: RunRow, *, restarted: bool) -> Interruption:
    """Of an INTERRUPTED run. `restarted`: its owner's machine was, since."""
    if run.owner is None:
        return Interruption(run.interrupted_at, run.interrupted_by or "unknown", seen=True)
    by = "its machine was restarted" if restarted else "its supervisor went without a word"
    return Interruption(last_sign(run), by, seen=False)


def shown_counts(view: RunView) -> dict[str, int]:
    """The number of tasks by state as it is shown: what nobody watches and is not alive does not count as RUNNING."""
    return counts_without(view.counts, sum(one.alive is False for one in view.prospects.values()))


def counts_without(counts: Mapping[TaskState, int], gone: int) -> dict[str, int]:
    """The same, of which so many RUNNING ones are gone."""
    shown = {str(state): number for state, number in all_states(counts).items()}
    return shown | {str(TaskState.RUNNING): shown[TaskState.RUNNING] - gone, str(RunState.INTERRUPTED): gone}


def is_cancelled(run: RunRow) -> bool:
    """Whether the run has ended because somebody asked for that: FAILED, and by nothing of its own."""
    return run.state is RunState.FAILED and run.cancelled_by is not None


def all_states(counts: Mapping[TaskState, int]) -> dict[TaskState, int]:
    """The same counts with the states that are missing as 0, in the one order."""
    return {state: counts.get(state, 0) for state in TaskState}


# ------------------------------------------------------------------------------------------------ one task


def started_at(row: TaskRow) -> datetime | None:
    """When the last attempt began, by its worker's word."""
    return row.started_at or (row.end.started_at if row.end else None)


def ended_at(row: TaskRow) -> datetime | None:
    """When the last attempt ended."""
    return row.end.ended_at if row.end else None


def duration_seconds(row: TaskRow, now: datetime) -> float | None:
    """How long the last attempt took, or has been taking so far."""
    begin = started_at(row)
    end = now if row.state is TaskState.RUNNING else ended_at(row)
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


def attempt_seconds(one: AttemptRow) -> float | None:
    """How long an attempt took; None if it has not ended, or that is not known."""
    begin, end = one.started_at, one.end.ended_at if one.end else None
    return max(0.0, (end - begin).total_seconds()) if begin and end else None


def waits_for_its_time(row: TaskRow, run: RunRow) -> bool:
    """Whether there is a next try, and it has its time: not in a run that has ended or is to be ended."""
    pending = row.state is TaskState.PENDING and row.not_before is not None
    return pending and run.state not in OVER and run.cancelled_by is None


def current_try(row: TaskRow) -> int:
    """Which of its `max_attempts` tries the task is at: those used up, and the one under way."""
    return row.tries + (row.state is TaskState.RUNNING)


# ----------------------------------------------------------------------------------------- what is blocked


def may_be_blocked(counts: Mapping[TaskState, int]) -> bool:
    """False if no task can be blocked, so that the graph need not be read."""
    return bool(counts[TaskState.FAILED] and counts[TaskState.PENDING])


def blocked_by(graph: Iterable[Node], states: Mapping[str, TaskState]) -> dict[str, tuple[str, ...]]:
    """For each PENDING task behind a failure, at any distance: the FAILED tasks, in the order of `graph`.

    `states` may leave out what is SUCCESS or RUNNING: it holds nothing up.
    """
    nodes = [(id_, depends) for id_, depends in graph if states.get(id_) in _HOLDS_UP]
    failed = [id_ for id_, _ in nodes if states[id_] is TaskState.FAILED]
    if not failed:
        return {}
    masks = _failures_upstream(nodes, states, failed)
    named: dict[int, tuple[str, ...]] = {}
    return {id_: named.setdefault(mask, _named(mask, failed, named)) for id_, mask in masks.items() if mask}


def _failures_upstream(
    nodes: Iterable[Node], states: Mapping[str, TaskState], failed: Sequence[str]
) -> dict[str, int]:
    """Of each PENDING task: a bit for each failure it waits for, collected in topological order."""
    downstream: dict[str, list[str]] = {}
    waits_for: dict[str, int] = {}
    for id_, depends in nodes:
        if states[id_] is TaskState.PENDING:
            upstream = [other for other in depends if states.get(other) in _HOLDS_UP]
            waits_for[id_] = len(upstream)
            for other in upstream:
                downstream.setdefault(other, []).append(id_)
    own = {id_: 1 << bit for bit, id_ in enumerate(failed)}
    masks = dict.fromkeys(waits_for, 0)
    done = [*failed, *(id_ for id_, count in waits_for.items() if not count)]
    while done:
        id_ = done.pop()
        mask = own.get(id_) or masks[id_]
        for next_ in downstream.get(id_, ()):
            masks[next_] |= mask
            waits_for[next_] -= 1
            if not waits_for[next_]:
                done.append(next_)
    return masks


_HOLDS_UP = (TaskState.PENDING, TaskState.FAILED)


def _named(mask: int, failed: Sequence[str], known: Mapping[int, tuple[str, ...]]) -> tuple[str, ...]:
    """The ids behind the lowest bits of `mask`."""
    if mask in known:
        return known[mask]
    names: list[str] = []
    while mask and len(names) < MAX_BLOCKERS:
        lowest = mask & -mask
        names.append(failed[lowest.bit_length() - 1])
        mask ^= lowest
    return tuple(names)


# ------------------------------------------------------------------- for programs: stable, additions only


def status_object(view: RunView) -> dict[str, Any]:
    """What `status --json` prints."""
    return {
        "run": {
            "id": view.run.id,
            "state": str(view.state),
            "taskfile": view.run.taskfile,
            "started_at": instant(view.run.started_at),
            "ended_at": instant(view.run.ended_at),
            "owner": _owner_object(view),
            **_more_of_run(view.run, view.state, view.now),
            **_interruption_object(view),
            "log_directory": view.run.folder,
        },
        "counts": _counts_object(view.counts),
        "tasks": [_task_object(row, view) for row in view.tasks],
    }


def runs_object(summaries: Iterable[tuple[RunSummary, RunState]], now: datetime) -> dict[str, Any]:
    """What `runs --json` prints: each run with the state it is shown in."""
    return {"runs": [_summary_object(summary, state, now) for summary, state in summaries]}


def instant(at: datetime | None) -> str | None:
    """ISO 8601 in UTC, always of the same length, so that they sort as text."""
    if at is None:
        return None
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def pid(row: TaskRow) -> int | None:
    """The leader of the last attempt's processes; a task type that starts them late records it among its facts."""
    late = row.facts.get("pid")
    return row.pid or (late if isinstance(late, int) else None)


def ids_elsewhere(row: TaskRow) -> dict[str, str]:
    """By what the last attempt's work is known outside this host: an application's id, a driver's, a tag."""
    return {
        key: value
        for key, value in row.facts.items()
        if isinstance(value, str) and (key == "tag" or key.endswith("_id"))
    }


def _more_of_run(run: RunRow, state: RunState, now: datetime) -> dict[str, Any]:
    seconds = run_seconds(run, state, now)
    return {
        "duration_s": seconds if seconds is None else round(seconds, 6),
        "idle_seconds": run.idle_seconds,
        "cancelled_by": run.cancelled_by,
        "cancelled_at": instant(run.cancelled_at),
        "parent": _parent_object(run),
    }


def _parent_object(run: RunRow) -> dict[str, Any] | None:
    if run.parent_run is None:
        return None
    return {"run": run.parent_run, "task": run.parent_task, "attempt": run.parent_attempt}


def _interruption_object(view: RunView) -> dict[str, Any]:
    if view.state is not RunState.INTERRUPTED:
        return {"interrupted_at": None, "interrupted_by": None}
    found = interruption(view.run, restarted=view.restarted)
    return {"interrupted_at": instant(found.at), "interrupted_by": found.by}


def _owner_object(view: RunView) -> dict[str, Any] | None:
    owner = view.run.owner
    if owner is None:
        return None
    return {
        "host": owner.identity.host,
        "pid": owner.identity.pid,
        "user": owner.user,
        "since": instant(owner.since),
        "alive": view.alive,
        "stopped": view.stopped,
    }


def _counts_object(counts: Mapping[TaskState, int]) -> dict[str, int]:
    return {str(state): number for state, number in all_states(counts).items()}


def _task_object(row: TaskRow, view: RunView) -> dict[str, Any]:
    end, prospect = row.end, view.prospects.get(row.task_no)
    seconds = None if prospect and prospect.alive is False else duration_seconds(row, view.now)
    return {
        "id": row.id,
        "type": row.type,
        "state": str(row.state),
        "blocked_by": view.blocked.get(row.id, ()),
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "outcome": str(end.outcome) if end else None,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "error": end.error if end else None,
        "message": end.message if end else None,
        "not_before": instant(row.not_before) if waits_for_its_time(row, view.run) else None,
        "started_at": instant(started_at(row)),
        "ended_at": instant(ended_at(row)),
        "duration_s": seconds if seconds is None else round(seconds, 6),
        "pid": pid(row),
        "log": row.output,
        "alive": prospect.alive if prospect else None,
        "at_resume": prospect.at_resume if prospect else None,
        "stalled": view.stalls.get(row.task_no),
        "depends": view.depends.get(row.id, ()),
        **_attempts_object(row, view),
        **({"ids": ids} if (ids := ids_elsewhere(row)) else {}),
    }


def _attempts_object(row: TaskRow, view: RunView) -> dict[str, Any]:
    if view.attempts is None:
        return {}
    return {"attempts_made": [_attempt_object(one) for one in view.attempts.get(row.task_no, ())]}


def _attempt_object(one: AttemptRow) -> dict[str, Any]:
    end = one.end
    seconds = attempt_seconds(one)
    return {
        "attempt": one.attempt,
        "outcome": str(end.outcome) if end else None,
        "exit_code": end.exit_code if end else None,
        "signal": end.signal if end else None,
        "error": end.error if end else None,
        "message": end.message if end else None,
        "claimed_at": instant(one.claimed_at),
        "started_at": instant(one.started_at),
        "ended_at": instant(end.ended_at) if end else None,
        "duration_s": seconds if seconds is None else round(seconds, 6),
        "log": one.log,
    }


def _summary_object(summary: RunSummary, state: RunState, now: datetime) -> dict[str, Any]:
    return {
        "id": summary.run.id,
        "state": str(state),
        "taskfile": summary.run.taskfile,
        "started_at": instant(summary.run.started_at),
        "ended_at": instant(summary.run.ended_at),
        "counts": _counts_object(summary.counts),
        **_more_of_run(summary.run, state, now),
    }
