"""What a resume makes of an attempt that nobody watched: from evidence to a decision. Pure.

`decide` is asked for every RUNNING row before anything starts, for every adopted attempt when its worker has
died, and for every FAILED row whose attempt was never proven over (`is_unproven`). Two decisions ask for more:
carry them out, gather the evidence anew, ask again.

A RUNNING row ("holds": whether its worker has the log open; "known": the database knows that it began, or it
was adopted):

    where the worker ran     worker  outcome file  log                 holds  decision
    -----------------------  ------  ------------  ------------------  -----  ---------------------------------------
    anywhere                 any     matches       any (see Secure)    any    Take what the file says
    another machine, pid     -       none          any                 -      Take UNKNOWN: it cannot be probed
      namespace; not known
    here before a restart    -       none          any                 -      Take LOST: the restart ended it
    here                     alive   none          FOUND or UNPROVEN,  any    Adopt
                                                     or known
    here                     alive   none          ABSENT              yes    Adopt: somebody has deleted its log
    here                     alive   none          ABSENT              other  Secure: it may begin this instant
    here                     alive   none          SECURED             no     NotBegun, its number is spent
    here                     alive   none          SECURED             other  Adopt: it had begun, or cannot be asked
    here                     dead    none          any                 -      Sweep, and then by what that has found:
                                                                                Take UNKNOWN if anything may be left,
                                                                                NotBegun if nothing was there, and the
                                                                                log is ABSENT or SECURED and it is not
                                                                                known (SECURED: its number is spent),
                                                                                else Take LOST
    here                     hidden  none          any                 -      Take UNKNOWN

    (which of these places it was: `core.kernels`)

A missing log alone proves nothing: anybody can delete it. While the worker lives, the kernel says whether it has
the log open; when it is dead, a sweep must find nothing.

A FAILED row that is unproven, at a later resume: where a RUNNING row leads to Adopt, or to UNKNOWN after a sweep, it
Stays as it is; a file with a good end is Settled; all else, another host included (this resume is the operator's
word), is tried Again.
But as long as one of the pids that its end names is there, it Stays, whatever a sweep finds: what was in doubt then
has not been cleared since.

Evidence must be gathered in this order, or an attempt that ends meanwhile looks lost: first whether the worker
lives, then whether it holds the log (it lets go of that when the outcome is in its file), then the outcome file, then
the log, then the sweep.

**Secure.** A worker whose supervisor has died begins nothing that is queued in it, but it may have looked just
before that death. The log's name is the referee, since whoever creates it does so exclusively: the adopter takes
the name (a symbolic link to `SECURED_LINK`, which no worker makes and which survives a second crash), or finds
that the worker was quicker. A worker that finds the name taken must never begin the attempt; if its file says
NOT_STARTED of what was secured, that is NotBegun. The name is free, too, where a log was deleted: so whether the
worker holds it is looked at once more afterwards.

**Sweep.** What is proven to be the attempt's is killed; what cannot be killed survives. Also in doubt is what may be
of it and cannot be told (another user's orphan), and a lock on the log that somebody out of sight still holds:
nothing is begun beside those.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

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
class Swept:
    """What a sweep for an attempt whose worker is dead has found. Pids, ascending."""

    found: bool = False  # something of it was there: it had begun
    survivors: tuple[int, ...] = ()  # of it, and could not be ended
    doubtful: tuple[int, ...] = ()  # perhaps of it: not ended
    held: bool = False  # the log is locked by a process of it that cannot be seen

    @property
    def is_over(self) -> bool:
        """Whether it is proven that nothing is left."""
        return not (self.survivors or self.doubtful or self.held)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was found out about the last attempt of a row."""

    here: Identity  # who looks
    worker_alive: bool | None  # identity checked; None: cannot be seen from here
    outcome: AttemptEnd | None  # of a file that names this run's uid, task, attempt and worker
    log: LogTrace
    holds_log: bool | None = None  # whether the living worker has it open; None: it cannot be told
    swept: Swept | None = None  # None: no sweep yet
    adopted: bool = False  # who looks had adopted it
    without: str = "there is no outcome file"  # for a person: why there is no `outcome`
    withheld: str = (
        ""  # for a person: why an outcome that may be there cannot be used; its absence proves nothing
    )
    named: tuple[
        int, ...
    ] = ()  # of the pids that the row's end names, those whose process may still be there
    foreign: tuple[str, ...] = ()  # for a person: what other users have put in the place of an outcome


