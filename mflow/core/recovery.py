"""What a resume makes of an attempt that nobody watched: from evidence to a decision. Pure.

`decide` is asked for every RUNNING row before anything starts, for every adopted attempt when its worker has
died, and for every FAILED row whose attempt was never proven over (`is_unproven`). Two decisions ask for more:
carry them out, gather the evidence anew, ask again.

A RUNNING row:

    where the worker ran     worker  outcome file  log                      decision
    -----------------------  ------  ------------  -----------------------  -----------------------------------
    anywhere                 any     matches       any (but see Secure)     Take what the file says
    another machine, pid     -       none          any                      Take UNKNOWN: it cannot be probed
      namespace; not known
    here before a restart    -       none          any                      Take LOST: the restart ended it
    here                     alive   none          FOUND or UNPROVEN        Adopt
    here                     alive   none          ABSENT                   Secure: it may begin this instant
    here                     any     none          SECURED                  NotBegun, its number is spent
    here                     dead    none          ABSENT                   NotBegun, its number is free
    here                     dead    none          FOUND or UNPROVEN        Sweep, then Take LOST, or UNKNOWN if
                                                                              the sweep left survivors
    here                     hidden  none          any                      Take UNKNOWN

    (which of these places it was: `core.kernels`)

A FAILED row that is unproven, at a later resume: where a RUNNING row leads to Adopt or to survivors, it Stays
as it is; a file with a good end is Settled; all else, another host included (this resume is the operator's word),
is tried Again.

Evidence must be gathered in this order, or an attempt that ends meanwhile looks lost: first whether the worker
lives, then the outcome file, then the log, then the sweep.

**Secure.** A worker whose supervisor has died begins nothing that is queued in it, but it may have looked just
before that death. The log's name is the referee, since whoever creates it does so exclusively: the adopter takes
the name (a symbolic link to `SECURED_LINK`, which no worker makes and which survives a second crash), or finds
that the worker was quicker. A worker that finds the name taken must never begin the attempt; if its file says
NOT_STARTED of what was secured, that is NotBegun.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from mflow.core.kernels import difference, was_restarted
from mflow.core.model import AttemptEnd, Identity, TaskRow
from mflow.core.states import Outcome, TaskState

SECURED_LINK = "mflow-not-begun"
"""Where the symbolic link points that an adopter puts in the place of a log: nowhere."""


class LogTrace(Enum):
    """What the attempt's log tells, looked for wherever its worker may have put it."""

    FOUND = "found"  # it began
    ABSENT = "absent"  # with its folder as it was made: it has not begun
    SECURED = "secured"  # an adopter took the name first: it never will begin
    UNPROVEN = "unproven"  # the folder is gone, made anew or unreadable: a missing log proves nothing


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about the last attempt of a row, in the order of the fields."""

    here: Identity  # who looks
    worker_alive: bool | None  # identity checked; None: cannot be seen from here
    outcome: AttemptEnd | None  # of a file that names this run's uid, task, attempt and worker
    log: LogTrace
    survivors: tuple[int, ...] | None = (
        None  # pids of the attempt that a sweep could not end; None: no sweep yet
    )
    without: str = "there is no outcome file"  # for a person: why there is no `outcome`
    withheld: str = (
        ""  # for a person: why an outcome that may be there cannot be used; its absence proves nothing
    )
    foreign: tuple[str, ...] = ()  # for a person: what other users have put in the place of an outcome


@dataclass(frozen=True, slots=True)
class Adopt:
    """It lives: watch its worker, count it against the limit. For a person: `message`."""

    message: str


@dataclass(frozen=True, slots=True)
class Take:
    """It is over (outcome of the file, or LOST), or nobody can tell (UNKNOWN): feed this end as recovered."""

    end: AttemptEnd


@dataclass(frozen=True, slots=True)
class NotBegun:
    """It has not begun and never will. `spent`: its log's name is taken, so its number must not be used again."""

    spent: bool


@dataclass(frozen=True, slots=True)
class Secure:
    """Take the log's name exclusively (EEXIST is an answer too) and durably, then gather evidence and decide again.

    Durably (the folder fsynced), or a power cut could leave the worker's refusal without its reason.
    """


@dataclass(frozen=True, slots=True)
class Sweep:
    """End all processes that carry the attempt's token, then decide again with `survivors`."""


@dataclass(frozen=True, slots=True)
class Settled:
    """A FAILED (UNKNOWN) row: proof of a good end was found."""

    end: AttemptEnd


@dataclass(frozen=True, slots=True)
class Again:
    """A FAILED row: it may be tried again. For a person, if not empty: `warning`."""

    warning: str = ""


@dataclass(frozen=True, slots=True)
class Stays:
    """A FAILED row: it must not be tried again yet. For a person: `message`."""

    message: str


Decision = Adopt | Take | NotBegun | Secure | Sweep | Settled | Again | Stays


def is_unproven(row: TaskRow) -> bool:
    """Whether a FAILED row needs evidence before a resume may try it again: its attempt may still run."""
    end = row.end
    if row.state is not TaskState.FAILED or end is None:
        return False
    return _is_unknown(row) or bool(end.survivors)


