"""What the rooms of the house promise one another. Protocols only; the cli joins those who keep them.

`engine`, `tasks` and `store` never import each other: the engine drives a `Store` and starts `Runner`s without
knowing which.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, NamedTuple, Protocol, runtime_checkable

from mflow.core.model import (
    AttemptEnd,
    Batch,
    Definition,
    Owner,
    Progress,
    Reset,
    RunRow,
    RunSummary,
    Task,
    TaskRow,
)
from mflow.core.states import TaskState

LEASE_SECONDS = 60.0
"""A supervisor that has not written for so long, by the database's clock, may be taken for dead by another host."""

# --------------------------------------------------------------------------------------------- the store


@dataclass(frozen=True, slots=True)
class NewRun:
    """What is known of a run before the database gives it an id."""

    uid: str
    definition: Definition
    owner: Owner
    parent_run: int | None = None
    parent_task: str | None = None
    parent_attempt: int | None = None
    parent_uid: str | None = None
    call_digest: str | None = None
    call_no: int | None = None  # None: the next of the equal calls of its parent's task
    environment: str | None = field(default=None, repr=False)  # see `core.environment`


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a heartbeat brings back."""

    cancelled_by: str | None  # somebody asked for the run's end


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """One attempt as the store has it."""

    task_no: int
    attempt: int
    log: str  # where it is, which may be elsewhere than it was to be
    claimed_at: datetime
    started_at: datetime | None
    end: AttemptEnd | None


@dataclass(frozen=True, slots=True)
class Edit:
    """A kept definition replaced at a resume. Row numbers of kept tasks never change.

    `added` tasks get the numbers that follow; `removed` ones (never SUCCESS, never RUNNING) leave the run.
    `attempts` has the last attempt's number of an added task that was in the run before: its logs are there still.
    """

    definition: Definition
    added: tuple[tuple[int, Task], ...] = ()
    removed: tuple[int, ...] = ()
    changed: tuple[tuple[int, Task], ...] = ()
    resets: tuple[Reset, ...] = ()
    attempts: Mapping[int, int] = field(default_factory=dict)


class Store(Protocol):
    """One repository over one database. Every method is one bounded attempt: it never sleeps in a retry.

    Raises StoreUnavailable (waiting may help), StoreOutdated or StoreRefused (it will not), and what each
    method names. A Store belongs to the thread that uses it first.
    """

    url: str  # without password, for messages

    def create_run(self, new: NewRun, *, log_directory: str) -> RunRow:
        """Insert the run and its tasks, all PENDING, owned by `new.owner` with fence 1; one transaction.

        The row's `folder` is `<log_directory>/run-<id>`; the caller may change it with `set_folder`.
        """
        ...

    def children(self, run_id: int, uid: str, task: str | None = None) -> Sequence[RunRow]:
        """The runs that tasks of this run have made in this database, oldest first; all, or those of one task."""
        ...

    def take_child(self, run_id: int, *, read: int, attempt: int) -> bool:
        """Make the run one of this attempt of its parent, if it is one of the attempt `read`; False if it is not.

        Compare-and-set: of two calls of one attempt only one takes it. Which of them did cannot be told after a commit
        whose answer was lost.
        """
        ...

    def set_folder(self, run_id: int, fence: int, folder: str) -> None:
        """Keep where the attempts' logs of this run are. Raises Superseded."""
        ...

    def read_run(self, run_id: int) -> RunRow:
        """Raises RunNotFound (its hint says so if the id is a run of the origin's tables)."""
        ...

    def newest_run(self) -> RunRow | None:
        """The run that was made last, of those that no other run has started if there are any."""
        ...

    def list_runs(self, limit: int | None = None) -> Sequence[RunSummary]:
        """Newest first."""
        ...

    def owned_runs(self) -> Sequence[RunRow]:
        """The runs that have an owner, alive or not, by their ids."""
        ...

    def read_tasks(self, run_id: int) -> Sequence[TaskRow]:
        """All tasks of the run in the order of their numbers, each with its last attempt."""
        ...

    def read_attempts(self, run_id: int, task_no: int) -> Sequence[AttemptRow]:
        """All attempts of one task, oldest first."""
        ...

    def read_definition(self, run_id: int) -> Definition:
        """The definition the run was started with, or was last resumed with."""
        ...

    def read_unfinished(self, run_id: int) -> Mapping[str, TaskState]:
        """The state of every task that is not SUCCESS, by its id."""
        ...

    def read_environment(self, run_id: int) -> str | None:
        """What was kept of the environment the run was started in; None of a run that an older mflow began."""
        ...

    def keep_environment(self, run_id: int, fence: int, environment: str) -> None:
        """Keep this text instead. Raises Superseded."""
        ...

    def acquire(self, run_id: int, owner: Owner, *, fence: int, lapsed: bool = False) -> int:
        """Become the owner by compare-and-set on the fence last read; the new fence. Raises Superseded.

        `lapsed`: only if the lease has run out, too, by the database's clock at this moment. A request for the
        run's end stays until the run has ended; of a run that has, it is forgotten. The time in which nobody drove
        the run is added to its `idle_seconds`.
        """
        ...

    def edit(self, run_id: int, fence: int, edit: Edit) -> None:
        """Replace the kept definition; one transaction, conditional on the fence. Raises Superseded."""
        ...

    def apply(self, run_id: int, fence: int, batch: Batch) -> None:
        """Persist a batch in one transaction conditional on the fence; renews the lease.

        Raises Superseded if the fence is no longer ours. Every transition is a compare-and-set; one that does
        not match raises StoreRefused and nothing of the batch is applied. StoreUnavailable with
        `applied_unknown` means: ask `was_applied`.
        """
        ...

    def was_applied(self, run_id: int, fence: int, number: int) -> bool:
        """Whether the batch of this number (and fence) is in the database. Raises Superseded."""
        ...

    def heartbeat(self, run_id: int, fence: int) -> Pulse:
        """Renew the lease. Raises Superseded."""
        ...

    def request_cancel(self, run_id: int, by: str) -> None:
        """Record who asked for the run's end and when; the first one stays. Of no effect once the run has ended."""
        ...

    def close(self) -> None:
        """Let go of the database. Never raises."""
        ...


