"""A stop that a worker does not hear, and one that nothing can end."""

from typing import Any

import pytest

from mflow.core.machine import Stop
from mflow.core.states import Outcome, TaskState
from mflow.engine.alarms import Timers
from mflow.engine.halting import Halting
from tests.core.driver import Driver, worker


class UndyingCrew:
    """One worker in uninterruptible sleep."""

    def __init__(self) -> None:
        self.own: dict[int, Any] = {0: worker(0)}
        self.adopted: dict[int, Any] = {}
        self.killed: list[int] = []

    def pids(self) -> list[tuple[int, int]]:
        return [(number, identity.pid) for number, identity in self.own.items()]

    def kill(self, number: int) -> None:
        self.killed.append(number)

    def remove(self, number: int) -> None:
        del self.own[number]


@pytest.mark.parametrize("stop", Stop)
def test_what_kill_does_not_end_is_left_behind_named_and_never_tried_again(stop: Stop) -> None:
    driver, crew, notes, timers = Driver([[]], limit=1), UndyingCrew(), list[str](), Timers()
    halting = Halting(driver.machine, crew, timers, 1.0, notes.append)  # type: ignore[arg-type]
    driver.commit()
    driver.machine.stop(stop)
    halting.kill_stuck()
    assert crew.killed == [0]
    assert timers.is_set("stuck")
    halting.kill_stuck()
    assert crew.own == {}
    assert halting.nothing_runs()
    assert any("pid 1000" in note and "left behind" in note for note in notes)
    batch = driver.batch()
    [ending] = batch.endings
    assert (ending.to, ending.end.outcome, ending.end.survivors) == (
        TaskState.FAILED,
        Outcome.UNKNOWN,
        (1000,),
    )
    assert batch.release
