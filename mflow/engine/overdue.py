"""Workers that do not enforce their attempt's time-out: stopped by a signal, or in uninterruptible sleep."""

from collections.abc import Callable

from mflow.core.holders import Attempt
from mflow.core.machine import Machine
from mflow.core.model import Task
from mflow.engine.crew import Crew

LATE_SECONDS = 3.0
"""How long after a time-out its worker may show nothing before it is looked at."""

_WORDS = {
    "T": "stopped by a signal: it is told to go on, and ends the attempt then",
    "t": "stopped by a debugger: the attempt goes on until that lets it go",
    "D": "in uninterruptible sleep: nothing can end it before what it waits for answers",
}


class Overdue:
    """Looks at workers whose attempt should be over, and says what is wrong with them, once for each attempt."""

    def __init__(
        self, machine: Machine, crew: Crew, task: Callable[[int], Task], note: Callable[[str], None]
    ) -> None:
        self._machine, self._crew, self._task, self._note = machine, crew, task, note
        self._told: set[Attempt] = set()

    def look(self, mono: float) -> None:
        """To be called now and then, at the supervisor's monotonic time (seconds)."""
        for number, pid in self._crew.pids():
            held = self._machine.held_by(number)
            if held and held[0] not in self._told:
                self._look_at(number, pid, held[0], mono)

    def _look_at(self, number: int, pid: int, attempt: Attempt, mono: float) -> None:
        task = self._task(attempt[0])
        if task.timeout_seconds is None or self._machine.executes_for(number, mono) < (
            task.timeout_seconds + LATE_SECONDS
        ):
            return
        state = process_state(pid)
        if state not in _WORDS:
            return
        self._told.add(attempt)
        self._note(
            f"{task.id}: its time-out of {task.timeout_seconds:g} s has passed, but its worker, pid {pid}, is "
            f"{_WORDS[state]}"
        )
        if state == "T":
            self._crew.wake(number)


def process_state(pid: int) -> str:
    """The state letter of a process (proc_pid_stat(5)); empty if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return ""
