"""The rows of one run that one transaction changes: a constant number of statements, however many rows."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sqlalchemy.engine import Connection

from mflow.core.errors import StoreRefused
from mflow.core.model import Batch, Task
from mflow.store import statements as sql
from mflow.store import values
from mflow.store.dialects import Dialect
from mflow.store.statements import Row, Statement

_ROWS_AT_ONCE = 10_000
"""So many rows of a large run are sent in one call."""

One = TypeVar("One")


class Changes:
    """The statements of one transaction, each for all its rows at once, each row touched or all undone."""

    def __init__(self, dialect: Dialect, conn: Connection, run_id: int) -> None:
        self._dialect, self._conn, self._run_id = dialect, conn, run_id

    def make(self, batch: Batch) -> None:
        """All transitions, in the order that the batch's contract promises."""
        starts = [one for one in batch.progress if one.started_at or one.pid is not None]
        self._each("progress", sql.NOTE_START, values.note_start, starts)
        self._each(
            "progress", sql.NOTE_FACTS, values.note_facts, [one for one in batch.progress if one.facts]
        )
        self._each("ending", sql.END_TASK, values.end_task, batch.endings)
        self._each("ending", sql.END_ATTEMPT, values.end_attempt, batch.endings)
        self._each("give-back", sql.GIVE_BACK_TASK, values.give_back_task, batch.give_backs)
        self._each("give-back", sql.DELETE_ATTEMPT, values.this_attempt, batch.give_backs)
        self._each("reset", sql.RESET_TASK, values.this_task, batch.resets)
        self._each("settle", sql.SETTLE_TASK, values.this_attempt, batch.settles)
        self._each("settle", sql.SETTLE_ATTEMPT, values.end_attempt, batch.settles)
        self._each("claim", sql.CLAIM_TASK, values.claim_task, batch.claims)
        if batch.claims:
            rows = [values.insert_attempt(self._run_id, one) for one in batch.claims]
            self._dialect.many(self._conn, sql.INSERT_ATTEMPT, rows)

    def add(self, numbered: Sequence[tuple[int, Task]], attempts: Mapping[int, int]) -> None:
        """Tasks that join the run, PENDING; `attempts` has the number of the last attempt of those that were tried."""
        for start in range(0, len(numbered), _ROWS_AT_ONCE):
            part = numbered[start : start + _ROWS_AT_ONCE]
            rows = [
                values.insert_task(self._run_id, number, task, attempts.get(number, 0))
                for number, task in part
            ]
            self._dialect.many(self._conn, sql.INSERT_TASK, rows)

    def remove(self, numbers: Sequence[int]) -> None:
        """Tasks that leave the run, with their attempts."""
        rows = [(self._run_id, number) for number in numbers]
        if rows:
            self._dialect.many(self._conn, sql.REMOVE_ATTEMPTS, rows)
        self.set("removed task", sql.REMOVE_TASK, rows)

    def set(self, kind: str, statement: Statement, rows: Sequence[Row]) -> None:
        """Raises StoreRefused unless every row of parameters has touched a row of the table."""
        if not rows:
            return
        touched = self._dialect.many(self._conn, statement, rows)
        if touched != len(rows):
            raise StoreRefused(
                f"run {self._run_id}: {len(rows)} x {kind} expected, but {touched} matched",
                hint="The rows are not as this supervisor left them: were they changed by hand? Nothing was written.",
            )

    def _each(
        self, kind: str, statement: Statement, to_row: Callable[[int, One], Row], ones: Sequence[One]
    ) -> None:
        self.set(kind, statement, [to_row(self._run_id, one) for one in ones])
