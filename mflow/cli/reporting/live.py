"""The live view: below the lines that stay, a few that are drawn anew while the run goes on."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.text import Text

from mflow.cli.fitting import without_middle
from mflow.cli.reporting.lines import LineReporter
from mflow.cli.reporting.outlet import Outlet
from mflow.cli.wording import clean, duration, moment
from mflow.core.model import AttemptEnd, Definition, RunRow, TaskRow
from mflow.core.states import TaskState
from mflow.engine.assignment import Verdict

REFRESH_SECONDS = 0.25

_ALL_LINES = 50
"""In a run of at most so many tasks every event leaves a line; in a larger one only what went wrong."""

_MOST_RETRIES = 3
_LEAST_NAME = 20
_BESIDE = 50
"""Columns for what a line says beside a task's name: when, and how its attempt ended."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the live view shows at one moment."""

    run_id: int
    total: int
    success: int
    failed: int
    elapsed_s: float
    running: Sequence[tuple[str, int, float]]  # id, attempt, seconds so far; the longest first
    retries: Sequence[tuple[str, datetime]]  # id, next try; the soonest first


class LiveReporter(LineReporter):
    """Draws only while this process is in the terminal's foreground group: in the background it is plain lines."""

    def __init__(self, stdout: Outlet, stderr: Outlet, hide: Callable[[str], str] = str) -> None:
        super().__init__(stdout, stderr, hide)
        self.refresh_seconds = REFRESH_SECONDS
        self._frame = Frame(stdout)
        self._board = Board()

    def began(self, run: RunRow, definition: Definition, rows: Sequence[TaskRow]) -> None:
        """Nothing is drawn before the first refresh: a short run needs no view."""
        super().began(run, definition, rows)
        self._board.fill(run.id, rows)

    def attempt_began(self, task_no: int, attempt: int, at: datetime) -> None:
        """A line only in a small run or in the background."""
        self._board.start(task_no, attempt, at)
        if self._board.small or not self._in_foreground():
            with self._above_the_view():
                super().attempt_began(task_no, attempt, at)

    def attempt_ended(
        self,
        task_no: int,
        attempt: int,
        to: TaskState,
        end: AttemptEnd,
        not_before: datetime | None,
        log: str,
    ) -> None:
        """A line if the run is small, if the attempt failed, or in the background."""
        self._board.end(task_no, to, not_before)
        if self._board.small or to is not TaskState.SUCCESS or end.leftovers or not self._in_foreground():
            with self._above_the_view():
                super().attempt_ended(task_no, attempt, to, end, not_before, log)

    def note(self, text: str) -> None:
        """Above the view, where it stays."""
        with self._above_the_view():
            super().note(text)

    def refresh(self) -> None:
        """Draw, or take the view away when the process was put into the background."""
        if self._in_foreground():
            self._frame.draw(self._board.snapshot(self._ids))
        else:
            self._frame.erase()

    def finished(self, verdict: Verdict) -> None:
        """What was drawn goes; the lines stay."""
        self._frame.erase()
        super().finished(verdict)

    @contextmanager
    def _above_the_view(self) -> Iterator[None]:
        """Take the view away for a line, and draw it again below that, if it was there."""
        drawn = self._frame.erase()
        yield
        self._stdout.flush()
        if drawn:
            self.refresh()

    def _name(self, task_no: int, attempt: int) -> str:
        """An id so long that it would fill the line loses its middle: it is whole in `status --json`."""
        return without_middle(
            super()._name(task_no, attempt), max(_LEAST_NAME, self._frame.columns - _BESIDE)
        )

    def _in_foreground(self) -> bool:
        return in_foreground(self._stdout.descriptor)


def in_foreground(descriptor: int) -> bool:
    """Whether this process may draw on the terminal: it is (still) there and ours to use."""
    try:
        return os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        return False


class Board:
    """What the view needs to know, kept up to date by the events."""

    def __init__(self) -> None:
        self._run_id = 0
        self._total = 0
        self._success = 0
        self._failed: set[int] = set()
        self._running: dict[int, tuple[int, datetime]] = {}
        self._retries: dict[int, datetime] = {}
        self._began = time.monotonic()

    @property
    def small(self) -> bool:
        """Whether there is room for a line an event."""
        return self._total <= _ALL_LINES

    def fill(self, run_id: int, rows: Sequence[TaskRow]) -> None:
        """The state of things at the beginning."""
        self._run_id, self._total = run_id, len(rows)
        self._success = sum(row.state is TaskState.SUCCESS for row in rows)

    def start(self, task_no: int, attempt: int, at: datetime) -> None:
        """An attempt runs."""
        self._running[task_no] = (attempt, at)
        self._retries.pop(task_no, None)
        self._failed.discard(task_no)

    def end(self, task_no: int, to: TaskState, not_before: datetime | None) -> None:
        """An attempt is over."""
        self._running.pop(task_no, None)
        self._success += to is TaskState.SUCCESS
        if to is TaskState.FAILED:
            self._failed.add(task_no)
        elif to is TaskState.PENDING and not_before:
            self._retries[task_no] = not_before

    def snapshot(self, ids: dict[int, str]) -> Snapshot:
        """The values of this moment."""
        now = datetime.now(UTC)
        running = [
            (ids[no], attempt, max(0.0, (now - at).total_seconds()))
            for no, (attempt, at) in self._running.items()
        ]
        retries = [(ids[no], at) for no, at in self._retries.items()]
        return Snapshot(
            self._run_id,
            self._total,
            self._success,
            len(self._failed),
            time.monotonic() - self._began,
            sorted(running, key=lambda one: -one[2]),
            sorted(retries, key=lambda one: one[1]),
        )


