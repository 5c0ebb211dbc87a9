"""Looking at what a run that nobody drives has left, without touching anything: no sweep, and nothing is secured."""

from collections.abc import Iterable
from dataclasses import replace

from mflow.core.model import RunRow, TaskRow
from mflow.core.prospect import Prospect, prospect
from mflow.core.recovery import Sweep, Swept, decide
from mflow.core.states import TaskState
from mflow.engine.evidence import look
from mflow.engine.identity import is_alive, own_identity


def foresee(run: RunRow, rows: Iterable[TaskRow]) -> dict[int, Prospect]:
    """Of every RUNNING row, by the number of its task: what a resume on this machine would make of it."""
    return {row.task_no: _foresee(run, row) for row in rows if row.state is TaskState.RUNNING}


def _foresee(run: RunRow, row: TaskRow) -> Prospect:
    evidence = look(run, row)
    decision = decide(row, evidence)
    if isinstance(decision, Sweep):  # as if it had ended all that there may be
        decision = decide(row, replace(evidence, swept=Swept()))
    return prospect(decision, leader_alive=_leader_lives(row))


def _leader_lives(row: TaskRow) -> bool:
    """Whether the process that leads the attempt is there, as far as this machine can tell."""
    if row.worker is None or row.pid is None or row.leader_ticks is None:
        return False
    leader = replace(row.worker, pid=row.pid, start_ticks=row.leader_ticks)
    return leader.same_kernel(own_identity()) and bool(is_alive(leader))
