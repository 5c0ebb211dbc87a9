"""What `mflow status` says of a run, as values: the renderers for terminals and for files show the same."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from mflow.cli.failure import Hide, ReadTail, Withhold, failed_tasks, failure_blocks, nothing
from mflow.cli.hints import Commands
from mflow.cli.wording import (
    clean,
    counts,
    duration,
    ending_with_message,
    moment,
    names,
    one_line,
    plural,
    tries,
    zoned,
)
from mflow.core.contracts import AttemptRow
from mflow.core.model import AttemptEnd, Owner, RunRow, TaskRow
from mflow.core.states import OVER, RunState, TaskState
from mflow.core.view import (
    RunView,
    attempt_seconds,
    duration_seconds,
    ids_elsewhere,
    interruption,
    is_cancelled,
    pid,
    run_seconds,
    shown_counts,
    started_at,
    waits_for_its_time,
)

HEADINGS = ("TASK", "STATE", "TRY", "STARTED", "TOOK", "DETAIL")
STATE_COLUMN = 1

MOST_ROWS = 200
"""Of a run with more tasks only those are shown that somebody may have to look at, and no more than this."""


@dataclass(frozen=True, slots=True)
class Page:
    """The parts of the page from top to bottom."""

    title: str
    state: RunState
    said: str  # the state in words
    facts: tuple[tuple[str, str], ...]
    rows: tuple[tuple[str, ...], ...]
    left_out: str
    failures: tuple[tuple[str, ...], ...]
    advice: tuple[tuple[str, str], ...]  # command, what for


@dataclass(frozen=True, slots=True)
class Revival:
    """How a run that a task has made is resumed."""

    outermost: int | None = None  # the run whose resume goes on with it, too
    variables: Mapping[str, str | None] = field(default_factory=dict, repr=False)
    """What was set for the call and is not here; None: to what is not known."""


def status_page(
    view: RunView,
    commands: Commands,
    *,
    everything: bool = False,
    read_tail: ReadTail | None = None,
    hide: Hide = str,
    withhold: Withhold = nothing,
    revival: Revival | None = None,
) -> Page:
    """The page of a run. `everything` shows each task of a large run too; `hide`, `withhold`: see `failure_blocks`."""
    chosen = list(view.tasks) if everything or len(view.tasks) <= MOST_ROWS else _that_matter(view)
    return Page(
        title=f"run {view.run.id}",
        state=view.state,
        said=f"{view.state}, cancelled" if is_cancelled(view.run) else str(view.state),
        facts=tuple(_facts(view)),
        rows=tuple(cells for row in chosen for cells in _lines(row, view, hide)),
        left_out=_left_out(len(chosen), view, commands),
        failures=tuple(
            tuple(block)
            for block in failure_blocks(view, commands, read_tail=read_tail, hide=hide, withhold=withhold)
        ),
        advice=tuple(_advice(view, commands, revival or Revival())),
    )


def _that_matter(view: RunView) -> list[TaskRow]:
    """Running first, then failed, then what waits for its next try."""
    running = [row for row in view.tasks if row.state is TaskState.RUNNING]
    failed = [row for row in view.tasks if row.state is TaskState.FAILED]
    waiting = [row for row in view.tasks if row.state is TaskState.PENDING and row.not_before]
    return [*running, *failed, *waiting][:MOST_ROWS]


def _left_out(shown: int, view: RunView, commands: Commands) -> str:
    others = sum(view.counts.values()) - shown
    if not others:
        return ""
    return f"{plural(others, 'task')} not shown; all of them: {commands.of('status --all', view.run.id)}"


# -------------------------------------------------------------------------------------------------- the run


def _facts(view: RunView) -> Iterator[tuple[str, str]]:
    run = view.run
    yield "task file", clean(run.taskfile) + (f" (only {clean(run.oneshot)})" if run.oneshot else "")
    yield "started", _started(view)
    if run.owner and view.state in (RunState.RUNNING, RunState.PENDING):
        yield "driven by", _owner(run.owner, view.alive)
        if view.stopped:
            pid_ = run.owner.identity.pid
            yield "stopped", f"it does nothing until it goes on (kill -CONT {pid_}) or its place is taken"
    if view.state is RunState.INTERRUPTED:
        yield "interrupted", _interrupted(view)
    if run.cancelled_by:
        yield (
            "cancelled",
            f"by {clean(run.cancelled_by)}{_at(run)}{'' if run.state in OVER else _open_order(view)}",
        )
    if run.parent_run is not None:
        yield "part of", _parent(run)
    yield "tasks", counts(shown_counts(view), len(view.blocked))
    yield "logs", clean(run.folder)


def _started(view: RunView) -> str:
    run = view.run
    if run.started_at is None:
        return f"not yet (made at {zoned(run.created_at)})"
    if view.state is RunState.RUNNING:
        return f"{zoned(run.started_at)}, {duration(_since(run.started_at, view))} ago{_idle(run)}"
    seconds = run_seconds(run, view.state, view.now)
    return zoned(run.started_at) + (f", took {duration(seconds)}{_idle(run)}" if seconds is not None else "")


def _since(at: datetime, view: RunView) -> float:
    return max(0.0, (view.now - at).total_seconds())


def _idle(run: RunRow) -> str:
    return f", for {duration(run.idle_seconds)} nobody drove it" if run.idle_seconds >= 1 else ""


def _interrupted(view: RunView) -> str:
    found = interruption(view.run, restarted=view.restarted)
    if found.seen:
        return f"{_moment_or(found.at)} by {clean(found.by)}"
    return f"{clean(found.by)}; last sign of life {_moment_or(found.at)}"


def _moment_or(at: datetime | None) -> str:
    return f"at {moment(at)}" if at else "at a time that is not known"


def _open_order(view: RunView) -> str:
    return ", not carried out yet" if view.state is RunState.INTERRUPTED else ", under way"


def _owner(owner: Owner, alive: bool | None) -> str:
    said = "" if alive else " (on another host: whether it is alive cannot be seen from here)"
    who = f"{clean(owner.user)} on {clean(owner.identity.host)}, pid {owner.identity.pid}"
    return f"{who}, since {moment(owner.since)}{said}"


def _at(run: RunRow) -> str:
    return f" at {moment(run.cancelled_at)}" if run.cancelled_at else ""


def _parent(run: RunRow) -> str:
    task = f", task {clean(run.parent_task)}" if run.parent_task else ""
    attempt = f", attempt {run.parent_attempt}" if run.parent_attempt else ""
    return f"run {run.parent_run}{task}{attempt}"


# ------------------------------------------------------------------------------------------------ its tasks


def _lines(row: TaskRow, view: RunView, hide: Hide) -> Iterator[tuple[str, ...]]:
    """The task, and below it the attempts before its last, if they were asked for."""
    yield _cells(row, view, hide)
    for one in (view.attempts or {}).get(row.task_no, ()):
        if one.end and one.attempt != row.attempts:
            yield _earlier(one, one.end, row, view, hide)


def _earlier(one: AttemptRow, end: AttemptEnd, row: TaskRow, view: RunView, hide: Hide) -> tuple[str, ...]:
    seconds = attempt_seconds(one)
    return (
        clean(row.id),
        str(end.outcome),
        f"#{one.attempt}",
        _short(one.started_at, view) if one.started_at else "",
        "" if seconds is None else duration(seconds),
        one_line(hide(ending_with_message(end)), 60),
    )


def _cells(row: TaskRow, view: RunView, hide: Hide) -> tuple[str, ...]:
    began = started_at(row)
    gone = _is_gone(row, view)
    seconds = None if gone else duration_seconds(row, view.now)
    over = row.end is not None and row.state is not TaskState.RUNNING
    end = ending_with_message(row.end) if over and row.end else ""
    if row.end and row.end.message:
        end = hide(end)
    return (
        clean(row.id),
        str(RunState.INTERRUPTED if gone else row.state),
        tries(row),
        _short(began, view) if began else "",
        "" if seconds is None else duration(seconds),
        "; ".join(filter(None, (one_line(end, 60), _note(row, view)))),
    )


def _is_gone(row: TaskRow, view: RunView) -> bool:
    """Whether a task is RUNNING only by its row: nobody drives the run, and no process of it is there."""
    prospect = view.prospects.get(row.task_no)
    return prospect is not None and prospect.alive is False


def _short(at: datetime, view: RunView) -> str:
    """The time alone if it was on the day that the page says the run began: a line is to fit into 80 columns."""
    day, whole = moment(view.run.started_at or view.run.created_at).split()[0], moment(at)
    return whole.removeprefix(f"{day} ")


def _note(row: TaskRow, view: RunView) -> str:
    if row.id in view.blocked:
        return f"blocked by {names(view.blocked[row.id], 3)}"
    if row.not_before and waits_for_its_time(row, view.run):
        return f"next try at {_short(row.not_before, view)}"
    if prospect := view.prospects.get(row.task_no):
        where = f"pid {number}, " if prospect.alive and (number := pid(row)) else ""
        return "; ".join(filter(None, (f"{where}{clean(prospect.message)}", view.stalls.get(row.task_no))))
    if row.state is TaskState.RUNNING:
        if stall := view.stalls.get(row.task_no):
            return stall
        known = [value for key, value in ids_elsewhere(row).items() if key != "tag"]
        return ", ".join(
            [*(clean(one) for one in known), *([f"pid {number}"] if (number := pid(row)) else [])]
        )
    return ""


def _advice(view: RunView, commands: Commands, revival: Revival) -> Iterator[tuple[str, str]]:
    id_ = view.run.id
    resume = commands.with_variables(revival.variables, "resume", id_)
    if revival.outermost is not None:
        yield commands.of("resume", revival.outermost), f"the best: its tasks go on with run {id_}"
    if view.stopped:
        yield commands.of("resume --takeover", id_), "ends the stopped supervisor and takes its place"
        yield commands.of("cancel --takeover", id_), "ends it, the run and its tasks"
    elif view.state is RunState.RUNNING:
        yield from _advice_while_running(view, commands)
    elif view.state is RunState.INTERRUPTED and view.run.cancelled_by:
        yield commands.of("cancel", id_), "carries the order for its end out"
        yield resume, "the same; once more, and it goes on"
    elif view.state is RunState.INTERRUPTED:
        yield resume, "nobody drives this run: goes on where it stopped"
    elif view.state is RunState.FAILED:
        yield resume, "runs what is not SUCCESS again, and all behind it"


def _advice_while_running(view: RunView, commands: Commands) -> Iterator[tuple[str, str]]:
    running: Sequence[TaskRow] = [row for row in view.tasks if row.state is TaskState.RUNNING and row.log]
    if running and not failed_tasks(view):
        yield commands.of("logs --follow", view.run.id, running[0].id), "watches a task"
    yield commands.of("cancel", view.run.id), "ends the run and its tasks"
