"""The values everything else speaks in. All frozen; instants are aware UTC, durations are seconds.

Two groups: what the user asked for (definition, task, retry policy), and what happened (identity, attempt
end, claims and the batch that persists them). What is made anew for every task is a named tuple: it costs a third
of a frozen dataclass.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from mflow.core.states import Outcome, RunState, TaskState


class Backoff(StrEnum):
    """How the wait between two tries grows."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a failed attempt is tried again. `attempts` counts all tries: `retries: 3` is `attempts: 4`."""

    attempts: int = 1
    wait_seconds: float = 0.0
    backoff: Backoff = Backoff.FIXED
    max_wait_seconds: float | None = None
    jitter: float = 0.0  # up to so many seconds are added to a wait
    on_exit_codes: tuple[int, ...] | None = None  # None: any
    on_errors: tuple[str, ...] | None = None  # outcomes, signals, ORA- codes; None: the default outcomes


@dataclass(frozen=True, slots=True)
class Task:
    """One node of the graph, as the user defined it.

    `options` holds the keys of the task's own type (`command`, `db`, ...), JSON values only.
    """

    id: str
    type: str
    depends: tuple[str, ...] = ()
    retry: RetryPolicy = RetryPolicy()
    timeout_seconds: float | None = None
    cwd: str | None = None
    env: tuple[tuple[str, str], ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Definition:
    """What a run executes: its tasks in the order of the task file, and where they came from."""

    tasks: tuple[Task, ...]
    taskfile: str  # absolute path
    cwd: str  # absolute path: what relative paths of tasks are relative to
    config: str | None = None  # absolute path of config.json, if there was one
    datasources: str | None = None  # absolute path of oracle.json, if there was one
    oneshot: str | None = None  # the one task this run was made for
    numbers: tuple[int, ...] = ()  # of the tasks, ascending; () means 0, 1, 2 ... (only an edit leaves gaps)

    @property
    def task_numbers(self) -> Sequence[int]:
        """The number of each task in the run, in the order of `tasks`."""
        return self.numbers or range(len(self.tasks))


class OnSupervisorDeath(StrEnum):
    """What the workers do with their tasks when the supervisor is gone."""

    CONTINUE = "continue"
    KILL = "kill"


class Leftovers(StrEnum):
    """What becomes of processes that a successful attempt left behind."""

    KEEP = "keep"
    KILL = "kill"


@dataclass(frozen=True, slots=True)
class Config:
    """What config.json says, with its defaults. `database` may hold a password and is not shown."""

    max_process_concurrency: int  # 1 or more; the only value that changes live
    log_directory: str  # absolute path
    check_new_config_interval: float = 1.0  # seconds
    env: tuple[tuple[str, str], ...] = ()  # expanded
    env_taken: tuple[tuple[str, str], ...] = field(default=(), compare=False)
    """(key, name) of the variables of the environment that `env` was made from."""
    database: str | None = field(default=None, repr=False)  # SQLAlchemy URL; a SQLite path in it is absolute
    kill_grace_seconds: float = 10.0
    retry: RetryPolicy = RetryPolicy()  # of a task that says nothing; already merged into every task
    on_supervisor_death: OnSupervisorDeath = OnSupervisorDeath.CONTINUE
    leftovers: Leftovers = Leftovers.KEEP
    database_patience_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Datasource:
    """One connection of oracle.json. Its passwords are never shown."""

    name: str
    connection_string: str  # EZConnect, a full descriptor, or an alias of tnsnames.ora
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    config_dir: str | None = None  # where tnsnames.ora is
    wallet_location: str | None = None
    wallet_password: str | None = field(default=None, repr=False)
    thick: bool | str = False  # True, or the folder of the Instant Client
    expire_time_minutes: int | None = None
    schema: str | None = None  # owner of the tables, if not `user`
    disable_oob: bool = False  # breaks are sent in band
    session_sql: tuple[str, ...] = ()  # sent after each login of a task's session


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process, without doubt: a pid alone may be another process tomorrow.

    `start_ticks` is field 22 of /proc/PID/stat (clock ticks since boot), `pid_ns` the inode of its pid
    namespace, `boot_id` the kernel's random id of this boot. A process is told by these. The host's name, which may
    be changed or given twice, and the id of the machine, which a container may lack and a cloned disk may share, only
    say where to look (`core.kernels`).
    """

    host: str = field(compare=False)
    boot_id: str
    pid_ns: int
    pid: int
    start_ticks: int
    machine_id: str | None = field(default=None, compare=False)  # of the installed system; None: it has none

    def same_kernel(self, other: "Identity") -> bool:
        """True if a pid of the one can be looked up by the other."""
        return (self.boot_id, self.pid_ns) == (other.boot_id, other.pid_ns)


class AttemptEnd(NamedTuple):
    """How one attempt ended, as its worker saw it (or as it was proven afterwards)."""

    outcome: Outcome
    exit_code: int | None = None
    signal: str | None = None  # "SIGKILL"
    error: str | None = None  # "ORA-01403", a cluster's own code
    message: str | None = None  # one line for a person
    started_at: datetime | None = None
    ended_at: datetime | None = None
    cpu_seconds: float | None = None
    max_rss_bytes: int | None = None
    survivors: tuple[int, ...] = ()  # pids that could not be ended; of UNKNOWN also what may be of it
    leftovers: tuple[int, ...] = ()  # pids left behind on purpose after SUCCESS
    retry_safe: bool | None = (
        None  # the task type's word on a further try; None: the retry policy's. Not kept.
    )

    @property
    def ok(self) -> bool:
        """True iff the attempt did what it was asked to."""
        return self.outcome is Outcome.EXITED and self.exit_code == 0


class Claim(NamedTuple):
    """PENDING -> RUNNING: this attempt of this task will be run by this worker."""

    task_no: int  # position of the task in the run, from 0
    attempt: int  # from 1
    worker: Identity
    log: str  # absolute path of the attempt's log
    claimed_at: datetime


class Ending(NamedTuple):
    """RUNNING -> SUCCESS, FAILED or PENDING (retry, or stopped): an attempt is over."""

    task_no: int
    attempt: int
    to: TaskState
    tries: int  # used up so far of the retry policy's attempts
    end: AttemptEnd
    not_before: datetime | None = None  # earliest next try


@dataclass(frozen=True, slots=True)
class GiveBack:
    """RUNNING -> PENDING: proven not begun. The attempt's row is removed and its number used again."""

    task_no: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Reset:
    """FAILED -> PENDING (resume), or the budget of tries made new."""

    task_no: int


@dataclass(frozen=True, slots=True)
class Settle:
    """FAILED (UNKNOWN) -> SUCCESS: proof of a good end was found when the run was resumed."""

    task_no: int
    attempt: int
    end: AttemptEnd


@dataclass(frozen=True, slots=True)
class Progress:
    """What a worker says of a live attempt. None leaves a column as it is."""

    task_no: int
    attempt: int
    started_at: datetime | None = None
    pid: int | None = None  # leader of the attempt's processes
    facts: Mapping[str, Any] | None = None  # a task type's own: a session, an application id (JSON values)
    leader_ticks: int | None = None  # when the leader of pid `pid` started, in clock ticks since the boot


@dataclass(frozen=True, slots=True)
class Batch:
    """All that one turn of the loop persists: one transaction, conditional on the fence.

    Applied in this order: progress, endings, give-backs, resets, settles, claims. So an attempt may both begin
    and end in a batch, and a task that goes back to PENDING may be claimed again, by its next attempt or (given
    back) by the same number.

    `number` counts the batches of one ownership from 1. The store keeps the last number in the run's row,
    so that after a commit whose answer was lost it can be looked up whether the batch was applied.
    """

    number: int
    claims: tuple[Claim, ...] = ()
    endings: tuple[Ending, ...] = ()
    give_backs: tuple[GiveBack, ...] = ()
    resets: tuple[Reset, ...] = ()
    settles: tuple[Settle, ...] = ()
    progress: tuple[Progress, ...] = ()
    run_state: RunState | None = None  # the run goes there with this batch
    release: bool = False  # the owner lets go of the run with this batch
    interrupted_by: str | None = None  # what makes it let go of a run that has not ended

    @property
    def empty(self) -> bool:
        """True if there is nothing to persist."""
        return not (
            self.claims
            or self.endings
            or self.give_backs
            or self.resets
            or self.settles
            or self.progress
            or self.run_state
            or self.release
        )


@dataclass(frozen=True, slots=True)
class Owner:
    """Who drives a run: the supervisor's identity, and since when."""

    identity: Identity
    user: str
    since: datetime


LOG_FACT = "log"
"""The fact under which a worker says where an attempt's log is, if it could not be where its row says."""


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task as the store has it, its last attempt's facts folded in (None where there is no attempt)."""

    task_no: int
    id: str
    type: str
    state: TaskState
    attempts: int = 0  # number of the last attempt
    tries: int = 0  # used up of the retry policy's attempts
    max_attempts: int = 1
    not_before: datetime | None = None
    worker: Identity | None = None
    pid: int | None = None
    claimed_at: datetime | None = None
    log: str | None = None  # where it was to be
    end: AttemptEnd | None = None  # of the last attempt, if it is over
    started_at: datetime | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    leader_ticks: int | None = None  # when the process `pid` started, in clock ticks since its host's boot

    @property
    def output(self) -> str | None:
        """Where the last attempt's log is: for who reads it."""
        found: str | None = self.facts.get(LOG_FACT, self.log)
        return found


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run as the store has it."""

    id: int
    uid: str  # random, 32 hex digits
    state: RunState
    taskfile: str
    cwd: str
    config: str | None
    datasources: str | None
    oneshot: str | None
    folder: str  # absolute path of the attempts' logs
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    fence: int
    owner: Owner | None
    lease_expired: bool | None  # by the database's clock; None without an owner
    cancelled_by: str | None = None
    cancelled_at: datetime | None = None
    parent_run: int | None = None
    parent_task: str | None = None
    parent_attempt: int | None = None
    parent_uid: str | None = None  # random id of the parent run
    call_digest: str | None = None  # what its parent's task called: file, date, resolved variables
    call_no: int | None = None  # which of that task's equal calls it was, from 1
    lease_until: datetime | None = None  # by the database's clock; None without an owner
    interrupted_at: datetime | None = None  # when its supervisor let go of it unfinished; None if it did not
    interrupted_by: str | None = None  # what stopped that supervisor
    idle_seconds: float = 0.0  # how long in all nobody drove it, up to the last resume


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run with the number of its tasks in each state, for lists."""

    run: RunRow
    counts: Mapping[TaskState, int]
