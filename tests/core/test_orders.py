"""What workers are told, and what they must not hear yet."""

from mflow.core.holders import Holder
from mflow.core.model import Claim
from mflow.core.orders import Orders
from tests.core.driver import EPOCH, worker

A, B, C = (0, 1), (1, 1), (2, 1)


def _holder(*held: tuple[int, int], adopted: bool = False) -> Holder:
    holder = Holder(5, worker(5), adopted=adopted)
    holder.held.extend(held)
    return holder


def _claim(task_no: int) -> Claim:
    return Claim(task_no, 1, worker(5), "/log", EPOCH)


def test_what_was_decided_is_told_once() -> None:
    orders = Orders()
    orders.dispatch(_holder(A), A)
    assert orders.take().dispatch == [(5, A)]
    assert orders.take().dispatch == []


def test_a_claim_is_unheard_until_it_is_dispatched_or_forgotten() -> None:
    orders = Orders()
    orders.hold_off([_claim(0), _claim(1)])
    assert orders.is_unheard(A)
    orders.dispatch(_holder(A), A)
    orders.forget(B)
    assert not orders.is_unheard(A)
    assert not orders.is_unheard(B)


def test_what_is_over_before_it_was_handed_over_never_is() -> None:
    orders = Orders()
    orders.hold_off([_claim(0), _claim(1)])
    orders.may_dispatch(A)
    orders.may_dispatch(B)
    orders.forget(A)
    assert orders.any_committed
    assert orders.take_committed() == [B]
    assert not orders.any_committed


def test_only_what_a_worker_has_heard_of_is_asked_back_and_only_once() -> None:
    orders = Orders()
    orders.hold_off([_claim(2)])
    holder = _holder(A, B, C)
    orders.ask_back(holder)
    orders.ask_back(holder)
    assert orders.take().ask_back == [(5, [B])]
    assert holder.asked


def test_nobody_is_asked_for_what_he_has_not_heard_of() -> None:
    orders = Orders()
    orders.hold_off([_claim(1)])
    holder = _holder(A, B)
    orders.ask_back(holder)
    assert not holder.asked
    assert orders.take().ask_back == []


def test_a_halt_ends_the_first_and_asks_the_others_back() -> None:
    orders = Orders()
    orders.halt(_holder(A, B))
    effects = orders.take()
    assert (effects.end, effects.ask_back) == ([(5, A)], [(5, [B])])


def test_a_halt_ends_nothing_that_was_never_heard_of() -> None:
    orders = Orders()
    orders.hold_off([_claim(0)])
    orders.halt(_holder(A))
    assert orders.take().end == []


def test_all_that_an_adopted_worker_holds_is_ended() -> None:
    orders = Orders()
    orders.halt(_holder(A, B, adopted=True))
    effects = orders.take()
    assert (effects.end, effects.ask_back) == ([(5, A), (5, B)], [])


def test_a_retiring_worker_may_go_once_it_holds_and_owes_nothing() -> None:
    orders = Orders()
    holder = _holder(A)
    orders.retire(holder)
    holder.held.clear()
    orders.owe(holder, A)
    orders.let_go(holder)
    assert orders.take().let_go == []
    orders.acknowledge(A)
    orders.let_go(holder)
    effects = orders.take()
    assert (effects.acknowledge, effects.let_go) == ([(5, A)], [5])


def test_what_nobody_owes_is_acknowledged_to_nobody() -> None:
    orders = Orders()
    orders.acknowledge(A)
    assert orders.take().acknowledge == []
