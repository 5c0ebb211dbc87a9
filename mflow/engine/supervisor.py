"""One run, driven: a single loop that never waits for the database.

::

    signals ─┐                       ┌─ 1. wait: one epoll over everything that can happen
    timers ──┤                       │  2. feed it to the machine
    workers ─┼──► epoll ──► loop ────┤  3. if the writer is idle: hand over one batch
    writer ──┘                       │  4. perform: dispatch, end, acknowledge, start workers
                                     └─ 5. report

The machine (`core.machine`) decides, this module performs. It ends by `leave`, never through exit handlers:
multiprocessing's would wait for workers, or end them.
"""

import os
import select
import signal
import sys
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime
from typing import NoReturn

from mflow.core.decisions import Effects
from mflow.core.errors import MflowError, StoreError, Superseded
from mflow.core.graph import Graph
from mflow.core.holders import Attempt
from mflow.core.machine import Machine
from mflow.core.model import LOG_FACT, AttemptEnd, Batch
from mflow.core.model import Ending as AttemptEnding
from mflow.core.states import Outcome
from mflow.engine import clock
from mflow.engine.alarms import SignalPipe, Timers
from mflow.engine.assignment import Assignment, Ending, OpenStore, Reporter, Verdict
from mflow.engine.beginnings import Beginnings
from mflow.engine.config_watch import ConfigWatch
from mflow.engine.crew import Crew
from mflow.engine.evidence import fallback_folder, mark_folder
from mflow.engine.halting import Halting
from mflow.engine.identity import own_identity
from mflow.engine.jobs import Jobs
from mflow.engine.losses import Losses, Record
from mflow.engine.master_log import MasterLog
from mflow.engine.messages import WorkerSettings
from mflow.engine.overdue import Overdue
from mflow.engine.persistence import Persistence
from mflow.engine.pool import allow_many_files, prestart, wake_servers
from mflow.engine.staff import Staff
from mflow.engine.tree import become_subreaper
from mflow.engine.wording import ended_words
from mflow.engine.writer import Writer

__all__ = ["leave", "prestart", "supervise"]

PARTING_SECONDS = 5.0
"""How long a stopping supervisor waits for a database that is away, and for workers to exit."""


def supervise(assignment: Assignment, open_store: OpenStore, reporter: Reporter) -> Verdict:
    """Drive a run that is ours until it ends, is stopped, or is no longer ours.

    Raises MflowError for what makes driving impossible from the start, and whatever is a defect; running
    attempts survive both.
    """
    supervisor = Supervisor(assignment, open_store, reporter)
    try:
        verdict = supervisor.drive()
    finally:
        supervisor.close()
    reporter.finished(verdict)
    return verdict


