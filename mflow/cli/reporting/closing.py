"""The last lines of a run: one if all went well, else what a person needs to act."""

import signal
from collections.abc import Iterator

from mflow.cli.failure import Hide, ReadTail, Withhold, failed_tasks, failure_blocks, nothing
from mflow.cli.hints import Commands
from mflow.cli.wording import clean, columns, counts, duration, plural
from mflow.core.view import RunView
from mflow.engine.assignment import Ending, Verdict

MOST_BLOCKS = 5


def success_line(run_id: int, tasks: int, seconds: float) -> str:
    """`run 7: SUCCESS, 3 tasks in 1.2 s`."""
    return f"run {run_id}: SUCCESS, {plural(tasks, 'task')} in {duration(seconds)}"


def closing_lines(
    verdict: Verdict,
    view: RunView,
    commands: Commands,
    seconds: float,
    *,
    read_tail: ReadTail | None = None,
    hide: Hide = str,
    withhold: Withhold = nothing,
) -> Iterator[str]:
    """How the run was left: the failures with their logs, the counts, the commands to type next."""
    for block in failure_blocks(
        view, commands, limit=MOST_BLOCKS, read_tail=read_tail, hide=hide, withhold=withhold
    ):
        yield ""
        yield from block
    yield ""
    yield f"run {view.run.id}: {_ending(verdict, view)} after {duration(seconds)}: {_counts(view)}"
    if verdict.message:
        yield f"  {clean(verdict.message)}"
    yield "next:"
    yield from (f"  {line}" for line in columns(_advice(view, commands)))


def lost_lines(verdict: Verdict, run_id: int, commands: Commands) -> Iterator[str]:
    """When the database cannot be asked how the run stands, or the run is somebody else's now."""
    yield f"run {run_id}: {_WITHOUT_US[verdict.ending]}"
    if verdict.message:
        yield f"  {clean(verdict.message)}"
    if verdict.hint:
        yield f"hint: {clean(verdict.hint)}"
    yield "next:"
    if verdict.ending is Ending.SUPERSEDED:
        yield f"  {commands.of('status', run_id)}"
    else:
        yield f"  {commands.of('resume', run_id)}  when the database is back"


_WITHOUT_US = {
    Ending.SUPERSEDED: "another supervisor drives it now; this one has left it alone",
    Ending.DATABASE_LOST: "left without its database; what was running goes on and can be adopted",
    Ending.STOPPED: "stopped without its database; what has ended is kept until it is back",
}


def _ending(verdict: Verdict, view: RunView) -> str:
    if verdict.ending is Ending.STOPPED:
        return f"stopped by {signal.Signals(verdict.signal or signal.SIGTERM).name}"
    if verdict.ending is Ending.CANCELLED:
        return f"FAILED, cancelled by {clean(view.run.cancelled_by or 'somebody')}"
    return str(view.run.state)


def _counts(view: RunView) -> str:
    return counts(view.counts, len(view.blocked))


def _advice(view: RunView, commands: Commands) -> Iterator[tuple[str, str]]:
    id_ = view.run.id
    yield commands.of("status", id_), "how it stands"
    for row in failed_tasks(view)[:1]:
        if row.log:
            yield commands.of("logs", id_, row.id), "what it printed"
    yield commands.of("resume", id_), "goes on; what is SUCCESS does not run again"