# ------------------------------------------------------------------------------------- tasks in a worker


class Job(NamedTuple):
    """One attempt, as a worker gets it: everything expanded, everything absolute."""

    task_no: int
    attempt: int
    task_id: str
    type: str
    options: Mapping[str, Any]
    env: Mapping[str, str]  # beside the worker's own environment
    cwd: str
    timeout_seconds: float | None
    log: str  # absolute path; created by the worker, exclusively, before anything starts
    private: Mapping[str, Any]  # a connection with its password: never persisted
    previous: Mapping[str, Any]  # facts of the last attempt, if its end is unproven
    behind_others: bool = False  # tasks before it may have made its files: they were not looked at before


class StopStep(IntEnum):
    """How an attempt is ended, top down. The worker takes the next step when its time has come."""

    ASK = 1  # at once: TERM to the leader, or cancel the call
    INSIST = 2  # when the leader is gone or half the grace is over: TERM to what remains
    KILL = 3  # at the grace's end, and again until nothing is left


class Running(Protocol):
    """An attempt under way, in the worker's only thread; whatever blocks belongs into a thread of its own."""

    pid: int | None  # leader of the attempt's own session of processes, if it has one

    def fileno(self) -> int:
        """A descriptor that becomes readable when the attempt has ended by itself or by a stop."""
        ...

    def finish(self) -> AttemptEnd:
        """Called once, after `fileno()` became readable: how it ended, as far as the task type can tell.

        The worker overrides the outcome with TIMED_OUT or CANCELLED when it stopped the attempt and the type
        does not say UNKNOWN, and adds times and survivors. A good end of a `Remote` counts in spite of a stop: it
        says that the work elsewhere is done.
        """
        ...

    def stop(self, step: StopStep) -> None:
        """End the attempt's own work; must not block. Processes are also swept by the worker at each step."""
        ...


@runtime_checkable
class Remote(Running, Protocol):
    """An attempt whose work is elsewhere, too: ending that takes commands of its own, and time."""

    patience_seconds: float  # after KILL, until it is given up as UNKNOWN; `fileno` should be readable before

    @property
    def sessions(self) -> frozenset[int]:
        """Sessions of processes that are ending the work elsewhere: not swept while `fileno` is not readable."""
        ...


class Workbench(Protocol):
    """What a worker offers to the task types it runs."""

    @property
    def log_fd(self) -> int:
        """The attempt's log, open for appending."""
        ...

    @property
    def run_id(self) -> int:
        """The run the attempt belongs to."""
        ...

    @property
    def run_uid(self) -> str:
        """The run's random id."""
        ...

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment the attempt's processes get, the job's `env` included."""
        ...

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Running:
        """Start a process as leader of a session of its own, stdin from /dev/null, stdout and stderr to the log.

        In the job's `cwd`, with `environ` (or `env` instead of it). Raises OSError if it cannot be started.
        """
        ...

    def record(self, facts: Mapping[str, Any], *, wait_seconds: float = 0.0) -> bool:
        """Keep JSON values that identify work outside this host (a session, an application id).

        May be called from any thread. Waits up to `wait_seconds` until they are committed; True if they are.
        """
        ...


class Runner(Protocol):
    """How a worker runs attempts of one task type."""

    def start(self, job: Job, bench: Workbench) -> Running:
        """Begin the attempt; must return at once. An OSError or ValueError means it could not be started."""
        ...


__all__ = [
    "LEASE_SECONDS",
    "AttemptRow",
    "Edit",
    "Job",
    "NewRun",
    "Progress",
    "Pulse",
    "Remote",
    "Runner",
    "Running",
    "StopStep",
    "Store",
    "Workbench",
]
