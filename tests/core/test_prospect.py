"""What is said of an attempt that nobody watches, before anything is done about it."""

import pytest

from mflow.core.model import AttemptEnd
from mflow.core.prospect import ADOPTED, prospect
from mflow.core.recovery import Adopt, Again, Decision, NotBegun, Secure, Take
from mflow.core.states import Outcome

LOST = Take(AttemptEnd(Outcome.LOST, message="its worker is dead"))
UNKNOWN = Take(AttemptEnd(Outcome.UNKNOWN, message="it ran on host alpha"))
EXITED = Take(AttemptEnd(Outcome.EXITED, 3))


@pytest.mark.parametrize(
    ("decision", "leader_alive", "alive", "at_resume", "words"),
    [
        (Adopt("still runs"), True, True, ADOPTED, "a resume adopts it"),
        (NotBegun(spent=True), False, False, "NOT_STARTED", "a resume starts it"),
        (Secure(), False, False, "NOT_STARTED", "a resume starts it"),
        (LOST, False, False, "LOST", "its process is gone; a resume makes it LOST"),
        (LOST, True, True, "LOST", "a resume ends it"),
        (UNKNOWN, False, None, "UNKNOWN", "it ran on host alpha"),
        (EXITED, False, False, "EXITED", "a resume takes it"),
    ],
)
def test_each_decision_has_its_words(
    decision: Decision, leader_alive: bool, alive: bool | None, at_resume: str, words: str
) -> None:
    said = prospect(decision, leader_alive=leader_alive)
    assert (said.alive, said.at_resume) == (alive, at_resume)
    assert words in said.message


def test_only_of_what_runs() -> None:
    with pytest.raises(AssertionError):
        prospect(Again(), leader_alive=False)
