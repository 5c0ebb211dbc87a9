"""Trying again, for short-lived commands."""

import pytest

from mflow.core.errors import StoreRefused, StoreUnavailable
from mflow.store.patience import patient


class Database:
    """Away for some calls, then back."""

    def __init__(self, away: int) -> None:
        self.away, self.calls = away, 0

    def ask(self) -> str:
        self.calls += 1
        if self.calls <= self.away:
            raise StoreUnavailable("locked")
        return "answer"


@pytest.mark.parametrize("away", [0, 1, 3])
def test_a_call_is_repeated_until_it_succeeds(away: int) -> None:
    database = Database(away)
    assert patient(database.ask) == "answer"
    assert database.calls == away + 1


def test_patience_has_an_end() -> None:
    database = Database(1000)
    with pytest.raises(StoreUnavailable, match="locked"):
        patient(database.ask, patience_seconds=0)
    assert database.calls > 1


def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    calls = []

    def refuse() -> None:
        calls.append(1)
        raise StoreRefused("no")

    with pytest.raises(StoreRefused):
        patient(refuse)
    assert len(calls) == 1
