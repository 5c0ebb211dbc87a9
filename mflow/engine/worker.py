"""A worker: a long-lived process that runs one attempt at a time and outlives its supervisor.

::

    channel ──Run──► queue ──► Attempt ──its end──► Keeper ──Ended──► channel
                                  ▲                   │  ◄──Ack──┘
    signals, timers, pidfds ──────┘                   └──no Ack in time, or no supervisor──► outcome file

One thread, one blocking call: epoll over the channel, a pidfd of the supervisor, the running attempt's descriptor
and a pipe that signals and other threads write to.

When the supervisor is gone, nothing that is queued begins; the running attempt goes on (or is ended), its outcome
goes to its file, and the worker exits. To a worker SIGUSR1 means: end your attempt, with the configured grace;
again: within a second. INT, TERM and HUP mean nothing to it, but without its supervisor TERM means the same: who
ends a whole tree, the worker of an outer mflow above all, has it ended in order.
"""

import gc
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import inf
from typing import Any, NoReturn

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine.attempt import Attempt
from mflow.engine.attempt_log import create_log, remove_log, without_log
from mflow.engine.bench import Bench, Equipment
from mflow.engine.channel import Channel
from mflow.engine.detachment import detach, leave_traceback, take_environment
from mflow.engine.identity import is_over, open_verified, own_identity
from mflow.engine.keeper import Keeper
from mflow.engine.lacks import lack_in
from mflow.engine.messages import (
    Ack,
    AttemptKey,
    Ended,
    Facts,
    FactsKept,
    GiveBack,
    Hello,
    Lacking,
    Quit,
    Returned,
    Run,
    Started,
    Stop,
    WorkerSettings,
)
from mflow.engine.procfs import read_stat
from mflow.engine.runners import RunnerNotLoaded, Runners
from mflow.engine.wakeups import Wakeups

_HASTY_GRACE_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 86400.0  # epoll takes no time limit of a thousand years


def worker_main(sock: socket.socket, settings: WorkerSettings) -> NoReturn:
    """What a worker process executes, with its end of the channel. Never returns; the exit code is 0 or CRASHED."""
    code = 0
    try:
        take_environment(settings.environ)
        Worker(Channel(detach(sock)), settings).run()
    except BaseException as error:  # noqa: BLE001  (nobody above could tell; an exit handler must not run)
        code = leave_traceback(error, settings.fallback_folder)
    finally:
        os._exit(code)


