"""Where a task goes when an attempt of it is over: the protocol's "What follows from an end"."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum
from typing import NamedTuple

from mflow.core.decisions import Now
from mflow.core.model import AttemptEnd, RetryPolicy
from mflow.core.retry import wait_before_retry
from mflow.core.states import Outcome, TaskState

SHOWS_NO_START = frozenset({Outcome.NOT_STARTED, Outcome.LOST, Outcome.UNKNOWN})
"""Outcomes of attempts that may never have begun."""


class Stop(Enum):
    """Why a run is brought to a halt before its end."""

    SIGNAL = "signal"  # of the supervisor: attempts go back to PENDING, the run stays RUNNING and resumable
    CANCEL = "cancel"  # of the run, on an operator's word: attempts become FAILED (CANCELLED), and so the run


class Witness(Enum):
    """Who saw an attempt end."""

    OWNER = "owner"  # the supervisor that had dispatched it
    ADOPTER = "adopter"  # one that had taken it over alive
    FINDER = "finder"  # one that found it over when it resumed the run

    @classmethod
    def of(cls, *, recovered: bool, adopted: bool) -> Witness:
        """By how its supervisor came to it: `recovered` over, `adopted` alive, or its own."""
        if recovered:
            return cls.FINDER
        return cls.ADOPTER if adopted else cls.OWNER


class Next(NamedTuple):
    """What becomes of the task."""

    to: TaskState
    tries: int  # used up so far
    not_before: datetime | None = None  # earliest next try, to be shown and for a later resume
    wait: float = 0.0  # seconds until then, for whoever lives to wait: the wall clock may be set meanwhile

    def at(self, now: Now) -> float:
        """When the next try may start (monotonic)."""
        return now.mono + self.wait


def what_follows(
    end: AttemptEnd,
    *,
    tries: int,
    policy: RetryPolicy,
    draw: float,
    stopping: Stop | None,
    witness: Witness,
    now: datetime,
) -> Next:
    """`tries` were used up before this attempt; `draw` in [0, 1) is the randomness of a retry's wait.

    An attempt that left survivors is not over, so nothing follows it before a person has looked.
    """
    if end.ok:
        return Next(TaskState.SUCCESS, tries + 1)
    if stopping is Stop.CANCEL or end.survivors:
        return Next(TaskState.FAILED, tries + 1)
    if end.outcome is Outcome.CANCELLED and (stopping or witness is not Witness.OWNER):
        return Next(TaskState.PENDING, tries)  # by a supervisor's stop, ours or that of one before
    if end.outcome is Outcome.LOST and witness is Witness.FINDER:
        return Next(TaskState.PENDING, 0)  # a resume takes it up again like FAILED
    wait = wait_before_retry(policy, end, tries + 1, draw)
    if wait is None:
        return Next(TaskState.FAILED, tries + 1)
    return Next(TaskState.PENDING, tries + 1, now + timedelta(seconds=wait), wait)
