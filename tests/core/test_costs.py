"""What the decision core asks for, counted: commits and dispatches a task. A change for the worse shows here."""

from collections import deque

from tests.core.driver import Driver, exited


def test_a_chain_costs_one_commit_a_task() -> None:
    """An end and the claim of what it sets free are one transaction."""
    count = 50
    driver = Driver([[] if number == 0 else [number - 1] for number in range(count)], limit=1)
    batches = 0
    while not driver.machine.released:
        batches += 1
        for _, attempt in driver.commit().dispatch:
            driver.machine.ended(*attempt, exited(took=0.001))
    assert batches == count + 1


def test_short_tasks_share_their_commits() -> None:
    """Two workers that never run dry: a worker ends one attempt while a batch is under way."""
    count = 1000
    driver = Driver([[] for _ in range(count)], limit=2)
    given: dict[int, deque[tuple[int, int]]] = {0: deque(), 1: deque()}
    batches, dispatched = 0, 0
    while not driver.machine.released:
        batch = driver.offered()
        for held in given.values():
            if held:
                driver.machine.ended(*held.popleft(), exited(took=0.001))
        driver.wait(0.001)
        if batch is not None:
            batches += 1
            for number, attempt in driver.commit(batch).dispatch:
                given[number].append(attempt)
                dispatched += 1
    assert dispatched == count
    assert batches < count / 10
