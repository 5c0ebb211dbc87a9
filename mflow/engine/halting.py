"""Bringing a run to a halt: on a signal or an operator's word, once gently, again sooner, at last by force."""

import signal
from collections.abc import Callable

from mflow.core.machine import Machine, Stop
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome, TaskState
from mflow.engine import clock
from mflow.engine.alarms import Timers
from mflow.engine.assignment import Ending, Verdict
from mflow.engine.crew import Crew

HURRIED_GRACE_SECONDS = (1.0, 0.0)
"""What is left of the grace at the second Ctrl-C, and at the third."""

STUCK_SECONDS = 20.0
"""How long after the grace a worker may still not have ended its attempt before it is killed itself."""


UNDYING_SECONDS = 5.0
"""How long after that it may still be there before it is left behind: a stop does not wait for ever."""


class Halting:
    """Remembers what stopped the run, and how urgently."""

    def __init__(
        self, machine: Machine, crew: Crew, timers: Timers, grace_seconds: float, note: Callable[[str], None]
    ) -> None:
        self._machine, self._crew, self._timers, self._note = machine, crew, timers, note
        self._grace_seconds = grace_seconds
        self.signal: int | None = None
        self._hurries = 0
        self._killed: set[int] = set()  # workers

    def on_signal(self, number: int) -> None:
        """The first ends running tasks within the grace; further ones shorten it."""
        name = signal.Signals(number).name
        if self.signal is None:
            self.signal = number
            self._halt(Stop.SIGNAL, f"{name}: ending running tasks; a resume goes on from here", name)
        elif self._hurries < len(HURRIED_GRACE_SECONDS):
            grace = HURRIED_GRACE_SECONDS[self._hurries]
            self._hurries += 1
            self._note(f"{name} again: running tasks are killed in {grace:g} s")
            for worker, attempt in self._executing():
                self._crew.end(worker, attempt, grace)

    def cancel(self, by: str) -> None:
        """Somebody asked for the run's end."""
        if self._machine.stopping is not Stop.CANCEL:
            self._halt(Stop.CANCEL, f"cancelled by {by}: ending running tasks")

    def kill_stuck(self) -> None:
        """The grace and more is over: a worker that still holds something does not answer."""
        pids = dict(self._crew.pids())
        for number, _ in self._executing():
            if number in self._killed:
                self._leave_behind(number, pids[number])
            else:
                self._note(f"worker {number}, pid {pids[number]}, does not answer: it is killed")
                self._killed.add(number)
                self._crew.kill(number)
        if self._executing():
            self._timers.set("stuck", clock.now().mono + UNDYING_SECONDS)

    def _leave_behind(self, number: int, pid: int) -> None:
        """Not even KILL ends it (uninterruptible sleep): what it holds is not over, but nothing waits for it."""
        message = f"its worker, pid {pid}, could not be ended, so whether it is over is not known"
        self._note(f"worker {number}, pid {pid}, does not end though it was killed: it is left behind")
        for attempt in self._machine.held_by(number):
            self._machine.ended(*attempt, AttemptEnd(Outcome.UNKNOWN, message=message, survivors=(pid,)))
        self._machine.worker_gone(number)
        self._crew.remove(number)

    def nothing_runs(self) -> bool:
        """Whether no worker holds an attempt."""
        return not self._executing()

    def final_verdict(self) -> Verdict:
        """Of a run that was let go: what it has come to."""
        counts = self._machine.counts
        if counts[TaskState.SUCCESS] == sum(counts.values()):  # a cancel may have come too late
            return Verdict(Ending.SUCCESS)
        if self._machine.stopping is Stop.CANCEL:
            return Verdict(Ending.CANCELLED)
        if self.signal is not None:
            return Verdict(Ending.STOPPED, self.signal)
        return Verdict(Ending.FAILED)

    def _halt(self, why: Stop, text: str, by: str | None = None) -> None:
        self._note(text)
        self._machine.stop(why, by)
        self._timers.set("stuck", clock.now().mono + self._grace_seconds + STUCK_SECONDS)

    def _executing(self) -> list[tuple[int, tuple[int, int]]]:
        numbers = (*self._crew.own, *self._crew.adopted)
        return [(number, held[0]) for number in numbers if (held := self._machine.held_by(number))]
