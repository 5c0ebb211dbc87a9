"""The machine under any order of events: it never spins, never overtakes, and always comes to an end."""

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.decisions import Effects
from mflow.core.holders import Attempt
from mflow.core.machine import Stop
from mflow.core.model import AttemptEnd, Batch, RetryPolicy
from mflow.core.states import Outcome, TaskState
from tests.core.driver import Driver, exited, worker

POLICY = RetryPolicy(attempts=3, wait_seconds=0.5)

_GRAPHS = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        *(
            st.lists(st.integers(0, max(0, no - 1)), max_size=3 if no else 0, unique=True)
            for no in range(size)
        )
    )
)
_DEEDS = st.sampled_from(
    ["batch", "commit", "end", "end short", "fail", "lose", "wait", "wait long", "answer", "worker", "limit"]
)


class Drawn(Driver):
    """A driver that does whatever is drawn, if it is possible."""

    def __init__(self, graph: tuple[list[int], ...], limit: int) -> None:
        super().__init__(graph, limit=limit, policy=POLICY)
        self.graph = graph
        self.under_way: Batch | None = None
        self.hands: dict[int, list[Attempt]] = {number: [] for number in range(limit)}
        self.asked: dict[int, list[Attempt]] = {}
        self.succeeded: set[int] = set()
        self.numbers = limit

    def do(self, deed: str, which: int) -> None:
        """One deed; `which` chooses among what it may be done to."""
        if deed == "batch":
            self.take_batch()
        elif deed == "commit":
            self.take_commit()
        elif deed in ("wait", "wait long"):
            self.wait(0.011 if deed == "wait" else 1.0)
        elif deed == "answer":
            self.answer(which)
        elif deed == "worker":
            self.new_worker()
        elif deed == "limit":
            self.machine.set_limit(1 + which % 4)
        else:
            self.finish(deed, which)
        self.perform(self.machine.effects())

    def take_batch(self) -> bool:
        """A batch, if there is one and none is under way."""
        if self.under_way is not None:
            return False
        self.under_way = self.offered()
        if self.under_way is not None:
            self._check(self.under_way)
        return self.under_way is not None

    def _check(self, batch: Batch) -> None:
        """The rules that any batch obeys."""
        succeeded = {ending.task_no for ending in batch.endings if ending.to is TaskState.SUCCESS}
        self.succeeded |= succeeded
        for claim in batch.claims:
            assert self.succeeded.issuperset(self.graph[claim.task_no])
            assert claim.task_no not in self.succeeded
        tasks = [claim.task_no for claim in batch.claims]
        assert len(tasks) == len(set(tasks))

    def take_commit(self) -> None:
        """The batch under way is committed."""
        if self.under_way is not None:
            batch, self.under_way = self.under_way, None
            self.perform(self.commit(batch))

    def perform(self, effects: Effects) -> None:
        """What a shell does."""
        for number, attempt in effects.dispatch:
            self.hands[number].append(attempt)
        for number, attempts in effects.ask_back:
            assert number not in self.asked
            self.asked[number] = attempts
        for number in effects.let_go:
            assert not self.hands.pop(number)
            self.machine.worker_gone(number)
        busy = sum(1 for held in self.hands.values() if held)
        assert not effects.dispatch or busy <= self.machine.limit

    def answer(self, which: int) -> None:
        """A worker gives back what it has not begun."""
        if self.asked:
            number = sorted(self.asked)[which % len(self.asked)]
            attempts = self.asked.pop(number)
            back = [one for one in attempts if one in self.hands[number][1:]]
            self.hands[number] = [one for one in self.hands[number] if one not in back]
            self.machine.returned(number, back)

    def new_worker(self) -> None:
        """A worker, if one is wanted."""
        if self.machine.workers_wanted() > len(self.hands):
            self.hands[self.numbers] = []
            self.machine.worker_ready(self.numbers, worker(self.numbers))
            self.numbers += 1

    def finish(self, deed: str, which: int) -> None:
        """Somebody ends what it executes."""
        busy = [number for number, held in sorted(self.hands.items()) if held]
        if not busy:
            return
        attempt = self.hands[busy[which % len(busy)]].pop(0)
        ends = {
            "end": exited(0, took=3.0),
            "end short": exited(0, took=0.001),
            "fail": exited(1),
            "lose": AttemptEnd(Outcome.LOST),
        }
        self.machine.ended(*attempt, ends[deed])


_LIVES = st.tuples(_GRAPHS, st.integers(1, 3), st.lists(st.tuples(_DEEDS, st.integers(0, 9)), max_size=60))


@given(_LIVES)
def test_a_wake_up_that_is_due_changes_something(
    life: tuple[tuple[list[int], ...], int, list[tuple[str, int]]],
) -> None:
    graph, limit, deeds = life
    driver = Drawn(graph, limit)
    for deed, which in deeds:
        driver.do(deed, which)
        if driver.machine.wake_in(driver.now) != 0.0:
            continue
        driver.wait(0.0)  # what a shell does when it wakes: tell the time, ask for a batch, perform
        if not driver.take_batch():
            driver.perform(driver.machine.effects())
            assert driver.machine.wake_in(driver.now) != 0.0


@given(_LIVES, st.none() | st.sampled_from(Stop))
def test_it_always_comes_to_an_end(
    life: tuple[tuple[list[int], ...], int, list[tuple[str, int]]], stop: Stop | None
) -> None:
    graph, limit, deeds = life
    driver = Drawn(graph, limit)
    for deed, which in deeds:
        driver.do(deed, which)
    if stop is not None:
        driver.machine.stop(stop)
    for _ in range(40 * len(graph) + 40):
        for deed in ("worker", "batch", "commit", "answer", "end", "wait"):
            driver.do(deed, 0)
    assert driver.machine.released
    assert driver.machine.counts[TaskState.RUNNING] == 0
    assert not any(driver.hands.values())
    if stop is None:
        left = [no for no in range(len(graph)) if driver.machine.state(no) is TaskState.PENDING]
        for no in left:
            assert any(driver.machine.state(before) is not TaskState.SUCCESS for before in graph[no])