def leave(exit_code: int) -> NoReturn:
    """End this process at once; what it printed is flushed."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # the terminal or pipe has gone
    os._exit(exit_code)


class Supervisor:
    """The loop and what it holds."""

    def __init__(self, assignment: Assignment, open_store: OpenStore, reporter: Reporter) -> None:
        prestart()
        allow_many_files()
        become_subreaper()
        run, config = assignment.run, assignment.config
        self._assignment, self._run, self._reporter = assignment, run, reporter
        self._verdict: Verdict | None = None
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._timers = Timers()
        self._signals = SignalPipe()
        self._jobs = Jobs(assignment)
        self._machine = self._make_machine()
        self._log = MasterLog(config.log_directory, run.id, reporter.note)
        self._losses = Losses(run, self._machine, self._note)
        self._record = Record(
            lambda no, n: (self._jobs.id(no), self._jobs.task(no).type, self._jobs.log(no, n))
        )
        self._crew = Crew(self._settings(), self._watch, self._unwatch, self._watch_writable)
        self._beginnings = Beginnings(self._show_beginning)
        self._staff = Staff(
            self._machine, self._crew, self._losses, self._record, self._note, self._beginnings
        )
        self._halting = Halting(
            self._machine, self._crew, self._timers, config.kill_grace_seconds, self._note
        )
        writer = Writer(open_store, run.id, assignment.fence)
        self._writer = writer
        self._persistence = Persistence(writer, self._timers, config.database_patience_seconds, self._note)
        self._config_watch = ConfigWatch(assignment)
        self._overdue = Overdue(self._machine, self._crew, self._jobs.task, self._note)
        self._watch(self._signals.fileno(), self._on_signals)
        self._watch(writer.fileno(), self._on_answer)

    # -------------------------------------------------------------------------------------- the loop

    def drive(self) -> Verdict:
        """Until there is a verdict."""
        self._begin()
        while self._verdict is None:
            try:
                self._turn()
            except Superseded as error:
                self._verdict = Verdict(Ending.SUPERSEDED, message=error.message, hint=error.hint)
            except StoreError as error:
                self._verdict = Verdict(Ending.DATABASE_LOST, message=error.message, hint=error.hint)
        self._event(f"supervisor leaves: {self._verdict.ending.value}")
        return self._verdict

    def close(self) -> None:
        """Let workers go, release the database and give the signals back."""
        self._part()
        wake_servers()  # one that is stopped would not notice that we leave
        if self._machine.released:
            self._losses.tidy(resumed=self._assignment.resumed)
        self._log.flush()
        self._signals.close()
        self._epoll.close()

    def _begin(self) -> None:
        assignment = self._assignment
        self._event(f"supervisor {os.getpid()} {'resumes' if assignment.resumed else 'starts'} the run")
        self._reporter.began(self._run, assignment.definition, assignment.rows)
        if self._run.cancelled_by:
            self._halting.cancel(self._run.cancelled_by)
        if not any(row.attempts for row in assignment.rows):
            mark_folder(self._run)
        if assignment.resumed:
            self._losses.recover(assignment.rows, self._staff.adopt)
        now = clock.now().mono
        self._timers.set("config", now + assignment.config.check_new_config_interval)
        if self._reporter.refresh_seconds is not None:
            self._timers.set("refresh", now + self._reporter.refresh_seconds)

    def _turn(self) -> None:
        if not self._timers.is_set("start workers"):
            again = self._staff.start_workers()
            if again is not None:
                self._timers.set("start workers", clock.now().mono + again)
        self._offer_batch()
        self._hand_over()
        self._perform(self._machine.effects())
        self._crew.deliver()
        self._log.flush()
        self._reporter.flush()
        if self._machine.released:
            self._verdict = self._halting.final_verdict()
            return
        ready = self._wait()
        now = clock.now()
        self._machine.tick(now)
        for descriptor in ready:
            callback = self._callbacks.get(descriptor)
            if callback is not None:
                callback()
        for timer in self._timers.due(now.mono):
            self._on_timer(timer)

    def _wait(self) -> list[int]:
        """One blocking call on everything that can happen."""
        now = clock.now()
        waits = [self._timers.next_in(now.mono)]
        if self._persistence.idle:
            waits.append(self._machine.wake_in(now))
        timeout = min([wait for wait in waits if wait is not None], default=-1.0)
        return [descriptor for descriptor, _ in self._epoll.poll(timeout)]

    def _offer_batch(self) -> None:
        if not self._persistence.idle:
            return
        batch = self._machine.next_batch(clock.now())
        if batch is not None:
            self._staff.batch_offered()
            for claim in batch.claims:
                self._record.begin((claim.task_no, claim.attempt), claim.worker, self._machine.now)
            self._persistence.submit(batch)

    # --------------------------------------------------------------------------------- what is decided

    def _perform(self, effects: Effects) -> None:
        for text in effects.notes:
            self._note(text)
        for number, attempts in effects.ask_back:
            self._crew.ask_back(number, attempts)
        for number, attempt in effects.end:
            self._crew.end(number, attempt, self._assignment.config.kill_grace_seconds)
        acknowledged: dict[int, list[Attempt]] = defaultdict(list)
        for number, attempt in effects.acknowledge:
            acknowledged[number].append(attempt)
        self._crew.acknowledge(acknowledged)
        for number, attempt in effects.dispatch:
            self._dispatch(number, attempt)
        for number in effects.let_go:
            self._crew.let_go(number)
        for ending in effects.endings:
            self._show_ending(ending)

    def _hand_over(self) -> None:
        """Committed claims may go to their workers, if the run is ours beyond doubt."""
        if not self._machine.has_to_hand_over:
            return
        if self._machine.stopping or self._persistence.lease_is_fresh:
            self._machine.hand_over()
        else:
            self._persistence.want_beat()

    def _dispatch(self, number: int, attempt: Attempt) -> None:
        task_no = attempt[0]
        try:
            job = self._jobs.make(*attempt, self._losses.previous.get(task_no, {}))
        except MflowError as error:
            self._machine.ended(*attempt, AttemptEnd(Outcome.NOT_STARTED, message=error.message))
            return
        self._crew.run(number, job)
        behind = self._machine.held_by(number)[0] != attempt
        self._beginnings.dispatched(attempt, self._machine.now.wall, behind_another=behind)

    # --------------------------------------------------------------------------------- what has happened

    def _on_answer(self) -> None:
        answer = self._persistence.take_answer()
        if answer is None:
            return
        if isinstance(answer.request, Batch):
            self._perform(self._machine.committed(answer.request, clock.now()))
            self._staff.batch_committed()
        elif answer.pulse is not None and answer.pulse.cancelled_by:
            self._halting.cancel(answer.pulse.cancelled_by)

    # ------------------------------------------------------------------------------- signals and timers

    def _on_signals(self) -> None:
        for number in self._signals.take():
            match number:
                case signal.SIGINT | signal.SIGTERM:
                    self._halting.on_signal(number)
                case signal.SIGHUP:
                    self._log.reopen()
                case signal.SIGUSR1:
                    self._persistence.want_beat()
                case signal.SIGCHLD:
                    self._staff.on_child_end()

    def _on_timer(self, name: str) -> None:
        now = clock.now().mono
        match name:
            case "retry":
                self._give_up_if_stopping()
                if self._verdict is None:
                    self._persistence.retry()
            case "beat":
                self._persistence.want_beat()
                self._log.reopen_if_rotated()
            case "config":
                self._timers.set("config", now + self._assignment.config.check_new_config_interval)
                self._overdue.look(now)
                self._persistence.look_at_the_clock()
                self._give_up_if_stopping()
                self._reload_config()
            case "refresh":
                self._reporter.refresh()
                if self._reporter.refresh_seconds is not None:
                    self._timers.set("refresh", now + self._reporter.refresh_seconds)
            case "stuck":
                self._halting.kill_stuck()

    def _reload_config(self) -> None:
        limit, text = self._config_watch.look()
        if text:
            self._note(text)
        if limit is not None and limit != self._machine.limit:
            self._note(f"max_process_concurrency is now {limit}")
            self._machine.set_limit(limit)

    def _give_up_if_stopping(self) -> None:
        """A stopping supervisor does not wait for a database for long: outcomes are kept by the workers."""
        if not (self._machine.stopping and self._persistence.failing):
            return
        if self._halting.nothing_runs():
            message = "the database is away: what has ended is kept in files until the run is resumed"
            self._verdict = Verdict(Ending.STOPPED, self._halting.signal, message)

    # ---------------------------------------------------------------------------------- showing, leaving

    def _show_beginning(self, attempt: Attempt, at: datetime, how: str) -> None:
        self._event(how, attempt)
        self._reporter.attempt_began(*attempt, at)

    def _show_ending(self, ending: AttemptEnding) -> None:
        attempt = (ending.task_no, ending.attempt)
        self._beginnings.began(attempt, ending.end.started_at)
        row = self._record.end(attempt)
        facts = row.facts if row else {}
        log = str(facts.get(LOG_FACT) or self._jobs.log(*attempt))
        if ending.end.outcome not in (Outcome.LOST, Outcome.UNKNOWN):
            self._losses.previous.pop(ending.task_no, None)
        self._losses.ended(self._jobs.log(*attempt), ending.end)
        self._event(ended_words(ending), attempt)
        self._reporter.attempt_ended(*attempt, ending.to, ending.end, ending.not_before, log)

    def _part(self) -> None:
        """Tell idle workers to exit and wait for them a moment; those that run something go on without us."""
        self._writer.close(PARTING_SECONDS)
        own = self._crew.own
        for number in own:
            self._crew.let_go(number)
        self._crew.deliver()
        until = clock.now().mono + PARTING_SECONDS
        ended = select.poll()
        waiting = {worker.pidfd for number, worker in own.items() if not self._machine.held_by(number)}
        for pidfd in waiting:
            ended.register(pidfd, select.POLLIN)
        while waiting and (left := until - clock.now().mono) > 0:
            for pidfd, _ in ended.poll(left * 1000):
                ended.unregister(pidfd)
                waiting.discard(pidfd)

    def _note(self, text: str) -> None:
        self._event(text)
        self._reporter.note(text)

    def _event(self, text: str, attempt: Attempt | None = None) -> None:
        if attempt is None:
            self._log.add(clock.now().wall, text)
        else:
            self._log.add(self._machine.now.wall, text, self._jobs.id(attempt[0]), attempt[1])

    # ---------------------------------------------------------------------------------------- making it

    def _make_machine(self) -> Machine:
        assignment = self._assignment
        graph = Graph.of(assignment.definition)
        return Machine(
            assignment.rows,
            upstream=graph.upstream.__getitem__,
            downstream=graph.downstream.__getitem__,
            policy=lambda task_no: self._jobs.task(task_no).retry,
            log=self._jobs.log,
            limit=assignment.config.max_process_concurrency,
            run_state=assignment.run.state,
            now=clock.now(),
        )

    def _settings(self) -> WorkerSettings:
        run, config = self._run, self._assignment.config
        return WorkerSettings(
            run_id=run.id,
            run_uid=run.uid,
            supervisor=own_identity(),
            environ=self._assignment.environ,
            grace_seconds=config.kill_grace_seconds,
            runners=self._assignment.runners,
            fallback_folder=fallback_folder(run.uid),
            leftovers=config.leftovers.value,
            on_supervisor_death=config.on_supervisor_death.value,
        )

    def _watch(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._callbacks[descriptor] = callback
        self._epoll.register(descriptor, select.EPOLLIN)

    def _watch_writable(self, descriptor: int, also: bool) -> None:
        if descriptor in self._callbacks:
            self._epoll.modify(descriptor, select.EPOLLIN | select.EPOLLOUT if also else select.EPOLLIN)

    def _unwatch(self, descriptor: int) -> None:
        if self._callbacks.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)