@dataclass(frozen=True, slots=True)
class Adopt:
    """It lives: watch its worker, count it against the limit. For a person: `message`."""

    message: str
    began: bool = True  # else it may only be about to


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
    """End all that is proven to be the attempt's, then decide again with `swept`."""


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
    if not evidence.worker_alive:
        return _of_dead(row, evidence)
    match _beginning(row, evidence):
        case _Beginning.NEVER:
            return NotBegun(spent=True)
        case _Beginning.OPEN:
            return Secure()
        case _:
            return Adopt(f"still runs, {_whereabouts(row)}")


def _of_dead(row: TaskRow, evidence: Evidence) -> Decision:
    swept = evidence.swept
    if swept is None:
        return Sweep()
    if not swept.is_over:
        return Take(_unknown(row, _left(row, swept), swept.survivors + swept.doubtful))
    if not (swept.found or _is_known(row, evidence)) and evidence.log in (LogTrace.ABSENT, LogTrace.SECURED):
        return NotBegun(spent=evidence.log is LogTrace.SECURED)
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
    if was_restarted(worker, here):
        return Again()
    if not _can_be_told(worker, evidence):
        return Stays(f"{_not_visible(worker, evidence)}: resume as a user who may see it")
    if evidence.worker_alive and evidence.outcome is None:
        match _beginning(row, evidence):
            case _Beginning.NEVER:
                return Again()
            case _Beginning.OPEN:
                return Secure()
            case _:
                return Stays(f"still runs, {_whereabouts(row)}: resume again when it is over")
    if evidence.swept is None:
        return Sweep()
    if not evidence.swept.is_over:
        return Stays(_left(row, evidence.swept))
    return Stays(_still_there(row, evidence.named)) if evidence.named else Again()


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


class _Beginning(Enum):
    """Of an attempt in a living worker."""

    PROVEN = auto()  # or it cannot be told
    OPEN = auto()
    NEVER = auto()


def _beginning(row: TaskRow, evidence: Evidence) -> _Beginning:
    if _is_known(row, evidence) or evidence.holds_log or evidence.log in (LogTrace.FOUND, LogTrace.UNPROVEN):
        return _Beginning.PROVEN
    if evidence.log is LogTrace.ABSENT:
        return _Beginning.OPEN
    return _Beginning.PROVEN if evidence.holds_log is None else _Beginning.NEVER


def _is_known(row: TaskRow, evidence: Evidence) -> bool:
    """Whether the worker has said that it began, or it was seen to run."""
    return row.started_at is not None or row.pid is not None or evidence.adopted


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


def _left(row: TaskRow, swept: Swept) -> str:
    """What may be left of it after a sweep, each with what to do about it."""
    parts = []
    if swept.survivors:
        parts.append(f"processes that could not be ended are left on {_place(row)}: {_pids(swept.survivors)}")
    if swept.doubtful:
        parts.append(
            f"on {_place(row)} these may belong to it, and it cannot be told: {_pids(swept.doubtful)} "
            "(end them, or wait until they have ended; root can tell of more)"
        )
    elif swept.held:
        parts.append(
            f"a process on {_place(row)} that this user cannot see has its log open "
            f"(look with: fuser -v {row.output}; end it, or resume as root)"
        )
    return "; ".join(parts)


def _still_there(row: TaskRow, pids: tuple[int, ...]) -> str:
    return (
        f"what may be left of attempt {row.attempts} is still there on {_place(row)}: {_pids(pids)} "
        "(end it, or wait until it has ended; then resume again)"
    )


def _pids(pids: tuple[int, ...]) -> str:
    return f"pid {', '.join(map(str, pids))}"


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