def decide(row: TaskRow, evidence: Evidence) -> Decision:
    """What to do about a RUNNING row, or a FAILED one that `is_unproven`; other rows need no evidence."""
    if row.state is TaskState.RUNNING:
        return _of_running(row, evidence)
    if is_unproven(row):
        return _of_failed(row, evidence)
    raise ValueError(f"task {row.id!r} is {row.state}: there is nothing to decide")


def _of_running(row: TaskRow, evidence: Evidence) -> Decision:
    if evidence.outcome is not None and not _is_only_refusal(evidence):
        return Take(evidence.outcome)
    if row.worker is None or not _can_be_told(row.worker, evidence):
        return Take(_unknown(row, _not_visible(row.worker, evidence)))
    if was_restarted(row.worker, evidence.here):
        return Take(_lost(row, f"{_place(row)} was restarted while it ran"))
    if evidence.log is LogTrace.SECURED:
        return NotBegun(spent=True)
    began = _may_have_begun(row, evidence.log)
    if evidence.worker_alive:
        return Adopt(f"still runs, {_whereabouts(row)}") if began else Secure()
    return _of_dead(row, evidence) if began else NotBegun(spent=False)


def _of_dead(row: TaskRow, evidence: Evidence) -> Decision:
    if evidence.survivors is None:
        return Sweep()
    if evidence.survivors:
        return Take(_unknown(row, _survived(row, evidence.survivors), evidence.survivors))
    return Take(_lost(row, f"its worker is dead, and {evidence.without} ({_whereabouts(row)})"))


def _of_failed(row: TaskRow, evidence: Evidence) -> Decision:
    """An attempt that was not proven over when its row became FAILED."""
    if evidence.outcome is not None and evidence.outcome.ok and _is_unknown(row):
        return Settled(evidence.outcome)
    if evidence.outcome is not None and not evidence.outcome.survivors:
        return Again()
    worker, here = row.worker, evidence.here
    if worker is None or not (worker.same_kernel(here) or was_restarted(worker, here)):
        return Again(f"{_not_visible(worker, evidence)}; it is run again on the word of this resume")
    if was_restarted(worker, here) or evidence.log is LogTrace.SECURED:
        return Again()
    if not _can_be_told(worker, evidence):
        return Stays(f"{_not_visible(worker, evidence)}: resume as a user who may see it")
    if evidence.worker_alive and evidence.outcome is None:
        if _may_have_begun(row, evidence.log):
            return Stays(f"still runs, {_whereabouts(row)}: resume again when it is over")
        return Secure()
    if evidence.survivors is None:
        return Sweep()
    return Stays(_survived(row, evidence.survivors)) if evidence.survivors else Again()


# ------------------------------------------------------------------------------------- what follows from what


def _is_unknown(row: TaskRow) -> bool:
    return row.end is not None and row.end.outcome is Outcome.UNKNOWN


def _is_only_refusal(evidence: Evidence) -> bool:
    """The worker came too late to begin what was secured, and says so in its file: no failure of the task."""
    assert evidence.outcome is not None
    return evidence.log is LogTrace.SECURED and evidence.outcome.outcome is Outcome.NOT_STARTED


def _can_be_told(worker: Identity, evidence: Evidence) -> bool:
    if worker.same_kernel(evidence.here):
        return evidence.worker_alive is not None and not (evidence.withheld and not evidence.worker_alive)
    return was_restarted(worker, evidence.here)


def _may_have_begun(row: TaskRow, log: LogTrace) -> bool:
    """A missing log counts only if the worker never said that it had begun: logs can be deleted."""
    return log is not LogTrace.ABSENT or row.started_at is not None or row.pid is not None


# ------------------------------------------------------------------------------------------------- the words


def _lost(row: TaskRow, message: str) -> AttemptEnd:
    return AttemptEnd(Outcome.LOST, message=message, started_at=row.started_at)


def _unknown(row: TaskRow, message: str, survivors: tuple[int, ...] = ()) -> AttemptEnd:
    return AttemptEnd(Outcome.UNKNOWN, message=message, started_at=row.started_at, survivors=survivors)


def _place(row: TaskRow) -> str:
    return f"host {row.worker.host}" if row.worker else "its host"


def _whereabouts(row: TaskRow) -> str:
    """`on host batch1 as pid 4711 (worker 4700)`, as far as it is known."""
    worker = row.worker.pid if row.worker else "unknown"
    if row.pid is None:
        return f"on {_place(row)}, worker pid {worker}"
    return f"on {_place(row)} as pid {row.pid}, worker pid {worker}"


def _survived(row: TaskRow, pids: tuple[int, ...]) -> str:
    return f"processes that could not be ended are left on {_place(row)}: pid {', '.join(map(str, pids))}"


def _not_visible(worker: Identity | None, evidence: Evidence) -> str:
    here = evidence.here
    if worker is None:
        return "its row names no worker, so whether it still runs cannot be told"
    whose = f"it ran on host {worker.host}, worker pid {worker.pid}"
    if evidence.worker_alive is False:
        return f"{whose}, which is dead; how it ended cannot be told: {evidence.withheld}"
    if worker.same_kernel(here):
        return f"{whose}, which this user may not see"
    return f"{whose}, {difference(worker, here)}"
