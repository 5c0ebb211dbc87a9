"""What is read of runs, each answer in a transaction of its own."""

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from mflow.core.contracts import AttemptRow
from mflow.core.errors import StoreRefused
from mflow.core.kept import definition_from_json, graph_from_json, part_from_json
from mflow.core.model import Definition, RunRow, RunSummary, TaskRow
from mflow.core.states import TaskState
from mflow.store import reading
from mflow.store.transactions import Transactions

One = TypeVar("One")


class Reader(Transactions):
    """The half of the repository that changes nothing."""

    def read_run(self, run_id: int) -> RunRow:
        """The run's row."""
        with self._reading() as conn:
            row = reading.run_by_id(conn, run_id)
            if row is None:
                raise self._not_found(conn, run_id)
        return row

    def newest_run(self) -> RunRow | None:
        """The run that was made last, of those that no other run has started if there are any."""
        with self._reading() as conn:
            outer = reading.newest_outer_run(conn, self.dialect.newest_first)
            found = [] if outer else reading.newest_runs(conn, self.dialect.newest_first, 1)
        return found[0] if found else outer

    def owned_runs(self) -> list[RunRow]:
        """The runs that have an owner, alive or not, by their ids."""
        with self._reading() as conn:
            return reading.owned_runs(conn)

    def list_runs(self, limit: int | None = None) -> list[RunSummary]:
        """Newest first, each with the number of its tasks in every state."""
        with self._reading() as conn:
            found = reading.newest_runs(conn, self.dialect.newest_first, limit)
            ids = [run.id for run in found]
            numbers = reading.counts(conn, min(ids), max(ids)) if found else {}
        return [RunSummary(run, _all_four(numbers.get(run.id, {}))) for run in found]

    def counts(self, run_id: int) -> dict[TaskState, int]:
        """How many tasks of the run are in each state; all four, always."""
        with self._reading() as conn:
            return _all_four(reading.counts(conn, run_id, run_id).get(run_id, {}))

    def read_tasks(self, run_id: int) -> list[TaskRow]:
        """All tasks of the run in the order of their numbers, each with its last attempt."""
        with self._reading() as conn:
            return reading.all_tasks(conn, run_id)

    def read_task(self, run_id: int, task_id: str) -> TaskRow | None:
        """One task with its last attempt, or None."""
        with self._reading() as conn:
            return reading.task_by_id(conn, run_id, task_id)

    def read_notable(self, run_id: int, limit: int) -> list[TaskRow]:
        """Of a large run: what runs, then what failed, then what waits for its next try, of each at most `limit`."""
        with self._reading() as conn:
            return reading.notable_tasks(conn, run_id, limit)

    def read_running(self, run_id: int) -> list[TaskRow]:
        """The tasks of the run that are RUNNING."""
        with self._reading() as conn:
            return reading.running_tasks(conn, run_id)

    def read_unfinished(self, run_id: int) -> dict[str, TaskState]:
        """The state of every task that is not SUCCESS, by its id."""
        with self._reading() as conn:
            return reading.unfinished(conn, run_id)

    def read_attempts(self, run_id: int, task_no: int) -> list[AttemptRow]:
        """All attempts of one task, oldest first."""
        with self._reading() as conn:
            return reading.task_attempts(conn, run_id, task_no)

    def read_all_attempts(self, run_id: int) -> list[AttemptRow]:
        """All attempts of the run, by the numbers of their tasks, then oldest first."""
        with self._reading() as conn:
            return reading.all_attempts(conn, run_id)

    def read_touched(self, run_id: int, since: datetime) -> tuple[list[TaskRow], datetime | None]:
        """The tasks that were tried and have changed since then; and when a task had last changed before this look."""
        with self._reading() as conn:
            last = reading.last_change(conn, run_id)
            return reading.touched_tasks(conn, run_id, since), last

    def read_definition(self, run_id: int) -> Definition:
        """The definition the run was started with, or was last resumed with."""
        return self._parsed(run_id, definition_from_json)

    def read_part(self, run_id: int, ids: Collection[str]) -> Definition:
        """The definition with these of its tasks only. Quicker than the whole."""
        return self._parsed(run_id, lambda text: part_from_json(text, ids))

    def read_environment(self, run_id: int) -> str | None:
        """What was kept of the environment the run was started in; None of a run that an older mflow began."""
        with self._reading() as conn:
            return reading.environment_text(conn, run_id)

    def read_graph(self, run_id: int) -> list[tuple[str, Sequence[str]]]:
        """Of every task of the definition: its id, and those that it depends on. Quicker than the definition."""
        return self._parsed(run_id, graph_from_json)

    def _parsed(self, run_id: int, parse: Callable[[str], One]) -> One:
        with self._reading() as conn:
            text = reading.definition_text(conn, run_id)
            if text is None:
                raise self._not_found(conn, run_id)
        try:
            return parse(text)
        except ValueError as error:
            raise StoreRefused(
                f"{self.url}: the kept definition of run {run_id} is damaged: {error}"
            ) from error


def _all_four(counts: Mapping[TaskState, int]) -> dict[TaskState, int]:
    return {state: counts.get(state, 0) for state in TaskState}