class Worker:
    """The loop. `run` returns when the worker may exit."""

    def __init__(self, channel: Channel, settings: WorkerSettings) -> None:
        self._channel, self._settings = channel, settings
        self._identity = own_identity()
        self._equipment = Equipment(settings, self._post_facts, self._pump)
        self._runners = Runners(settings.runners)
        self._keeper = Keeper(settings, self._identity)
        self._queue: deque[Job] = deque()
        self._inbox: deque[Any] = deque()
        self._facts: deque[Facts] = deque()  # from other threads
        self._attempt: Attempt | None = None
        self._watched = -1  # the attempt's descriptor in epoll
        self._announce_at = inf
        self._gone = self._quitting = self._retiring = self._forsaking = False
        self._asked = 0  # END_SIGNALs in this attempt
        self._now = time.monotonic()
        self._answers: dict[type, Callable[[Any], None]] = {
            Run: self._on_run,
            Stop: self._on_stop,
            GiveBack: self._on_give_back,
            Ack: self._on_ack,
            FactsKept: self._on_facts_kept,
            Quit: self._on_quit,
        }
        self._watch()

    def _watch(self) -> None:
        self._wakeups = Wakeups()
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._handle(self._wakeups.fileno(), self._on_wake)
        self._handle(self._channel.fileno(), self._on_channel)
        self._supervisor = open_verified(self._settings.supervisor)
        if self._supervisor is None:
            self._lose_supervisor()
        else:
            self._handle(self._supervisor, self._lose_supervisor)

    def _handle(self, descriptor: int, handler: Callable[[], None]) -> None:
        self._epoll.register(descriptor, select.EPOLLIN)
        self._handlers[descriptor] = handler

    # ------------------------------------------------------------------------------------------- the loop

    def run(self) -> None:
        """Serve until there is nothing left to do and nobody to do it for."""
        gc.freeze()
        self._channel.send(Hello(self._identity))
        while not self._done():
            self._turn()

    def _turn(self) -> None:
        # Who was stopped within a poll and goes on after its time is told of nothing: hence the second look.
        ready = [one for one, _ in self._epoll.poll(self._patience()) or self._epoll.poll(0)]
        self._now = time.monotonic()
        if self._watched in ready:  # before anything that could end it: an end of its own counts
            self._on_ready()
        for descriptor in ready:
            if handler := self._handlers.get(descriptor):
                handler()
        self._take_inbox()
        self._on_time()
        self._advance()
        if self._channel.wants_write:
            self._epoll.modify(self._channel.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _patience(self) -> float | None:
        next_at = min(
            self._announce_at, self._keeper.next_at, self._attempt.next_at if self._attempt else inf
        )
        return None if next_at == inf else min(max(0.0, next_at - time.monotonic()), _LONGEST_WAIT_SECONDS)

    def _on_time(self) -> None:
        if self._attempt and self._now >= self._attempt.next_at:
            self._attempt.on_time(self._now)
        if self._now >= self._announce_at:
            self._announce()
        if self._now >= self._keeper.next_at:
            self._keeper.write_due(self._now)

    def _done(self) -> bool:
        if self._attempt or not (self._gone or self._quitting or self._retiring):
            return False
        if self._gone:
            return self._forsaking or self._keeper.all_written
        settled = self._keeper.all_written if self._quitting else self._keeper.is_empty
        return settled and not self._channel.wants_write

    # ------------------------------------------------------------------------------------ what comes in

    def _on_channel(self) -> None:
        if self._channel.wants_write and self._channel.flush():
            self._epoll.modify(self._channel.fileno(), select.EPOLLIN)
        try:
            self._inbox.extend(self._channel.receive())
        except EOFError:
            self._lose_supervisor()

    def _take_inbox(self) -> None:
        while self._inbox:
            message = self._inbox.popleft()
            self._answers[type(message)](message)

    def _on_run(self, message: Run) -> None:
        if self._retiring or self._quitting:
            self._channel.send(Returned((_key(message.job),)))
        elif not self._gone:
            self._queue.append(message.job)

    def _on_stop(self, message: Stop) -> None:
        key = (message.task_no, message.attempt)
        if self._attempt and self._attempt.key == key:
            self._end_attempt("stopped on request", message.grace_seconds)
        elif self._take_back((key,)):
            self._channel.send(Returned((key,)))

    def _on_give_back(self, message: GiveBack) -> None:
        self._channel.send(Returned(self._take_back(message.attempts)))

    def _take_back(self, wanted: Sequence[AttemptKey]) -> tuple[AttemptKey, ...]:
        """Drop those of these attempts that have not begun."""
        found = [job for job in self._queue if _key(job) in wanted]
        for job in found:
            self._queue.remove(job)
        return tuple(map(_key, found))

    def _on_ack(self, message: Ack) -> None:
        self._keeper.acknowledge(message.attempts)

    def _on_facts_kept(self, message: FactsKept) -> None:
        if self._attempt and self._attempt.key == (message.task_no, message.attempt):
            self._attempt.bench.kept(message.serial)

    def _on_quit(self, _: Quit) -> None:
        self._quitting = True
        self._queue.clear()
        self._keeper.hurry()

    def _lose_supervisor(self) -> None:
        """It is dead, or has let go of this worker: nothing that is queued begins."""
        if self._gone:
            return
        self._gone = True
        with suppress(EOFError):
            self._inbox.extend(self._channel.receive())  # its last words count
        for descriptor in (self._supervisor, self._channel.fileno()):
            if descriptor is not None and descriptor in self._handlers:
                del self._handlers[descriptor]
                self._epoll.unregister(descriptor)
        self._channel.close()
        self._queue.clear()
        self._announce_at = inf
        self._keeper.hurry()
        if self._attempt:
            self._attempt.bench.nobody_listens()
            self._heed_children(True)
            if self._settings.on_supervisor_death == "kill":
                self._end_attempt("its supervisor is gone", self._settings.grace_seconds)

    def _on_wake(self) -> None:
        """A signal came, or another thread has facts to send."""
        self._wakeups.clear()
        self._send_facts()
        if self._attempt and self._wakeups.heeds_children:
            self._attempt.child_ended()
        asks, terms = self._wakeups.take_asks(), self._wakeups.take_terms()
        reason = "stopped on request" if asks else "ended from outside while its supervisor was gone"
        if terms and self._is_orphan():
            self._lose_supervisor()
            asks += terms
        if asks:
            self._heed_end_signal(asks, reason)

    def _is_orphan(self) -> bool:
        """Asked, not remembered: who ends a tree has seen the supervisor's end as soon as this worker has."""
        return self._gone or self._supervisor is None or is_over(self._supervisor)

    def _heed_end_signal(self, asks: int, reason: str) -> None:
        self._asked += asks
        self._forsaking = self._gone and self._keeper.struggles  # what cannot be written holds us no longer
        usual = self._settings.grace_seconds
        self._end_attempt(reason, usual if self._asked == 1 else min(_HASTY_GRACE_SECONDS, usual))

    def _end_attempt(self, reason: str, grace_seconds: float) -> None:
        if self._attempt:
            self._attempt.stop(Outcome.CANCELLED, reason, grace_seconds, self._now)

    # ----------------------------------------------------------------------------------------- attempts

    def _advance(self) -> None:
        """Report the end of the attempt, if it is over, and begin the next one."""
        while True:
            if self._attempt and self._attempt.over:
                self._conclude(self._attempt, self._attempt.over)
            if self._attempt or not self._queue:
                return
            self._begin(self._queue.popleft())

    def _begin(self, job: Job) -> None:
        try:
            log_fd, log = create_log(job.log, self._settings.fallback_folder)
        except OSError as error:
            if lack := lack_in(error):
                self._lack(_key(job), lack)
                return
            self._report(_key(job), without_log(job.log, error), job.log, {}, log_is_ours=False)
            return
        bench = Bench(job, log_fd, self._equipment)
        if log != job.log:
            bench.log_is_at(log)
        self._asked = 0
        self._heed_children(False)
        self._attempt = Attempt(job, bench, self._equipment.launcher, self._settings, log)
        self._start(self._attempt, job)

    def _start(self, attempt: Attempt, job: Job) -> None:
        self._now = time.monotonic()
        try:
            runner = self._runners.get(job.type)
        except RunnerNotLoaded as error:
            attempt.fail(str(error), self._now)
            return
        if attempt.start(runner, self._now):
            self._watched = attempt.fileno()
            self._epoll.register(self._watched, select.EPOLLIN)
            self._announce_at = self._now + self._settings.started_after_seconds
        elif not attempt.over:
            self._heed_children(True)

    def _on_ready(self) -> None:
        assert self._attempt
        self._stop_watching()
        self._attempt.ready(self._now)
        if not self._attempt.over:
            self._heed_children(True)

    def _stop_watching(self) -> None:
        self._announce_at = inf
        if self._watched >= 0:
            self._epoll.unregister(self._watched)
            self._watched = -1

    def _announce(self) -> None:
        """The attempt takes longer than a message costs."""
        self._announce_at = inf
        assert self._attempt
        assert self._attempt.started_at
        pid = self._attempt.pid
        leader = read_stat(pid) if pid else None  # not waited for yet, so it is it
        ticks = leader.start_ticks if leader else None
        self._channel.send(Started(*self._attempt.key, pid, self._attempt.started_at, ticks))
        self._heed_children(True)

    def _heed_children(self, wanted: bool) -> None:
        """SIGCHLD matters only where orphans may end: in a longer attempt, or one that is swept."""
        self._wakeups.heed_children(wanted)
        if wanted and self._attempt:
            self._attempt.child_ended()

    def _conclude(self, attempt: Attempt, end: AttemptEnd) -> None:
        self._stop_watching()
        self._attempt = None
        self._retiring = self._retiring or attempt.unfit
        self._send_facts()
        if attempt.lack:
            is_removed = remove_log(attempt.log)
            if is_removed or not self._gone:
                attempt.close_log()
                self._lack(attempt.key, attempt.lack, spent=not is_removed)
                return
        if self._retiring:
            self._return_queue()
        self._report(attempt.key, end, attempt.log, attempt.bench.facts(), log_fd=attempt.log_fd)

    def _lack(self, key: AttemptKey, what: str, *, spent: bool = False) -> None:
        """It has not begun, nor would what is behind it. Without a supervisor the missing log says so."""
        if not self._gone:
            self._return_queue()
            self._channel.send(Lacking(*key, what, spent))

    def _return_queue(self) -> None:
        if self._queue:
            self._channel.send(Returned(tuple(map(_key, self._queue))))
            self._queue.clear()

    def _report(
        self,
        key: AttemptKey,
        end: AttemptEnd,
        log: str,
        facts: dict[str, Any],
        *,
        log_is_ours: bool = True,
        log_fd: int | None = None,
    ) -> None:
        """Keep the end until it is acknowledged, and tell it."""
        hurried = self._gone or self._quitting
        write_at = self._now if hurried else self._now + self._settings.ack_seconds
        self._keeper.keep(key, end, log, facts, write_at=write_at, log_is_ours=log_is_ours, log_fd=log_fd)
        if not self._gone:
            self._channel.send(Ended(*key, end, self._retiring))

    # -------------------------------------------------------------------------------------------- facts

    def _post_facts(self, facts: Facts) -> None:
        """Send facts, from any thread."""
        self._facts.append(facts)
        if threading.current_thread() is threading.main_thread():
            self._send_facts()
        else:
            self._wakeups.wake()

    def _send_facts(self) -> None:
        while self._facts:
            self._channel.send(self._facts.popleft())

    def _pump(self, settled: Callable[[], bool], seconds: float) -> None:
        """Let the channel in until something is settled, from within a task type's call in this thread."""
        until = time.monotonic() + seconds
        poll = select.poll()
        for descriptor in (self._channel.fileno(), self._supervisor):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        while not settled() and (left := until - time.monotonic()) > 0:
            if poll.poll(left * 1000):
                self._on_channel()
                self._take_facts_kept()

    def _take_facts_kept(self) -> None:
        for message in [each for each in self._inbox if isinstance(each, FactsKept)]:
            self._inbox.remove(message)
            self._on_facts_kept(message)


def _key(job: Job) -> AttemptKey:
    return (job.task_no, job.attempt)
