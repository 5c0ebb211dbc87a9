"""Networks that die silently around a call or a commit, and breaks that are lost: what is said of the attempt."""

import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from mflow.core.contracts import StopStep
from mflow.core.states import Outcome
from tests.store.databases import Control
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Attempts, Database

pytestmark = [
    pytest.mark.oracle,
    # The driver leaves the socket of a connection that broke to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

_IMPATIENT = {
    socket.TCP_KEEPIDLE: 1,
    socket.TCP_KEEPINTVL: 1,
    socket.TCP_KEEPCNT: 1,
    socket.TCP_USER_TIMEOUT: 500,  # milliseconds
}

_INSERT = "INSERT INTO task_rows VALUES (1)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A network that dies is noticed soon (ETIMEDOUT), and not after a quarter of an hour."""
    connect = socket.create_connection

    def create(*given: Any, **more: Any) -> socket.socket:
        sock = connect(*given, **more)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in _IMPATIENT.items():
            sock.setsockopt(socket.IPPROTO_TCP, name, value)
        return sock

    monkeypatch.setattr(socket, "create_connection", create)


def _await(condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def _rows(database: Database) -> list[tuple[Any, ...]]:
    return database.select("SELECT a FROM task_rows")


@pytest.mark.parametrize(("when", "rows"), [("before", []), ("during", [(1,)]), ("after", [(1,)])])
def test_a_commit_into_a_dead_network_is_unknown_whether_it_was_applied_or_not(
    attempts: Attempts, database: Database, control: Control, when: str, rows: list[tuple[int]]
) -> None:
    control("drop_commit", how="silent", when=when, module="mflow", hold=0.5)
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.UNKNOWN, "DPY-4011", False)
    assert (end.message or "").startswith("the connection was lost during the commit, so whether")
    assert "defect" not in attempts.text
    _await(lambda: not control("orphans"))
    assert _rows(database) == rows


def test_an_idempotent_commit_into_a_dead_network_may_be_tried_again_once_its_session_is_gone(
    attempts: Attempts, database: Database, control: Control
) -> None:
    control("drop_commit", how="silent", when="before", module="mflow", hold=PATIENCE_SECONDS)
    end = attempts.run(command=_INSERT, idempotent=True)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "DPY-4011", True)
    assert " is gone\n" in attempts.text
    assert attempts.run(command=_INSERT, idempotent=True).ok
    assert _rows(database) == [(1,)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_call_into_a_dead_network_is_unknown(attempts: Attempts, control: Control, when: str) -> None:
    control("fail", regex="(?i)^insert into task_rows", action="silent", when=when, hold=0.5)
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.UNKNOWN, "DPY-4011", False)
    assert (end.message or "").startswith("the connection was lost during the call, so whether")
    _await(lambda: not control("orphans"))


def test_a_network_that_dies_while_output_is_read_is_a_lost_session(
    attempts: Attempts, database: Database, control: Control
) -> None:
    control("fail", regex="(?i)get_lines", action="silent", hold=0.5)
    end = attempts.run(command="BEGIN INSERT INTO task_rows VALUES (1); COMMIT; END;")
    assert (end.outcome, end.error) == (Outcome.UNKNOWN, "DPY-4011")
    assert "defect" not in attempts.text
    assert _rows(database) == [(1,)]


def test_a_network_that_dies_before_anything_was_sent_is_a_failed_try(
    attempts: Attempts, control: Control
) -> None:
    def silence(facts: object) -> bool:
        control("silence", module="mflow", hold=0.5)
        return True

    attempts.keep = silence
    end = attempts.run(command=_INSERT)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "DPY-4011", True)
    _await(lambda: not control("sessions") or all(each["module"] != "mflow" for each in control("sessions")))


def test_a_break_that_is_swallowed_leaves_nothing_behind(
    attempts: Attempts, database: Database, control: Control
) -> None:
    control("break_fault", how="swallow", kind="any", times=1)
    sleep = "BEGIN INSERT INTO task_rows VALUES (1); DBMS_SESSION.SLEEP(1); END;"
    attempts.start(command=sleep)
    _await(lambda: any("SLEEP" in (each["sql"] or "") for each in control("sessions")))
    attempts.stop(StopStep.ASK)
    assert attempts.finish().outcome is Outcome.CANCELLED
    assert _rows(database) == []
