"""What an exception of the driver means, before a session is open and in it."""

import socket

import oracledb
import pytest

from mflow.core.oracle_errors import Nature
from mflow.tasks.oracle.failure import failure_in_session, failure_of


class _Detail:
    def __init__(self, message: str, code: int = 0, full_code: str = "") -> None:
        self.message, self.code, self.full_code = message, code, full_code


def test_the_servers_code_counts_whatever_the_message_quotes() -> None:
    failure = failure_of(Exception(_Detail("ORA-20001: the other side said ORA-03113", 20001, "ORA-20001")))
    assert (failure.code, failure.lost, failure.session_ended) == ("ORA-20001", False, False)


def test_a_session_that_the_server_ended_is_gone_but_not_lost() -> None:
    text = "DPY-4011: the database or network closed the connection\nORA-00028: your session has been killed"
    failure = failure_of(Exception(_Detail(text, 28, "DPY-4011")))
    assert (failure.code, failure.lost, failure.session_ended) == ("ORA-00028", False, True)


@pytest.mark.parametrize("number", [3113, 600, 1092])
def test_any_other_end_of_the_connection_is_a_loss(number: int) -> None:
    text = f"DPY-4011: the database or network closed the connection\nORA-{number:05}: so"
    assert failure_of(Exception(_Detail(text, number, "DPY-4011"))).lost


def test_links_are_left_out_and_the_stack_is_kept() -> None:
    text = 'ORA-01403: no data found\nORA-06512: at "A.B", line 3'
    link = "Help: https://docs.oracle.com/error-help/db/ora-01403/"
    failure = failure_of(Exception(_Detail(f"{text}\n{link}", 1403, "ORA-01403")))
    assert failure.text == text
    assert failure.message == 'ORA-01403: no data found; ORA-06512: at "A.B", line 3'


def test_an_unknown_host_is_a_connection_error() -> None:
    failure = failure_of(socket.gaierror(-2, "Name or service not known"))
    assert (failure.code, failure.nature) == ("ORA-12545", Nature.NO_CONNECTION)


def test_the_drivers_own_errors_have_the_code_that_people_know() -> None:
    text = 'DPY-6005: cannot connect to database.\nDPY-6001: Service "X" is not registered. (Similar to ORA-12514)'
    failure = failure_of(Exception(_Detail(text, 0, "DPY-6005")))
    assert (failure.code, failure.nature) == ("ORA-12514", Nature.NO_CONNECTION)
    assert (
        failure.message
        == "DPY-6005: cannot connect to database.; DPY-6001: " + text.partition("DPY-6001: ")[2]
    )


@pytest.mark.parametrize(
    "error",
    [
        BrokenPipeError(32, "Broken pipe"),
        TimeoutError(110, "Connection timed out"),
        ConnectionResetError(104, "Connection reset by peer"),
        OSError(113, "No route to host"),
        oracledb.InternalError(
            _Detail("DPY-5000: internal error: unknown protocol message type 0", 0, "DPY-5000")
        ),
    ],
)
def test_in_a_session_what_is_no_word_of_the_server_is_a_loss(error: Exception) -> None:
    failure = failure_in_session(error, oracledb)
    assert (failure.code, failure.lost, failure.is_the_servers) == ("DPY-4011", True, False)
    assert failure.leaves_commit_open


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("ORA-01013: user requested cancel of current operation", 1013),
        ("ORA-12801: error signaled in parallel query server P000\nORA-01013: user requested cancel", 12801),
        ("ORA-20001: load failed: ORA-01013: user requested cancel", 20001),
    ],
)
def test_a_cancel_is_known_in_all_its_disguises(text: str, number: int) -> None:
    failure = failure_in_session(oracledb.DatabaseError(_Detail(text, number, f"ORA-{number:05}")), oracledb)
    assert failure.is_cancel
    assert failure.leaves_commit_open  # a break that came beside a COMMIT does not tell whether that was done


def test_a_refused_commit_was_not_done() -> None:
    failure = failure_of(Exception(_Detail("ORA-02091: transaction rolled back", 2091, "ORA-02091")))
    assert failure.is_the_servers
    assert not failure.leaves_commit_open


def test_conflicts() -> None:
    assert failure_of(Exception(_Detail("ORA-00060: deadlock", 60, "ORA-00060"))).is_conflict
    assert not failure_of(Exception(_Detail("ORA-00054: busy", 54, "ORA-00054"))).is_conflict
