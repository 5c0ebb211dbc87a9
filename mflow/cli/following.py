"""`mflow logs --follow`: a log while it grows, from attempt to attempt, until the task has ended."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mflow.cli.boundary import tell
from mflow.cli.hints import Commands
from mflow.cli.logs import copy
from mflow.cli.reading import is_alive
from mflow.cli.wording import ending_with_message, moment
from mflow.core.contracts import AttemptRow
from mflow.core.errors import StoreUnavailable
from mflow.core.model import RunRow, TaskRow
from mflow.core.states import RunState, TaskState
from mflow.core.view import shown_state
from mflow.store.repository import SqlStore

T = TypeVar("T")

LOOK_SECONDS = 0.2
ASK_SECONDS = 1.0
"""How often the log is looked at for more, and how often the database is asked whether the attempt is over."""


class Follower:
    """Follows one task of one run."""

    def __init__(
        self, store: SqlStore, run_id: int, row: TaskRow, only: int | None, commands: Commands
    ) -> None:
        """`only` this attempt, or the last one and those that follow."""
        self._store, self._run_id = store, run_id
        self._task_no, self._task_id = row.task_no, row.id
        self._only, self._commands = only, commands
        self._at = only or (row.attempts if row.log else row.attempts + 1)
        self._position = 0
        self._waiting = False

    def follow(self) -> None:
        """Print until the task has ended, or nobody drives the run any more."""
        while True:
            over = self._nothing_comes(patiently(lambda: self._store.read_run(self._run_id)))
            attempt = self._attempt()
            if attempt:
                self._copy(attempt, patient=not attempt.end and not over)
            if over or (attempt and attempt.end and not self._goes_on(attempt)):
                return
            if not attempt:
                self._wait_for_it()

    def _attempt(self) -> AttemptRow | None:
        attempts = patiently(lambda: self._store.read_attempts(self._run_id, self._task_no))
        return next((one for one in attempts if one.attempt == self._at), None)

    def _nothing_comes(self, run: RunRow) -> bool:
        state = shown_state(run, is_alive(run))
        if state is RunState.INTERRUPTED:
            tell(f"nobody drives run {run.id} now; to go on: {self._commands.of('resume', run.id)}")
        return state not in (RunState.RUNNING, RunState.PENDING)

    def _copy(self, attempt: AttemptRow, *, patient: bool) -> None:
        """Print what there is, and for a while what comes."""
        until = time.monotonic() + (ASK_SECONDS if patient else 0.0)
        while True:
            if attempt.end or Path(attempt.log).exists():
                self._position = copy(attempt.log, self._position)
            if time.monotonic() >= until:
                return
            time.sleep(LOOK_SECONDS)

    def _goes_on(self, ended: AttemptRow) -> bool:
        """After an attempt's end: whether another one follows, which is then the one to follow."""
        assert ended.end
        row = patiently(lambda: self._store.read_task(self._run_id, self._task_id))
        again = row is not None and row.state in (TaskState.PENDING, TaskState.RUNNING)
        later = f"; next try at {moment(row.not_before)}" if again and row and row.not_before else ""
        tell(f"attempt {ended.attempt}: {ending_with_message(ended.end)}{later}")
        self._at, self._position, self._waiting = self._at + 1, 0, again
        return again and self._only is None

    def _wait_for_it(self) -> None:
        if not self._waiting:
            tell(f"attempt {self._at} has not begun yet")
        self._waiting = True
        time.sleep(ASK_SECONDS)


def patiently(ask: Callable[[], T]) -> T:
    """The answer of a database that may be away for a while: who follows a log can wait."""
    while True:
        try:
            return ask()
        except StoreUnavailable:
            time.sleep(ASK_SECONDS)
