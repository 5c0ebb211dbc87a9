"""How many statements a batch costs: a number that does not grow with the batch. Counted, not timed."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from mflow.core.model import AttemptEnd, Batch, Ending, GiveBack, Progress, Reset, Settle
from mflow.core.states import Outcome, RunState, TaskState
from mflow.store.repository import SqlStore
from mflow.store.statements import Row, Statement
from tests.store.databases import Control, Database
from tests.store.samples import claim, create, exited, failure, running

UNKNOWN = AttemptEnd(Outcome.UNKNOWN)


def count(store: SqlStore, call: Callable[[], Any]) -> int:
    """Statements sent while `call` runs; a statement for many rows at once counts as one."""
    sent: list[str] = []
    plain = store.dialect.many

    def many(conn: Connection, statement: Statement, rows: Sequence[Row]) -> int:
        before = len(sent)
        touched = plain(conn, statement, rows)
        del sent[before:]
        sent.append(statement.construct.__visit_name__)
        return touched

    def execute(conn: object, cursor: object, text: str, *_: object) -> None:
        sent.append(text)

    event.listen(store.engine, "before_cursor_execute", execute)
    store.dialect.many = many  # type: ignore[method-assign]
    try:
        call()
    finally:
        store.dialect.many = plain  # type: ignore[method-assign]
        event.remove(store.engine, "before_cursor_execute", execute)
    return len(sent)


def everything(number: int, size: int) -> Batch:
    """A batch with `size` transitions of every kind, after `prepare`."""
    part = [range(place * size, (place + 1) * size) for place in range(6)]
    return Batch(
        number,
        progress=tuple(Progress(no, 1, pid=no, facts={"a": no}) for no in part[0]),
        endings=tuple(Ending(no, 1, TaskState.PENDING, 1, exited(1)) for no in part[1]),
        give_backs=tuple(GiveBack(no, 1) for no in part[2]),
        resets=tuple(Reset(no) for no in part[3]),
        settles=tuple(Settle(no, 1, exited()) for no in part[4]),
        claims=tuple(claim(no) for no in part[5]),
        run_state=RunState.RUNNING,
    )


def prepare(store: SqlStore, size: int) -> int:
    """A run in which `everything` of that size may happen next, as batch 4."""
    run = running(store, 6 * size)
    store.apply(run.id, 1, Batch(2, claims=tuple(claim(no) for no in range(5 * size))))
    ends = [failure(no) for no in range(3 * size, 4 * size)]
    ends += [failure(no, end=UNKNOWN) for no in range(4 * size, 5 * size)]
    store.apply(run.id, 1, Batch(3, endings=tuple(ends)))
    return run.id


def test_statements_of_a_batch_do_not_grow_with_it(store: SqlStore) -> None:
    numbers = {size: prepare(store, size) for size in (1, 40)}
    counted = {
        size: count(store, lambda run_id=run_id, size=size: store.apply(run_id, 1, everything(4, size)))  # type: ignore[misc]
        for size, run_id in numbers.items()
    }
    assert counted == {1: 12, 40: 12}


def test_common_batches_cost_few_statements(store: SqlStore) -> None:
    run = running(store, 50)
    claims = Batch(2, claims=tuple(claim(no) for no in range(20)))
    assert count(store, lambda: store.apply(run.id, 1, claims)) == 3
    turn = Batch(3, endings=(failure(0),), claims=(claim(20),), progress=(Progress(1, 1, pid=9),))
    assert count(store, lambda: store.apply(run.id, 1, turn)) == 6
    assert count(store, lambda: store.heartbeat(run.id, 1)) == 1


def test_reading_costs_one_statement_whatever_the_size(store: SqlStore) -> None:
    run = running(store, 300)
    for call in (store.read_tasks, store.read_run, store.counts, store.read_definition):
        assert count(store, lambda call=call: call(run.id)) == 1  # type: ignore[misc]
    assert count(store, lambda: store.list_runs(20)) == 2


def test_creating_a_run_costs_few_statements(store: SqlStore) -> None:
    create(store)
    small = count(store, lambda: create(store, 2))
    assert count(store, lambda: create(store, 500)) == small <= 7


def round_trips(control: Control, call: Callable[[], object]) -> int:
    """Calls that the database was sent meanwhile, logins left out."""
    before = {each["sid"]: each["calls"] for each in control("sessions")}
    call()
    return sum(each["calls"] - before.get(each["sid"], each["calls"]) for each in control("sessions"))


@pytest.mark.oracle
def test_round_trips_on_oracle(oracle: Database, control: Control) -> None:
    """As the database sees them: the statements, one commit, and no commit after reading alone."""
    store = oracle.open()
    run = prepare(store, 30)
    control("clear_transcript")
    store.apply(run, 1, everything(4, 30))
    calls = [(each["kind"], each["executions"]) for each in control("transcript")]
    assert calls == [("sql", 1), *[("sql", 30)] * 11, ("call", 0)]

    other = running(store, 30).id
    claims = Batch(2, claims=tuple(claim(no) for no in range(20)))
    assert round_trips(control, lambda: store.apply(other, 1, claims)) == 4
    assert round_trips(control, lambda: store.heartbeat(other, 1)) == 2
    assert round_trips(control, lambda: store.was_applied(other, 1, 2)) == 2
    assert round_trips(control, lambda: store.read_run(other)) == 1
    assert round_trips(control, store.newest_run) == 1
    assert round_trips(control, lambda: create(store)) == 6
    control("clear_transcript")
    store.read_tasks(other)
    store.list_runs(10)
    assert {each["kind"] for each in control("transcript")} == {"sql"}


@pytest.mark.oracle
def test_opening_asks_one_question(oracle: Database, control: Control) -> None:
    control("clear_transcript")
    oracle.open()
    assert [each["sql"] for each in control("transcript")] == ["SELECT version_num FROM mflow_version"]


@pytest.mark.oracle
def test_session_that_idled_is_asked_whether_it_lives(
    oracle: Database, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = oracle.open()
    run = running(store).id
    monkeypatch.setattr("mflow.store.oracle_connect.IDLE_SECONDS", 0.0)
    assert round_trips(control, lambda: store.heartbeat(run, 1)) == 3
