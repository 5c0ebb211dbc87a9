"""Attempts whose worker no longer speaks: those found at a resume, and those of a worker that died.

Evidence is gathered (`evidence`), the pure rules decide (`core.recovery`), the machine is told.
"""

import os
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mflow.core.decisions import Now
from mflow.core.holders import Attempt
from mflow.core.machine import Machine
from mflow.core.model import AttemptEnd, Identity, RunRow, TaskRow
from mflow.core.recovery import Adopt, Again, Decision, NotBegun, Settled, Stays, Take, is_unproven
from mflow.core.states import Outcome, TaskState
from mflow.engine import evidence
from mflow.engine.family import Family
from mflow.engine.outcome_file import remove_outcomes

UNPROVEN = frozenset({Outcome.LOST, Outcome.UNKNOWN})
"""Outcomes after which work outside this host (a session, an application) may still be going on."""


class Losses:
    """Accounts for what no living worker of ours answers for."""

    def __init__(self, run: RunRow, machine: Machine, note: Callable[[str], None]) -> None:
        self._run, self._machine, self._note = run, machine, note
        self.previous: dict[
            int, Mapping[str, Any]
        ] = {}  # facts of a task's last attempt, if its end is unproven
        self._named: set[str] = set()  # what others have planted
        self._open: set[str] = set()  # logs of attempts of which more may become known
        self._told = False  # an outcome was read from a file
        self._adopted: set[Attempt] = set()  # they were seen to run
        self.family = Family()

    def recover(self, rows: Iterable[TaskRow], adopt: Callable[[TaskRow], bool]) -> None:
        """At a resume: decide about every RUNNING row, then about what FAILED.

        `adopt(row)` watches the worker of a live attempt; False if it has just gone.
        """
        rows = list(rows)
        self._open.update(row.log for row in rows if is_unproven(row) and row.log)
        failed = [row for row in rows if row.state is TaskState.FAILED and not self._machine.stopping]
        nobodys = [row for row in rows if row.state is TaskState.RUNNING]
        nobodys += [row for row in failed if is_unproven(row)]
        for row, decision in self._settle(nobodys):
            if row.state is TaskState.RUNNING:
                self._recover_running(row, decision, adopt)
            else:
                self._recover_failed(row, decision)
        for row in failed:
            if not is_unproven(row):
                self._machine.reset(row.task_no)
        for row in rows:
            self._remember(row.task_no, row.end, row.facts)

    def account_for(self, rows: Iterable[TaskRow], cause: str = "", *, ours: bool) -> None:
        """The worker of these live attempts is dead: find out what became of them.

        `cause`: how the worker died. `ours`: it was started by this supervisor.
        """
        for row, decision in self._settle(rows, ours=ours):
            task_no, attempt = row.task_no, row.attempts
            match decision:
                case NotBegun(spent=spent):
                    self._machine.not_begun(task_no, attempt, draw=random.random(), spent=spent)
                case Take(end=end):
                    if cause and end.outcome in UNPROVEN:
                        end = end._replace(message=f"{end.message}; {cause}")
                    self._remember(task_no, end, row.facts)
                    self._machine.ended(task_no, attempt, end, draw=random.random())
                case _:
                    raise AssertionError(f"task {row.id!r}: {decision} for an attempt whose worker is dead")

    def _recover_running(self, row: TaskRow, decision: Decision, adopt: Callable[[TaskRow], bool]) -> None:
        if isinstance(decision, Adopt):
            if adopt(row):
                if decision.began:
                    self._adopted.add((row.task_no, row.attempts))
                self._note(f"{row.id}: attempt {row.attempts} {decision.message}; adopted")
                return
            [(_, decision)] = self._settle([row])  # it ended between two looks
        match decision:
            case Take(end=end):
                self._remember(row.task_no, end, row.facts)
                self._machine.ended(row.task_no, row.attempts, end, draw=random.random(), recovered=True)
                if end.outcome in UNPROVEN:
                    self._note(f"{row.id}: attempt {row.attempts} is {end.outcome}: {end.message}")
            case NotBegun(spent=spent):
                self._machine.not_begun(row.task_no, row.attempts, spent=spent)
            case _:
                raise AssertionError(f"task {row.id!r}: {decision} for a RUNNING row")

    def _recover_failed(self, row: TaskRow, decision: Decision) -> None:
        match decision:
            case Settled(end=end):
                self._machine.settle(row.task_no, row.attempts, end)
            case Again(warning=warning):
                if warning:
                    self._note(f"{row.id}: {warning}")
                self._machine.reset(row.task_no)
            case Stays(message=message):
                self._note(f"{row.id}: {message}")

    def _settle(self, rows: Iterable[TaskRow], *, ours: bool = False) -> Iterator[tuple[TaskRow, Decision]]:
        """The decision about each attempt; what other users have planted is named, once."""
        found = evidence.settle(self._run, rows, self.family, adopted=self._adopted, ours=ours)
        for row, decision, seen in found:
            self._told = self._told or seen.outcome is not None
            if seen.outcome is not None and row.log:
                self._open.discard(row.log)
            for text in seen.foreign:
                if text not in self._named:
                    self._named.add(text)
                    self._note(f"{row.id}: {text}")
            yield row, decision

    def ended(self, log: str, end: AttemptEnd) -> None:
        """The end of an attempt is committed; if it is not proven over, its worker's word may still come."""
        if end.outcome is Outcome.UNKNOWN or end.survivors:
            self._open.add(log)

    def tidy(self, *, resumed: bool) -> None:
        """Every end is committed: remove the files that told of them, whoever has read them or was too late.

        A worker whose supervisor died between a commit and its acknowledgement has written one, too.
        """
        if resumed or self._told:
            keep = {os.path.basename(log) for log in self._open}
            remove_outcomes(self._run.folder, evidence.fallback_folder(self._run.uid), keep)

    def _remember(self, task_no: int, end: AttemptEnd | None, facts: Mapping[str, Any]) -> None:
        if end is not None and end.outcome in UNPROVEN and facts:
            self.previous[task_no] = facts


class Record:
    """What is known in memory of live attempts, in the form that evidence is asked for."""

    def __init__(self, describe: Callable[[int, int], tuple[str, str, str]]) -> None:
        """`describe(task_no, attempt)`: id, type and log of an attempt."""
        self._describe = describe
        self._rows: dict[Attempt, TaskRow] = {}

    def begin(self, attempt: Attempt, worker: Identity, now: Now, known: TaskRow | None = None) -> None:
        """An attempt was given to this worker (or is `known` from the store)."""
        if known is not None:
            self._rows[attempt] = replace(known, worker=worker)
            return
        task_no, number = attempt
        name, kind, log = self._describe(task_no, number)
        self._rows[attempt] = TaskRow(
            task_no,
            name,
            kind,
            TaskState.RUNNING,
            number,
            worker=worker,
            claimed_at=now.wall,
            log=log,
        )

    def learn(self, attempt: Attempt, **values: Any) -> None:
        """Something more is known of a live attempt."""
        if attempt in self._rows:
            self._rows[attempt] = replace(self._rows[attempt], **values)

    def get(self, attempt: Attempt) -> TaskRow | None:
        """What is known of a live attempt."""
        return self._rows.get(attempt)

    def end(self, attempt: Attempt) -> TaskRow | None:
        """Forget an attempt that is over; what was known of it."""
        return self._rows.pop(attempt, None)