class Frame:
    """Lines at the bottom of the terminal that can be taken away and drawn again, also after it was resized.

    (A terminal that becomes narrower breaks the lines that stand there: how many rows they take is counted with
    the width of now. Rich's own Live does not do so. It also hides the cursor, which a killed process leaves
    hidden.)
    """

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._widths: list[int] = []
        self._console = Console(force_terminal=True, highlight=False, emoji=False, width=20)

    def draw(self, snapshot: Snapshot) -> None:
        """Put the view where the last one stood."""
        columns, rows = self._size()
        lines = list(view_lines(snapshot, self._console, most_rows=rows - 2, width=columns - 1))
        for line in lines:
            line.truncate(columns - 1, overflow="ellipsis")
        with self._console.capture() as drawn:
            self._console.print(Text("\n").join(lines), end="", soft_wrap=True)
        self._outlet.write(self._erasure() + drawn.get())
        self._widths = [line.cell_len for line in lines]

    def erase(self) -> bool:
        """Take the view away, if it is there; the cursor stands where it began."""
        drawn = bool(self._widths)
        if drawn:
            self._outlet.write(self._erasure())
            self._widths = []
        return drawn

    @property
    def columns(self) -> int:
        """How wide the terminal is now."""
        return self._size().columns

    def _erasure(self) -> str:
        if not self._widths:
            return ""
        columns, _ = self._size()
        rows = sum(max(1, ceil(width / columns)) for width in self._widths)
        up = f"\x1b[{rows - 1}A" if rows > 1 else ""
        return f"\r{up}\x1b[J"

    def _size(self) -> os.terminal_size:
        try:
            size = os.get_terminal_size(self._outlet.descriptor)
        except OSError:
            return _USUAL_SIZE
        return os.terminal_size((max(size.columns, 10), max(size.lines, 4))) if size.columns else _USUAL_SIZE


_USUAL_SIZE = os.terminal_size((80, 24))


def view_lines(snapshot: Snapshot, console: Console, *, most_rows: int, width: int) -> Iterator[Text]:
    """The view: a line of counts with a bar, then what runs now, then what waits for its next try."""
    yield _summary(snapshot, console, width)
    retries = snapshot.retries[: min(_MOST_RETRIES, max(0, most_rows - 2))]
    room = max(0, most_rows - 1 - len(retries))
    running = snapshot.running if len(snapshot.running) <= room else snapshot.running[: max(0, room - 1)]
    for id_, attempt, seconds in running:
        again = f" #{attempt}" if attempt > 1 else ""
        name = without_middle(clean(id_), width - 13 - len(again))
        yield Text.assemble("  ", (f"{duration(seconds):>9}", "cyan"), f"  {name}{again}")
    if len(running) < len(snapshot.running):
        yield Text(f"  and {len(snapshot.running) - len(running):,} more running", "dim")
    for id_, at in retries:
        when = moment(at)[11:]
        yield Text.assemble(
            ("  next try ", "yellow"), f"{when}  {without_middle(clean(id_), width - 13 - len(when))}"
        )


def _summary(snapshot: Snapshot, console: Console, width: int) -> Text:
    pending = snapshot.total - snapshot.success - snapshot.failed - len(snapshot.running)
    line = Text.assemble((f"run {snapshot.run_id} ", "bold"))
    if width >= 70:
        line.append_text(_bar(snapshot, console))
    line.append(f" {snapshot.success:,}/{snapshot.total:,}", "green")
    line.append(f"  {len(snapshot.running):,} running", "cyan")
    if snapshot.failed:
        line.append(f"  {snapshot.failed:,} failed", "bold red")
    line.append(f"  {max(0, pending):,} pending  {duration(snapshot.elapsed_s)}", "dim")
    return line


def _bar(snapshot: Snapshot, console: Console) -> Text:
    bar = ProgressBar(total=max(1, snapshot.total), completed=snapshot.success, width=20)
    return Text.assemble(*[(segment.text, segment.style or "") for segment in console.render(bar)])
