"""What the supervisor and a worker say to one another, and the settings a worker starts with.

::

    supervisor --Run, Stop, GiveBack, Ack, FactsKept, Quit--> worker
    supervisor <--Hello, Started, Facts, Ended, Returned, Lacking-- worker

A worker runs one attempt at a time; `Run`s beyond that wait in it and begin the instant the one before has ended.
An attempt is named by `(task_no, attempt)`. Messages are small tuples; how they become bytes is `wire`'s matter.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd, Identity

AttemptKey = tuple[int, int]
"""(task_no, attempt)"""


class Run(NamedTuple):
    """Run this attempt, after those sent before it."""

    job: Job


class Stop(NamedTuple):
    """End this attempt: ask at once, kill when the grace is over. Said again, the shorter grace holds.

    One that has not begun is given back (`Returned`). One that is over is no mistake.
    """

    task_no: int
    attempt: int
    grace_seconds: float


class GiveBack(NamedTuple):
    """Forget those of these attempts that have not begun. Answered by one `Returned`."""

    attempts: tuple[AttemptKey, ...]


class Ack(NamedTuple):
    """The ends of these attempts are committed: forget them."""

    attempts: tuple[AttemptKey, ...]


class FactsKept(NamedTuple):
    """The facts of this serial number, and all before it, are committed."""

    task_no: int
    attempt: int
    serial: int


class Quit(NamedTuple):
    """Exit as soon as nothing runs and every end is acknowledged or in its file. What is queued is dropped."""


class Hello(NamedTuple):
    """The first message: who the worker is. Jobs may be sent from now on."""

    identity: Identity


class Started(NamedTuple):
    """An attempt has been running for a moment. Not sent for short ones: their end says when they started."""

    task_no: int
    attempt: int
    pid: int | None  # leader of the attempt's processes
    started_at: datetime
    leader_ticks: int | None = None  # when that leader started; None if there is none, or it has just ended


class Facts(NamedTuple):
    """What a task type recorded of its attempt: to be merged over earlier facts.

    `serial` counts from 1 in each worker, not in each attempt: the number of one that could not begin is used again.
    """

    task_no: int
    attempt: int
    facts: Mapping[str, Any]
    serial: int


class Ended(NamedTuple):
    """An attempt is over. To be acknowledged once committed.

    `retiring`: the worker leaves processes behind or is unfit. It begins nothing more, gives back what is queued
    (a `Returned` comes before this message), and exits once everything is acknowledged.
    """

    task_no: int
    attempt: int
    end: AttemptEnd
    retiring: bool = False


class Returned(NamedTuple):
    """These attempts had not begun, and never will in this worker."""

    attempts: tuple[AttemptKey, ...]


class Lacking(NamedTuple):
    """An attempt has not begun, and never will in this worker, since the machine lacks something for now.

    What was queued behind it is given back, too (a `Returned` comes before this message). There is no end to be kept.
    """

    task_no: int
    attempt: int
    what: str  # is lacking, in words for a person
    spent: bool  # its log is there and could not be removed


Request = Run | Stop | GiveBack | Ack | FactsKept | Quit
Report = Hello | Started | Facts | Ended | Returned | Lacking


@dataclass(frozen=True)
class WorkerSettings:
    """What holds for all attempts of a worker."""

    run_id: int
    run_uid: str
    supervisor: Identity
    environ: Mapping[str, str]  # what every task's environment is made from
    grace_seconds: float  # between ASK and KILL when no `Stop` says otherwise: deadlines, a dead supervisor
    runners: Mapping[str, str]  # task type -> "module:attribute" of a class or function that makes its Runner
    fallback_folder: (
        str  # absolute; this run's own: for logs and outcomes when the job's folder cannot be had
    )
    leftovers: Literal["keep", "kill"] = "keep"
    on_supervisor_death: Literal["continue", "kill"] = "continue"
    ack_seconds: float = 5.0  # an end not acknowledged for so long is written to its file
    started_after_seconds: float = 0.05  # a shorter attempt sends no `Started`
