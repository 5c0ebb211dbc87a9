"""Short-lived commands wait for a database, within bounds, and only if waiting can help."""

from collections.abc import Callable

import pytest

from mflow.core.errors import StoreRefused, StoreUnavailable, Superseded
from mflow.store.patience import patient


@pytest.fixture(autouse=True)
def no_sleep(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Nobody sleeps; how long each wait would have been."""
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    return waits


def failing(times: int, error: Exception) -> tuple[Callable[[], str], list[int]]:
    calls: list[int] = []

    def call() -> str:
        calls.append(len(calls))
        if len(calls) <= times:
            raise error
        return "done"

    return call, calls


def test_waits_until_it_succeeds(no_sleep: list[float]) -> None:
    call, calls = failing(5, StoreUnavailable("locked"))
    assert patient(call) == "done"
    assert len(calls) == 6
    assert no_sleep
    assert all(0 <= wait <= 2 for wait in no_sleep)


@pytest.mark.parametrize("error", [StoreRefused("no"), Superseded("late"), ValueError("defect")])
def test_does_not_wait_in_vain(error: Exception) -> None:
    call, calls = failing(1, error)
    with pytest.raises(type(error)):
        patient(call)
    assert len(calls) == 1


def test_gives_up_with_the_last_error() -> None:
    call, calls = failing(9, StoreUnavailable("locked"))
    with pytest.raises(StoreUnavailable, match="locked"):
        patient(call, patience_seconds=0)
    assert len(calls) <= 2
