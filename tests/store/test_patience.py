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


@pytest.mark.parametrize(("times", "told"), [(2, []), (12, ["locked"]), (16, ["locked"])])
def test_who_waits_long_is_told_once_what_for(
    monkeypatch: pytest.MonkeyPatch, times: int, told: list[str]
) -> None:
    clock = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr("random.uniform", lambda _, most: most)
    monkeypatch.setattr("time.sleep", lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    said: list[tuple[str, float]] = []
    call, _ = failing(times, StoreUnavailable("locked"))
    assert patient(call, on_wait=lambda error, left: said.append((error.message, left))) == "done"
    assert [message for message, _ in said] == told
    assert all(24 < left <= 27 for _, left in said)


def test_gives_up_with_the_last_error() -> None:
    call, calls = failing(9, StoreUnavailable("locked"))
    with pytest.raises(StoreUnavailable, match="locked"):
        patient(call, patience_seconds=0)
    assert len(calls) <= 2
