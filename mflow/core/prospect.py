"""What a resume would make of an attempt that nobody watches, told before anything is done about it. Pure.

The decision is `core.recovery`'s; here is only what it means to whoever looks at the run.
"""

from typing import NamedTuple

from mflow.core.model import AttemptEnd
from mflow.core.recovery import Adopt, Decision, NotBegun, Secure, Take
from mflow.core.states import Outcome

ADOPTED = "ADOPTED"


class Prospect(NamedTuple):
    """Of a RUNNING row of a run that nobody drives."""

    alive: bool | None  # whether a process of it is there; None: cannot be seen from here
    at_resume: str  # what a resume makes of it: ADOPTED, or an outcome (NOT_STARTED: it starts it)
    message: str  # for a person


def prospect(decision: Decision, *, leader_alive: bool) -> Prospect:
    """Of what a resume would decide, as far as that shows without ending anything."""
    match decision:
        case Adopt():
            return Prospect(True, ADOPTED, "still runs; a resume adopts it")
        case NotBegun() | Secure():
            return Prospect(False, str(Outcome.NOT_STARTED), "has not begun; a resume starts it")
        case Take(end=end):
            return _over(end, leader_alive=leader_alive)
        case _:
            raise AssertionError(f"{decision} of an attempt that is RUNNING")


def _over(end: AttemptEnd, *, leader_alive: bool) -> Prospect:
    name = str(end.outcome)
    match end.outcome:
        case Outcome.UNKNOWN:
            return Prospect(None, name, f"cannot be proven over: a resume makes it UNKNOWN ({end.message})")
        case Outcome.LOST if leader_alive:
            return Prospect(True, name, "runs without its worker; a resume ends it (LOST) and runs it again")
        case Outcome.LOST:
            return Prospect(False, name, "its process is gone; a resume makes it LOST and runs it again")
        case _:
            return Prospect(False, name, "has ended, and its outcome is kept; a resume takes it")
