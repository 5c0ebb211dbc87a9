"""When the loop asks the database for what, and how long it waits: with a writer that answers as told."""

import time
from typing import cast

import pytest

from mflow.core.errors import StoreError, StoreRefused, StoreUnavailable
from mflow.core.model import Batch
from mflow.engine.alarms import Timers
from mflow.engine.persistence import OVERDUE_SECONDS, Persistence
from mflow.engine.writer import Answer, Beat, Request, Writer

FAR = 10.0**9


class Scribe:
    """A writer that does nothing by itself."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        self.answer: Answer | None = None

    def submit(self, request: Request) -> None:
        self.asked.append(request)

    def take_answer(self) -> Answer | None:
        answer, self.answer = self.answer, None
        return answer

    def answers(self, error: StoreError | None = None) -> None:
        """To what it was asked last."""
        self.answer = Answer(self.asked[-1], error)


class Loop:
    """What a supervisor is to its persistence."""

    def __init__(self, patience_seconds: float = 60.0) -> None:
        self.scribe, self.timers = Scribe(), Timers()
        self.notes: list[str] = []
        self.persistence = Persistence(
            cast("Writer", self.scribe), self.timers, patience_seconds, self.notes.append
        )

    def answered(self, error: StoreError | None = None) -> Answer | None:
        """The writer answers."""
        self.scribe.answers(error)
        return self.persistence.take_answer()

    def commit(self) -> None:
        """A batch, committed."""
        self.persistence.submit(Batch(1))
        assert self.answered() is not None


def test_a_heartbeat_comes_soon_and_then_at_its_own_pace_whatever_batches_are_committed() -> None:
    loop = Loop()
    first = loop.timers.next_in(0.0)
    loop.commit()
    assert loop.timers.next_in(0.0) == first
    assert loop.timers.due(FAR) == ["beat"]
    loop.persistence.want_beat()
    assert loop.scribe.asked[-1] == Beat()
    assert loop.answered() is not None
    second = loop.timers.next_in(0.0)
    assert first is not None
    assert second is not None
    assert second - first > 10
    loop.commit()
    assert loop.timers.next_in(0.0) == second


def test_a_heartbeat_that_is_wanted_meanwhile_follows_the_batch() -> None:
    loop = Loop()
    loop.persistence.submit(Batch(1))
    loop.persistence.want_beat()
    assert loop.scribe.asked == [Batch(1)]
    loop.answered()
    assert loop.scribe.asked == [Batch(1), Beat()]
    assert not loop.persistence.idle


def test_the_same_request_is_made_again_until_it_succeeds_and_both_ends_of_an_outage_are_said_once() -> None:
    loop = Loop()
    loop.persistence.submit(Batch(1))
    for _ in range(3):
        assert loop.answered(StoreUnavailable("locked")) is None
        assert (loop.persistence.idle, loop.persistence.failing) == (False, True)
        assert "retry" in loop.timers.due(FAR)
        loop.persistence.retry()
    assert loop.answered() is not None
    assert loop.scribe.asked == [Batch(1)] * 4
    assert loop.persistence.idle
    assert not loop.persistence.failing
    went, came = loop.notes
    assert went.startswith("locked")
    assert "back" in came


def test_when_patience_is_over_the_error_is_raised() -> None:
    loop = Loop(patience_seconds=-1.0)
    loop.persistence.submit(Batch(1))
    with pytest.raises(StoreUnavailable, match="locked"):
        loop.answered(StoreUnavailable("locked"))


def test_what_waiting_does_not_help_is_raised_at_once() -> None:
    loop = Loop()
    loop.persistence.submit(Batch(1))
    with pytest.raises(StoreRefused):
        loop.answered(StoreRefused("damaged"))


class TestAnAnswerThatDoesNotCome:
    @pytest.fixture
    def clock(self, monkeypatch: pytest.MonkeyPatch) -> list[float]:
        now = [1000.0]
        monkeypatch.setattr(time, "monotonic", lambda: now[0])
        return now

    def test_is_an_outage_after_a_while_and_is_said_once(self, clock: list[float]) -> None:
        loop = Loop(patience_seconds=3600)
        loop.persistence.submit(Batch(1))
        loop.persistence.look_at_the_clock()
        assert loop.notes == []
        clock[0] += OVERDUE_SECONDS
        loop.persistence.look_at_the_clock()
        clock[0] += 1
        loop.persistence.look_at_the_clock()
        assert [note.split(";")[0] for note in loop.notes] == ["the database has not answered for 60 s"]
        assert loop.answered() is not None
        assert loop.notes[-1].endswith("the run goes on")

    def test_ends_patience(self, clock: list[float]) -> None:
        loop = Loop(patience_seconds=90)
        loop.persistence.submit(Batch(1))
        loop.persistence.look_at_the_clock()
        clock[0] += OVERDUE_SECONDS
        loop.persistence.look_at_the_clock()
        clock[0] += OVERDUE_SECONDS
        with pytest.raises(StoreUnavailable, match="not answered for 120 s"):
            loop.persistence.look_at_the_clock()

    def test_is_not_missed_by_who_was_stopped_himself(self, clock: list[float]) -> None:
        loop = Loop(patience_seconds=90)
        loop.persistence.submit(Batch(1))
        clock[0] += 86400
        loop.persistence.look_at_the_clock()
        assert loop.notes == []

    def test_is_not_missed_while_nothing_is_asked(self, clock: list[float]) -> None:
        loop = Loop(patience_seconds=0)
        loop.commit()
        clock[0] += OVERDUE_SECONDS
        loop.persistence.look_at_the_clock()
        assert loop.notes == []
