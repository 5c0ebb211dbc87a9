"""What is drawn at the beginning of a life: the graph, how tasks behave, and how rough the life will be."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from mflow.core.model import AttemptEnd, Backoff, RetryPolicy
from mflow.core.states import Outcome

SHORT, MIXED, LONG = "short", "mixed", "long"


@dataclass(slots=True)
class Plan:
    """Everything that does not change by itself during a life."""

    upstream: dict[int, tuple[int, ...]]
    downstream: dict[int, tuple[int, ...]]
    policies: dict[int, RetryPolicy]
    limit: int
    lasting: str  # how long attempts last
    goodness: float  # how likely an attempt ends well
    crashes: float  # how likely a supervisor dies at a step
    worker_deaths: float
    outages: float  # how likely a commit meets an unavailable database
    meddling: float  # how likely an operator does something at a step
    unkillable: float
    unreadable: float  # share of orphans of which a sweep cannot tell whose they are
    messy: float  # how likely an attempt leaves processes behind
    kill_with_supervisor: bool
    two_hosts: bool
    namesakes: bool  # both hosts have the same name
    latency: float  # how likely a worker does something else before it hears what was said to it
    sluggish: float  # how likely workers do nothing at a step in which somebody else could
    hesitation: float  # how likely a supervisor hands committed claims over a turn later
    healed: bool = False  # from now on everything ends well

    def fate(self, rng: Random, *, halting: bool) -> tuple[AttemptEnd, float]:
        """How an attempt ends if it is left alone, and how long it takes (often long, where it should be ended)."""
        return self._end(rng), 5.0 if halting and rng.random() < 0.5 else self._seconds(rng)

    def _end(self, rng: Random) -> AttemptEnd:
        if self.healed or rng.random() < self.goodness:
            return AttemptEnd(Outcome.EXITED, 0)
        kind = rng.randrange(8)
        if kind < 4:
            return AttemptEnd(Outcome.EXITED, 1 + kind % 3)
        if kind == 4:
            return AttemptEnd(Outcome.SIGNALLED, signal="SIGSEGV")
        if kind == 5:
            return AttemptEnd(Outcome.ERROR, error="ORA-00060")
        if kind == 6:
            return AttemptEnd(Outcome.NOT_STARTED)
        return AttemptEnd(Outcome.TIMED_OUT)

    def _seconds(self, rng: Random) -> float:
        if self.lasting == SHORT or (self.lasting == MIXED and rng.random() < 0.8):
            return rng.uniform(0.0005, 0.003)
        return rng.choice((0.03, 0.5, 8.0)) * rng.uniform(0.8, 1.2)

    def add(self, task_no: int, upstream: tuple[int, ...], policy: RetryPolicy) -> None:
        """One task more."""
        self.upstream[task_no], self.downstream[task_no] = upstream, ()
        self.policies[task_no] = policy
        for before in upstream:
            self.downstream[before] += (task_no,)

    def remove(self, task_no: int) -> None:
        """One task less."""
        for before in self.upstream.pop(task_no):
            self.downstream[before] = tuple(no for no in self.downstream[before] if no != task_no)
        del self.downstream[task_no], self.policies[task_no]


def draw_plan(rng: Random) -> Plan:
    """A life to be lived."""
    lasting = rng.choice((SHORT, MIXED, MIXED, LONG))
    wide = lasting != LONG and rng.random() < 0.25
    plan = Plan(
        upstream={},
        downstream={},
        policies={},
        limit=rng.randint(1, 3),
        lasting=lasting,
        goodness=rng.choice((0.5, 0.8, 0.95, 1.0)),
        crashes=rng.choice((0.0, 0.005, 0.02, 0.08)),
        worker_deaths=rng.choice((0.0, 0.0, 0.004, 0.02)),
        outages=rng.choice((0.0, 0.0, 0.1, 0.4)),
        meddling=rng.choice((0.0, 0.003, 0.02, 0.05)),
        unkillable=rng.choice((0.0, 0.0, 0.0, 0.3)),
        unreadable=rng.choice((0.0, 0.0, 0.0, 0.4)),
        messy=rng.choice((0.0, 0.0, 0.1)),
        kill_with_supervisor=rng.random() < 0.2,
        two_hosts=rng.random() < 0.15,
        namesakes=rng.random() < 0.5,
        latency=rng.choice((0.0, 0.5, 0.9)),
        sluggish=rng.choice((0.0, 0.0, 0.9)),
        hesitation=rng.choice((0.0, 0.0, 0.5)),
    )
    size = rng.randint(12, 30) if wide else rng.randint(1, 9)
    density = 0 if wide and rng.random() < 0.5 else 3
    for task_no in range(size):
        count = min(task_no, rng.randint(0, density))
        plan.add(task_no, tuple(sorted(rng.sample(range(task_no), count))), draw_policy(rng))
    return plan


def draw_policy(rng: Random) -> RetryPolicy:
    """How a task is tried again."""
    return RetryPolicy(
        attempts=rng.choice((1, 1, 2, 3)),
        wait_seconds=rng.choice((0.0, 0.0, 0.01, 5.0)),
        backoff=rng.choice((Backoff.FIXED, Backoff.EXPONENTIAL)),
        jitter=rng.choice((0.0, 1.0)),
        on_exit_codes=rng.choice((None, None, None, (1, 2))),
        on_errors=rng.choice((None, None, None, ("ORA-00060", "NOT_STARTED"))),
    )
