"""Transaction Guard, with a stand-in for DBMS_APP_CONT in the user's own schema and a logical transaction id made up.

What a real service answers was not seen: neither the stand-in for Oracle nor its driver's connection has the feature.
"""

from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest

from mflow.core.states import Outcome
from tests.store.databases import Control
from tests.tasks.oracle_bench import Attempts, Database, oracle_source

pytestmark = [
    pytest.mark.oracle,
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),  # see test_oracle_endings
]

_INSERT = "INSERT INTO task_rows VALUES (1)"


class Guarded(oracledb.Connection):
    """A connection whose service has Transaction Guard."""

    @property
    def ltxid(self) -> bytes:
        """The same for all transactions, since none commits before the end."""
        return bytes.fromhex("0a0b")


def _driver() -> Any:
    return SimpleNamespace(**{**vars(oracledb), "connect": partial(oracledb.connect, conn_class=Guarded)})


@pytest.fixture
def attempts(tmp_path: Path, control: Control) -> Attempts:
    """Attempts of a service with Transaction Guard."""
    return Attempts(tmp_path, oracle_source(), _driver)


def _says(database: Database, committed: str, completed: str = "TRUE") -> None:
    """What the database answers when it is asked."""
    arguments = "ltxid IN RAW, committed OUT BOOLEAN, completed OUT BOOLEAN"
    database.execute(
        f"CREATE OR REPLACE PACKAGE dbms_app_cont AS PROCEDURE get_ltxid_outcome({arguments}); END;",
        f"CREATE OR REPLACE PACKAGE BODY dbms_app_cont AS PROCEDURE get_ltxid_outcome({arguments}) IS "
        f"BEGIN committed := {committed}; completed := {completed}; END; END;",
    )


@pytest.fixture(autouse=True)
def no_package_left(database: Database) -> Any:
    """The package goes with the test."""
    yield
    database.drop("PACKAGE dbms_app_cont")


def test_the_id_is_recorded_before_the_call(attempts: Attempts) -> None:
    assert attempts.run(command=_INSERT, transaction_guard=True).ok
    assert attempts.bench.facts["oracle"]["ltxid"] == "0a0b"


def test_without_the_key_it_is_not(attempts: Attempts) -> None:
    assert attempts.run(command=_INSERT).ok
    assert attempts.bench.facts["oracle"]["ltxid"] == ""


def test_a_commit_whose_answer_was_lost_is_a_success_if_it_was_applied(
    attempts: Attempts, database: Database, control: Control
) -> None:
    _says(database, "TRUE")
    control("drop_commit", when="after", module="mflow")
    assert attempts.run(command=_INSERT, transaction_guard=True).ok
    assert "mflow: Transaction Guard: committed\n" in attempts.text


def test_a_commit_that_was_not_applied_may_be_tried_again(
    attempts: Attempts, database: Database, control: Control
) -> None:
    _says(database, "FALSE", "FALSE")
    control("drop_commit", when="before", module="mflow")
    end = attempts.run(command=_INSERT, transaction_guard=True)
    assert (end.outcome, end.error, end.retry_safe) == (Outcome.ERROR, "DPY-4011", True)
    assert end.message is not None
    assert "nothing is or will be committed" in end.message


def test_a_call_that_had_committed_a_part_by_itself_may_not(
    attempts: Attempts, database: Database, control: Control
) -> None:
    _says(database, "TRUE", "FALSE")
    control("fail", regex="(?i)^insert into task_rows", action="disconnect")
    end = attempts.run(command=_INSERT, transaction_guard=True)
    assert (end.outcome, end.retry_safe) == (Outcome.ERROR, False)
    assert end.message is not None
    assert end.message.endswith("and the call had not come to its end")


def test_without_an_answer_it_is_unknown(attempts: Attempts, control: Control) -> None:
    control("drop_commit", when="after", module="mflow")
    end = attempts.run(command=_INSERT, transaction_guard=True)
    assert end.outcome is Outcome.UNKNOWN
    assert "mflow: Transaction Guard could not be asked: ORA-06550" in attempts.text


@pytest.mark.parametrize("committed", [True, False])
def test_the_attempt_after_one_lost_in_its_commit_asks(
    attempts: Attempts, database: Database, control: Control, committed: bool
) -> None:
    control("drop_commit", when="after" if committed else "before", module="mflow")
    assert attempts.run(command=_INSERT, transaction_guard=True).outcome is Outcome.UNKNOWN
    _says(database, str(committed).upper())
    end = attempts.run(command=_INSERT, transaction_guard=True, previous=attempts.bench.facts)
    assert end.ok
    assert (end.message == "by Transaction Guard an earlier attempt had committed it") is committed
    assert database.select("SELECT a FROM task_rows") == [(1,)]
