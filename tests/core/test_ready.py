"""What may start next, now and later."""

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.ready import FileOrder, ReadyQueue


@given(st.lists(st.integers(0, 1000), unique=True))
def test_the_earliest_task_of_the_file_goes_first(tasks: list[int]) -> None:
    order = FileOrder()
    for task_no in tasks:
        order.add(task_no)
    assert [order.take() for _ in tasks] == sorted(tasks)


def test_a_delayed_task_does_not_start_before_its_time_but_is_not_forgotten() -> None:
    ready = ReadyQueue(FileOrder())
    ready.add(7, 5.0, 0.0)
    assert (len(ready), bool(ready), ready.wakes_in(0.0)) == (0, True, 5.0)
    ready.wake(4.999999)
    assert len(ready) == 0
    ready.wake(5.0)
    assert (len(ready), ready.wakes_in(0.0)) == (1, None)
    assert ready.take() == 7
    assert not ready


def test_an_instant_that_has_passed_is_no_delay() -> None:
    ready = ReadyQueue(FileOrder())
    ready.add(7, 1.0, 1.0)
    assert len(ready) == 1


@given(st.lists(st.integers(0, 50), min_size=1, max_size=20))
def test_delayed_tasks_wake_in_the_order_of_their_instants(delays: list[int]) -> None:
    ready = ReadyQueue(FileOrder())
    for task_no, delay in enumerate(delays):
        ready.add(task_no, float(delay), 0.0)
    woken = []
    for second in range(51):
        ready.wake(float(second))
        while len(ready):
            woken.append(delays[ready.take()])
    assert woken == sorted(delays)
