"""Processes that are there and do nothing: stopped by SIGSTOP, a terminal or a debugger, as far as can be seen here."""

from collections.abc import Iterable
from dataclasses import replace

from mflow.core.model import Identity, TaskRow
from mflow.core.states import TaskState
from mflow.engine.identity import is_stopped, own_identity


def stalls(rows: Iterable[TaskRow]) -> dict[int, str]:
    """Of RUNNING tasks whose worker or process is stopped, by their numbers: which, and what lets it go on."""
    here = own_identity()
    found = {row.task_no: _stall(row, here) for row in rows if row.state is TaskState.RUNNING}
    return {task_no: text for task_no, text in found.items() if text}


def _stall(row: TaskRow, here: Identity) -> str:
    worker = row.worker
    if worker is None or not worker.same_kernel(here):
        return ""
    if is_stopped(worker):
        return f"its worker is stopped, and no time-out is kept until it goes on: kill -CONT {worker.pid}"
    if row.pid is not None and row.leader_ticks is not None:
        leader = replace(worker, pid=row.pid, start_ticks=row.leader_ticks)
        if is_stopped(leader):
            return f"it is stopped: kill -CONT {row.pid}"
    return ""
