"""When the beginning of an attempt is told."""

from datetime import UTC, datetime, timedelta

import pytest

from mflow.core.holders import Attempt
from mflow.engine.beginnings import Beginnings

AT = datetime(2026, 5, 4, 12, tzinfo=UTC)
LATER = AT + timedelta(seconds=1)

Told = list[tuple[Attempt, datetime, str]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def beginnings(told: Told) -> Beginnings:
    return Beginnings(lambda *words: told.append(words))


def test_the_first_of_a_worker_is_told_at_once_and_only_once(beginnings: Beginnings, told: Told) -> None:
    beginnings.dispatched((1, 1), AT, behind_another=False)
    beginnings.began((1, 1), LATER)
    assert told == [((1, 1), AT, "started")]


def test_what_waits_behind_another_is_told_when_its_worker_says_so(
    beginnings: Beginnings, told: Told
) -> None:
    beginnings.dispatched((2, 1), AT, behind_another=True)
    assert not told
    beginnings.began((2, 1), LATER)
    beginnings.began((2, 1), LATER)
    assert told == [((2, 1), LATER, "started")]


def test_what_was_given_back_and_began_elsewhere_is_told_once(beginnings: Beginnings, told: Told) -> None:
    beginnings.dispatched((2, 1), AT, behind_another=True)
    beginnings.dispatched((2, 1), LATER, behind_another=False)
    beginnings.began((2, 1), LATER)
    assert told == [((2, 1), LATER, "started")]


def test_what_never_began_is_not_told(beginnings: Beginnings, told: Told) -> None:
    beginnings.dispatched((2, 1), AT, behind_another=True)
    beginnings.began((2, 1), None)
    assert not told
