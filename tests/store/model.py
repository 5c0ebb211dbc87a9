"""What a state database must make of batches, in a few lines of plain Python: the measure of the real ones."""

import copy
from dataclasses import dataclass, field, replace
from datetime import datetime

from mflow.core.model import AttemptEnd, Batch, Claim, TaskRow
from mflow.core.states import Outcome, TaskState

PENDING, RUNNING, SUCCESS, FAILED = TaskState


class Mismatch(Exception):
    """A transition that does not match: the whole batch must be refused."""


@dataclass
class Try:
    """An attempt."""

    claim: Claim
    end: AttemptEnd | None = None
    started_at: datetime | None = None
    pid: int | None = None
    facts: dict[str, object] = field(default_factory=dict)

    def shown_end(self) -> AttemptEnd | None:
        """Its end as it is read; the start may have been told before or after it."""
        return self.end and self.end._replace(started_at=self.started_at)


@dataclass
class Node:
    """A task."""

    state: TaskState = PENDING
    tries: int = 0
    not_before: datetime | None = None
    attempts: list[Try] = field(default_factory=list)

    def last(self, attempt: int, *states: TaskState) -> Try:
        """The last attempt, if it has that number and the task is in one of the states."""
        if len(self.attempts) != attempt or self.state not in states:
            raise Mismatch
        return self.attempts[-1]


class Model:
    """The tasks of a run."""

    def __init__(self, count: int) -> None:
        self.nodes = {number: Node() for number in range(count)}

    def after(self, batch: Batch) -> "Model":
        """A new model. Raises Mismatch."""
        model = copy.deepcopy(self)
        model._apply(batch)
        return model

    def _apply(self, batch: Batch) -> None:
        for told in batch.progress:
            if told.started_at is None and told.pid is None and not told.facts:
                continue  # it tells nothing, so it is not written
            node = self.nodes[told.task_no]
            if not 0 < told.attempt <= len(node.attempts):
                raise Mismatch
            one = node.attempts[told.attempt - 1]
            one.started_at, one.pid = (
                told.started_at or one.started_at,
                told.pid if told.pid is not None else one.pid,
            )
            one.facts = dict(told.facts or one.facts)
        for ending in batch.endings:
            node = self.nodes[ending.task_no]
            self._end(node.last(ending.attempt, RUNNING), ending.end)
            node.state, node.tries, node.not_before = ending.to, ending.tries, ending.not_before
        for back in batch.give_backs:
            node = self.nodes[back.task_no]
            node.last(back.attempt, RUNNING)
            node.attempts.pop()
            node.state = PENDING
        for reset in batch.resets:
            node = self.nodes[reset.task_no]
            if node.state not in (FAILED, PENDING):
                raise Mismatch
            node.state, node.tries, node.not_before = PENDING, 0, None
        for settle in batch.settles:
            node = self.nodes[settle.task_no]
            one = node.last(settle.attempt, FAILED)
            if one.end is None or one.end.outcome is not Outcome.UNKNOWN:
                raise Mismatch
            self._end(one, settle.end)
            node.state, node.not_before = SUCCESS, None
        for claim in batch.claims:
            node = self.nodes[claim.task_no]
            if node.state is not PENDING or len(node.attempts) != claim.attempt - 1:
                raise Mismatch
            node.attempts.append(Try(claim))
            node.state, node.not_before = RUNNING, None

    def _end(self, one: Try, end: AttemptEnd) -> None:
        one.started_at = end.started_at or one.started_at
        one.end = end

    def rows(self) -> list[TaskRow]:
        """As the store should read them."""
        return [self._row(number, node) for number, node in self.nodes.items()]

    def _row(self, number: int, node: Node) -> TaskRow:
        row = TaskRow(
            number, f"task {number}", "bash", node.state, len(node.attempts), node.tries, 2, node.not_before
        )
        if not node.attempts:
            return row
        last = node.attempts[-1]
        return replace(
            row,
            worker=last.claim.worker,
            pid=last.pid,
            claimed_at=last.claim.claimed_at,
            log=last.claim.log,
            end=last.shown_end(),
            started_at=last.started_at,
            facts=last.facts,
        )
