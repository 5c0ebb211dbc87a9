"""The workers of a supervisor: its own and those adopted from a dead one. Who is there, and what is said to them.

What becomes of their attempts is the machine's to decide; this is where messages and descriptors are.
"""

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from mflow.core.contracts import Job
from mflow.core.errors import RunOwned
from mflow.core.holders import Attempt
from mflow.core.model import Identity
from mflow.engine import messages
from mflow.engine.identity import is_over, open_verified, signal_pidfd
from mflow.engine.messages import WorkerSettings
from mflow.engine.pool import Worker, start_worker

STARTS_A_TURN = 8
"""Workers started before the loop looks at events again: each takes some milliseconds."""


@dataclass(slots=True)
class Adopted:
    """A worker of a dead supervisor. It is watched by its pidfd and asked for an end by SIGUSR1."""

    number: int
    identity: Identity
    pidfd: int
    attempts: list[Attempt]


class Crew:
    """Workers by number. `watch(fd, callback)`, `unwatch(fd)`, `watch_writable(fd, also)` are the loop's."""

    def __init__(
        self,
        settings: WorkerSettings,
        watch: Callable[[int, Callable[[], None]], None],
        unwatch: Callable[[int], None],
        watch_writable: Callable[[int, bool], None],
    ) -> None:
        self._settings = settings
        self._watch, self._unwatch, self._watch_writable = watch, unwatch, watch_writable
        self._numbers: Iterator[int] = iter(range(1, 1 << 62))
        self.own: dict[int, Worker] = {}
        self.adopted: dict[int, Adopted] = {}
        self._leaving: set[int] = set()
        self._spoken_to: dict[int, Worker] = {}  # since `deliver`
        self._blocked: set[int] = set()  # whose socket takes no more for now

    # ------------------------------------------------------------------------------------- coming, going

    def start(self, heard: Callable[[int], None], ended: Callable[[int], None]) -> Worker:
        """Start one worker. Raises OSError or EOFError if that cannot be done now."""
        number = next(self._numbers)
        worker = start_worker(number, self._settings)
        self.own[number] = worker
        self._watch(worker.channel.fileno(), lambda: heard(number))
        self._watch(worker.pidfd, lambda: ended(number))
        return worker

    def adopt(self, identity: Identity, attempt: Attempt, ended: Callable[[int], None]) -> int | None:
        """Watch the worker of an attempt that lives on; its number, or None if it has just gone.

        Raises RunOwned if it belongs to another user: it could neither be ended nor hurried from here.
        """
        for known in self.adopted.values():
            if known.identity == identity:
                known.attempts.append(attempt)
                return known.number
        pidfd = open_verified(identity)
        if pidfd is None:
            return None
        _require_ours(pidfd, identity)
        number = next(self._numbers)
        self.adopted[number] = Adopted(number, identity, pidfd, [attempt])
        self._watch(pidfd, lambda: ended(number))
        return number

    def remove(self, number: int) -> None:
        """Forget a worker that is over."""
        self._leaving.discard(number)
        self._spoken_to.pop(number, None)
        self._blocked.discard(number)
        if number in self.adopted:
            adopted = self.adopted.pop(number)
            self._unwatch(adopted.pidfd)
            os.close(adopted.pidfd)
        else:
            worker = self.own.pop(number)
            self._unwatch(worker.pidfd)
            self._unwatch(worker.channel.fileno())
            worker.close()

    def all_alive(self) -> bool:
        """Whether no worker of ours is over that was not removed yet."""
        return not any(is_over(worker.pidfd) for worker in self.own.values())

    # ----------------------------------------------------------------------------------- saying something

    def run(self, number: int, job: Job) -> None:
        """Hand an attempt over."""
        self._say(number, messages.Run(job))

    def end(self, number: int, attempt: Attempt, grace_seconds: float) -> None:
        """Have an attempt ended; said again, sooner."""
        if number in self.adopted:
            signal_pidfd(self.adopted[number].pidfd, signal.SIGUSR1)
        else:
            self._say(number, messages.Stop(*attempt, grace_seconds))
        self.wake(number)

    def wake(self, number: int) -> None:
        """Have a worker that somebody has stopped go on: else it hears nothing."""
        worker = self.own.get(number) or self.adopted.get(number)
        if worker is not None:
            signal_pidfd(worker.pidfd, signal.SIGCONT)

    def pids(self) -> list[tuple[int, int]]:
        """Number and pid of every worker."""
        workers: list[Worker | Adopted] = [*self.own.values(), *self.adopted.values()]
        return [(worker.number, worker.identity.pid) for worker in workers]

    def ask_back(self, number: int, attempts: list[Attempt]) -> None:
        """Have a worker return what it has not begun."""
        self._say(number, messages.GiveBack(tuple(attempts)))

    def acknowledge(self, by_worker: dict[int, list[Attempt]]) -> None:
        """Tell workers which outcomes are committed."""
        for number, attempts in by_worker.items():
            self._say(number, messages.Ack(tuple(attempts)))

    def facts_kept(self, number: int, attempt: Attempt, serial: int) -> None:
        """Tell a worker that what it recorded is committed."""
        self._say(number, messages.FactsKept(*attempt, serial))

    def let_go(self, number: int) -> None:
        """Have a worker exit."""
        self._leaving.add(number)
        self._say(number, messages.Quit())

    def kill(self, number: int) -> None:
        """End a worker itself, and with it the chance to learn what it did: only when it does not answer."""
        signal_pidfd(
            self.adopted[number].pidfd if number in self.adopted else self.own[number].pidfd, signal.SIGKILL
        )

    # ------------------------------------------------------------------------------------ their channels

    def deliver(self) -> None:
        """Send what was said: all of a turn at once, since each sending wakes a worker."""
        for number, worker in self._spoken_to.items():
            if not worker.channel.flush() and number not in self._blocked:
                self._blocked.add(number)
                self._watch_writable(worker.channel.fileno(), True)
        self._spoken_to.clear()

    def flush(self, worker: Worker) -> None:
        """Send more of what the worker's socket did not take, if it takes that now."""
        if worker.number in self._blocked and worker.channel.flush():
            self._blocked.discard(worker.number)
            self._watch_writable(worker.channel.fileno(), False)

    def hang_up(self, worker: Worker) -> None:
        """The worker says nothing any more."""
        self._unwatch(worker.channel.fileno())

    def _say(self, number: int, message: messages.Request) -> None:
        worker = self.own.get(number)
        if worker is not None:
            worker.channel.queue(message)
            self._spoken_to[number] = worker


def _require_ours(pidfd: int, identity: Identity) -> None:
    try:
        signal_pidfd(pidfd, 0)
    except PermissionError as error:
        os.close(pidfd)
        raise RunOwned(
            f"a task of this run still runs under another user (worker pid {identity.pid})",
            hint="resume it as that user or as root, or when the task has ended",
        ) from error
