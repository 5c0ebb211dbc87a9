"""Plain lines: one an event, for files, pipes, cron and batch schedulers."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from mflow.cli.reporting.outlet import Outlet
from mflow.cli.wording import clean, duration, ending_with_message, moment, plural, remaining
from mflow.core.model import AttemptEnd, Definition, RunRow, TaskRow
from mflow.core.states import TaskState
from mflow.engine.assignment import Verdict

PARTING_SECONDS = 10.0
"""How long the last lines wait for a reader that has stopped reading."""


class LineReporter:
    """Task lines to stdout, notes to stderr."""

    refresh_seconds: float | None = None

    def __init__(self, stdout: Outlet, stderr: Outlet, hide: Callable[[str], str] = str) -> None:
        """`hide` masks the secrets that are known in what tasks and databases say."""
        self._stdout, self._stderr, self._hide = stdout, stderr, hide
        self._ids: dict[int, str] = {}

    def began(self, run: RunRow, definition: Definition, rows: Sequence[TaskRow]) -> None:
        """A line if tasks of a resumed run only wait: else nothing would be seen to happen."""
        self._ids = {row.task_no: row.id for row in rows}
        now = datetime.now(UTC)
        if waits := waiting_line(rows, now):
            self._stdout.put(f"{moment(now)} {waits}\n")

    def attempt_began(self, task_no: int, attempt: int, at: datetime) -> None:
        """`2026-05-04 12:00:00 extract #1 started`."""
        self._stdout.put(f"{moment(at)} {self._name(task_no, attempt)} started\n")

    def attempt_ended(
        self,
        task_no: int,
        attempt: int,
        to: TaskState,
        end: AttemptEnd,
        not_before: datetime | None,
        log: str,
    ) -> None:
        """`2026-05-04 12:00:00 extract #1 FAILED: exit code 3, 0.2 s`."""
        at = moment(end.ended_at or datetime.now(UTC))
        self._stdout.put(
            f"{at} {self._name(task_no, attempt)} {self._hide(ended_line(to, end, not_before))}\n"
        )

    def note(self, text: str) -> None:
        """`2026-05-04 12:00:00 mflow: the database cannot be reached`."""
        self._stdout.flush()  # in the order that things happened, if both go to one place
        self._stderr.write(f"{moment(datetime.now(UTC))} mflow: {clean(self._hide(text))}\n")

    def flush(self) -> None:
        """Write the lines of this turn."""
        self._stdout.flush()

    def refresh(self) -> None:
        """Lines need none."""

    def finished(self, verdict: Verdict) -> None:
        """Whatever waits for a slow reader gets its last chance."""
        self._stdout.flush(PARTING_SECONDS)
        self._stderr.flush(PARTING_SECONDS)

    def _name(self, task_no: int, attempt: int) -> str:
        return f"{clean(self._ids[task_no])} #{attempt}"


def waiting_line(rows: Sequence[TaskRow], now: datetime) -> str:
    """Which task's next try comes first, and when; nothing if none waits for its time."""
    waiting = [
        (row.not_before, row.id)
        for row in rows
        if row.not_before and row.not_before > now and row.state is TaskState.PENDING
    ]
    if not waiting:
        return ""
    at, name = min(waiting)
    others = f"; {plural(len(waiting) - 1, 'more task')} later" if len(waiting) > 1 else ""
    return f"{clean(name)} waits for its next try at {moment(at)}{others}"


def ended_line(to: TaskState, end: AttemptEnd, not_before: datetime | None) -> str:
    """How an attempt ended and what follows, e.g. `failed: exit code 3, 0.2 s; next try at 2026-05-04 12:00:05`."""
    took = _took(end)
    pids = f"; {remaining(end)}: {_pids(end.survivors)}" if end.survivors else ""
    pids += f"; left running: {_pids(end.leftovers)}" if end.leftovers else ""
    if to is TaskState.SUCCESS:
        return f"SUCCESS{took}{pids}"
    if to is TaskState.FAILED:
        return f"FAILED: {ending_with_message(end)}{took}{pids}"
    again = f"next try at {moment(not_before)}" if not_before else "to be run again"
    return f"ended: {ending_with_message(end)}{took}{pids}; {again}"


def _took(end: AttemptEnd) -> str:
    if end.started_at is None or end.ended_at is None:
        return ""
    return f", {duration(max(0.0, (end.ended_at - end.started_at).total_seconds()))}"


def _pids(pids: Sequence[int]) -> str:
    return ", ".join(map(str, pids))
