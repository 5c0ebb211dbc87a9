"""`mflow logs RUN --follow`: what all tasks of a run print, line by line, until the run has ended."""

import os
import stat
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mflow.cli.boundary import tell
from mflow.cli.following import ASK_SECONDS, LOOK_SECONDS, patiently
from mflow.cli.hints import Commands
from mflow.cli.reading import is_alive
from mflow.cli.wording import clean, ending_with_message
from mflow.core.model import AttemptEnd, RunRow, TaskRow
from mflow.core.states import RunState
from mflow.core.view import shown_state
from mflow.store.repository import SqlStore

OVERLAP_SECONDS = 30.0
"""What was changed so long before the last change seen is looked at again: a transaction may have been slow."""

_CHUNK = 1 << 20
_LONGEST_LINE = 1 << 16
"""Bytes without a line end that are shown as a line."""


@dataclass(slots=True)
class _Tail:
    """The log of one attempt, as far as it was shown."""

    label: str
    path: str
    ended: bool = False
    end: str = ""  # how, if not well
    position: int = 0
    rest: bytes = b""  # of a line that has not ended yet

    def lines(self) -> Iterator[bytes]:
        """What was added: whole lines, of an attempt that is over also the last one without an end."""
        for chunk in self._chunks():
            *lines, self.rest = (self.rest + chunk).split(b"\n")
            yield from lines
            if len(self.rest) > _LONGEST_LINE:
                yield self._take_rest()
        if self.ended and self.rest:
            yield self._take_rest()

    def _take_rest(self) -> bytes:
        line, self.rest = self.rest, b""
        return line

    def _chunks(self) -> Iterator[bytes]:
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return  # not there yet, or not any more
        try:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return
            while chunk := os.pread(handle, _CHUNK, self.position):
                self.position += len(chunk)
                yield chunk
        finally:
            os.close(handle)


class RunFollower:
    """Follows all tasks of one run, in the order in which they began."""

    def __init__(self, store: SqlStore, run_id: int, commands: Commands) -> None:
        self._store, self._run_id, self._commands = store, run_id, commands
        self._known: dict[int, int] = {}  # the last attempt of a task that was seen
        self._live: dict[int, _Tail] = {}  # of attempts under way, by the number of their task
        self._tails: list[_Tail] = []  # those that may have something to show yet
        self._since = datetime(1970, 1, 1, tzinfo=UTC)
        self._last_change: datetime | None = None  # by the database's clock
        self._changed_at = 0.0  # when that was first seen, by ours

    def follow(self) -> None:
        """Print until the run has ended, or nobody drives it any more."""
        while True:
            run = patiently(lambda: self._store.read_run(self._run_id))
            over = shown_state(run, is_alive(run)) not in (RunState.RUNNING, RunState.PENDING)
            self._look_for_attempts()
            self._show(for_seconds=0.0 if over else ASK_SECONDS)
            if over:
                self._tell_end(run)
                return

    def _look_for_attempts(self) -> None:
        rows, last = patiently(lambda: self._store.read_touched(self._run_id, self._since))
        for row in sorted(rows, key=lambda row: row.claimed_at or self._since):
            self._learn(row)
        if last is None:
            return
        now = time.monotonic()
        if last != self._last_change:
            self._last_change, self._changed_at = last, now
        quiet = now - self._changed_at > OVERLAP_SECONDS
        self._since = last + (timedelta(microseconds=1) if quiet else -timedelta(seconds=OVERLAP_SECONDS))

    def _learn(self, row: TaskRow) -> None:
        """What is new of a task: attempts that have begun, and whether the last one has ended."""
        known = self._known.get(row.task_no, 0)
        self._known[row.task_no] = max(known, row.attempts)
        if row.attempts > known:
            self._end(row.task_no)
        if row.attempts > known + 1:  # it was tried more than once since the last look
            every = patiently(lambda: self._store.read_attempts(self._run_id, row.task_no))
            for one in every:
                if known < one.attempt < row.attempts:
                    self._begin(row, one.attempt, one.log)
                    self._end(row.task_no, one.end)
        if row.attempts > known and row.output:
            self._begin(row, row.attempts, row.output)
        if row.end:
            self._end(row.task_no, row.end)

    def _begin(self, row: TaskRow, attempt: int, log: str) -> None:
        label = row.id if attempt == 1 else f"{row.id} #{attempt}"
        self._live[row.task_no] = tail = _Tail(clean(label), log)
        self._tails.append(tail)

    def _end(self, task_no: int, end: AttemptEnd | None = None) -> None:
        tail = self._live.pop(task_no, None)
        if tail is None:
            return
        tail.ended = True
        if end and not end.ok:
            tail.end = ending_with_message(end)

    def _show(self, for_seconds: float) -> None:
        until = time.monotonic() + for_seconds
        while True:
            for tail in self._tails:
                self._show_more(tail)
            self._tails = [tail for tail in self._tails if not tail.ended]
            if time.monotonic() >= until:
                return
            time.sleep(LOOK_SECONDS)

    def _show_more(self, tail: _Tail) -> None:
        for line in tail.lines():
            sys.stdout.buffer.write(tail.label.encode("utf-8", "backslashreplace") + b" | " + line + b"\n")
        sys.stdout.buffer.flush()
        if tail.end:
            tell(f"{tail.label}: {tail.end}")

    def _tell_end(self, run: RunRow) -> None:
        state = shown_state(run, is_alive(run))
        if state is RunState.INTERRUPTED:
            tell(f"nobody drives run {run.id} now; to go on: {self._commands.of('resume', run.id)}")
        else:
            tell(f"run {run.id} has ended: {state}")
