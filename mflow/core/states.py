"""The words for where a task or run is, and why an attempt ended. A leaf: it imports nothing of mflow.

::

    task:   PENDING --dispatch--> RUNNING --ok--> SUCCESS
               ^                    |  \\--no tries left, cancelled--> FAILED
               |--retry, given back-/                                  |
               \\--------------------- resume --------------------------/
    run:    PENDING -> RUNNING -> SUCCESS | FAILED      (a resume leads back to RUNNING)
"""

from enum import StrEnum


class TaskState(StrEnum):
    """Where a task is. Four persisted states, no more."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class RunState(StrEnum):
    """Where a run is. INTERRUPTED is never stored: it is derived when a run is shown."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    INTERRUPTED = "INTERRUPTED"


OVER = (RunState.SUCCESS, RunState.FAILED)
"""A run that is so has ended; a resume may lead it back to RUNNING."""


class Outcome(StrEnum):
    """Why an attempt ended, in one word."""

    EXITED = "EXITED"  # by itself, with an exit code
    SIGNALLED = "SIGNALLED"  # by a signal that mflow did not send
    ERROR = "ERROR"  # with a database's or cluster's own error code
    TIMED_OUT = "TIMED_OUT"  # ended by mflow at its deadline
    NOT_STARTED = "NOT_STARTED"  # nothing of it ever ran
    CANCELLED = "CANCELLED"  # ended by mflow on somebody's word
    LOST = "LOST"  # it began and is over; how it ended is not known
    UNKNOWN = "UNKNOWN"  # whether it is over cannot be proven


_P, _R, _S, _F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED

TASK_TRANSITIONS: frozenset[tuple[TaskState, TaskState]] = frozenset(
    {
        (_P, _R),  # dispatch
        (_R, _S),  # ended well
        (_R, _F),  # ended, and no try is left
        (_R, _P),  # retry, given back, or stopped together with its supervisor
        (_F, _P),  # resume
        (_F, _S),  # resume found proof that an UNKNOWN attempt had ended well
    }
)

RUN_TRANSITIONS: frozenset[tuple[RunState, RunState]] = frozenset(
    {
        (RunState.PENDING, RunState.RUNNING),
        (RunState.PENDING, RunState.FAILED),  # cancelled before anything began
        (RunState.RUNNING, RunState.SUCCESS),
        (RunState.RUNNING, RunState.FAILED),
        (RunState.FAILED, RunState.RUNNING),  # resume
        (RunState.SUCCESS, RunState.RUNNING),  # resume with tasks added
    }
)


def check_task_transition(before: TaskState, after: TaskState) -> None:
    """Raise AssertionError unless a task may go from `before` to `after`: a wrong one is a defect of mflow."""
    if (before, after) not in TASK_TRANSITIONS:
        raise AssertionError(f"no task goes from {before} to {after}")
