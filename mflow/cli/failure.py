"""What a person needs who must act on a failed task: how, the last lines of its log, what waits, what to type."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from mflow.cli.hints import Commands
from mflow.cli.tail import disk_is_full, last_lines
from mflow.cli.wording import clean, ending, names, one_line, plural, remaining, tries
from mflow.core.disks import may_have_lost_output
from mflow.core.model import TaskRow
from mflow.core.states import Outcome, TaskState
from mflow.core.view import RunView

ReadTail = Callable[[str], Sequence[str]]
"""The last lines of a file; raises OSError."""

WHOLE_LOG, PRINTED = "  whole log: ", "    | "
"""How the lines begin that hold a command, and what the task printed."""

Hide = Callable[[str], str]

Withhold = Callable[[TaskRow], str]
"""Why the log of a task must not be shown; "": it may be."""


def nothing(_: TaskRow) -> str:
    """Nothing is withheld."""
    return ""


def failed_tasks(view: RunView) -> list[TaskRow]:
    """The tasks that failed by themselves: one ended on somebody's word needs no explanation."""
    return [row for row in view.tasks if row.state is TaskState.FAILED and not _cancelled(row)]


def _cancelled(row: TaskRow) -> bool:
    return row.end is not None and row.end.outcome is Outcome.CANCELLED


def failure_blocks(
    view: RunView,
    commands: Commands,
    *,
    limit: int = 3,
    read_tail: ReadTail | None = None,
    hide: Hide = str,
    withhold: Withhold = nothing,
) -> list[list[str]]:
    """A block of lines for each of the first `limit` failed tasks, and one that names the others.

    What a task or its database said goes through `hide`, which masks the secrets that are known.
    Where some are not, `withhold` says so, and no line of the log is shown.
    """
    failed = failed_tasks(view)
    read_tail = read_tail or partial(last_lines, hide=hide)
    blocks = [list(_block(row, view, commands, read_tail, hide, withhold(row))) for row in failed[:limit]]
    others = [row.id for row in failed[limit:]]
    if others:
        blocks.append([_others(others, view)])
    return blocks


def _others(ids: Sequence[str], view: RunView) -> str:
    """The failed tasks that are not explained; the view may not even hold them all."""
    unseen = view.counts[TaskState.FAILED] - sum(row.state is TaskState.FAILED for row in view.tasks)
    more = f" and {unseen:,} more" if unseen else ""
    return f"and {plural(len(ids) + unseen, 'failed task')} more: {names(ids, 20)}{more}"


def _block(
    row: TaskRow, view: RunView, commands: Commands, read_tail: ReadTail, hide: Hide, withheld: str
) -> Iterator[str]:
    yield f"{clean(row.id)} FAILED: {ending(row.end) if row.end else 'no attempt is known'}{_tries(row)}"
    if row.end and row.end.message and row.end.message != ending(row.end):
        yield f"  {one_line(hide(row.end.message), 1000)}"
    if row.end and row.end.survivors:
        yield f"  processes that {remaining(row.end)}: {', '.join(map(str, row.end.survivors))}"
    whole = commands.of("logs", view.run.id, row.id)
    if withheld and row.output is not None:
        yield f"  its last lines are not shown: {withheld}; {whole} prints them as they are"
    else:
        yield from _log(row, read_tail, hide)
    behind = [id_ for id_, failures in view.blocked.items() if row.id in failures]
    if behind:
        yield f"  blocked behind it: {names(behind)}"
    yield f"{WHOLE_LOG}{whole}"


def _tries(row: TaskRow) -> str:
    return f" (try {tries(row)})" if row.max_attempts > 1 and row.attempts else ""


def _log(row: TaskRow, read_tail: ReadTail, hide: Hide) -> Iterator[str]:
    if row.output is None:
        return
    try:
        lines = read_tail(row.output)
    except OSError as error:
        yield f"  its log cannot be read: {clean(row.output)}: {error.strerror}"
        return
    path = clean(row.output)
    full = _full_disk(row)
    if lines:
        yield f"  last lines of {path}{f' ({full}: what came last may be missing)' if full else ''}:"
    elif full:
        yield f"  its log is empty, and {full}, so what it printed may be lost: {path}"
    else:
        yield f"  it printed nothing: {path}"
    yield from (f"{PRINTED}{hide(line)}" for line in lines)


def _full_disk(row: TaskRow) -> str:
    """What is said of the disk of the log if it is full, or was when the task ended; else nothing."""
    assert row.output is not None
    disk = f"the disk of {clean(str(Path(row.output).parent))}"
    if disk_is_full(row.output):
        return f"{disk} is full"
    return f"{disk} was full when it ended" if may_have_lost_output(row.end) else ""
