"""What an oracle attempt is made of, without a database."""

import os
import threading
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mflow.core.contracts import Job, StopStep
from mflow.core.model import AttemptEnd, Datasource
from mflow.core.oracle_errors import Nature
from mflow.core.states import Outcome
from mflow.tasks.oracle.connection import connect
from mflow.tasks.oracle.control import Control, Stage
from mflow.tasks.oracle.earlier import (
    Trace,
    committed_mark,
    committing_mark,
    read_trace,
    ready_mark,
    sending_mark,
)
from mflow.tasks.oracle.execution import made_by
from mflow.tasks.oracle.failure import failure_of
from mflow.tasks.oracle.log import Log, cell, table
from mflow.tasks.oracle.plan import Plan, read_plan
from mflow.tasks.oracle.session import Marks, SessionId
from mflow.tasks.oracle.statement import Statement
from tests.tasks.oracle_bench import Bench

_SOURCE = Datasource("siper", "db/fisco", user="SIPER", password="S3cret_word")
_SESSION = SessionId(120, 1120, 2, "SIPER", "007804600002", "mflow:ab:0:1")


def _job(folder: Path, source: Any = _SOURCE, **options: Any) -> Job:
    return Job(
        task_no=0,
        attempt=1,
        task_id="load",
        type="oracle",
        options={"db": "siper", **options},
        env={},
        cwd=str(folder),
        timeout_seconds=None,
        log=str(folder / "log"),
        private={"datasource": source} if source else {},
        previous={},
    )


def _plan(folder: Path, environ: Mapping[str, str] | None = None, **options: Any) -> Plan:
    return read_plan(_job(folder, **options), environ or {})


# --------------------------------------------------------------------------------------------------- plan


def test_a_plan_of_a_command(tmp_path: Path) -> None:
    plan = _plan(tmp_path, command="delete from t;", fetch=3, idempotent=True, kill_session=False)
    assert plan.statements == (Statement("delete from t"),)
    assert (plan.fetch, plan.idempotent, plan.transaction_guard, plan.kill_session) == (3, True, False, False)


def test_a_connection_may_come_as_its_fields(tmp_path: Path) -> None:
    job = _job(tmp_path, {"name": "siper", "connection_string": "db/fisco"}, command="commit")
    assert read_plan(job, {}).source == Datasource("siper", "db/fisco")


def test_binds_are_pairs_or_an_object_and_may_name_the_environment(tmp_path: Path) -> None:
    for binds in ({"a": 1, "b": "${X}"}, [["a", 1], ["b", "${X}"]]):
        assert _plan(tmp_path, {"X": "y"}, command="commit", binds=binds).binds == {"A": 1, "B": "y"}


def test_secrets_are_passwords_and_binds_named_like_one(tmp_path: Path) -> None:
    plan = _plan(tmp_path, command="commit", binds={"api_token": "t0ken", "year": "2024"})
    assert plan.secrets == {"S3cret_word", "t0ken"}
    binds = {"a": "${APP_PASSWORD}", "b": "${PERIOD}"}
    environ = {"APP_PASSWORD": "hidden", "PERIOD": "2024-05"}
    assert read_plan(_job(tmp_path, command="commit", binds=binds), environ).secrets == {
        "S3cret_word",
        "hidden",
    }


def test_a_password_within_the_connection_string_is_a_secret(tmp_path: Path) -> None:
    source = Datasource("siper", "scott/T1ger_x@db/fisco")
    assert read_plan(_job(tmp_path, source, command="commit"), {}).secrets == {"T1ger_x"}


def test_the_folder_of_tnsnames_may_come_from_the_environment(tmp_path: Path) -> None:
    assert _plan(tmp_path, {"TNS_ADMIN": "/etc/tns"}, command="commit").source.config_dir == "/etc/tns"


def test_a_password_that_is_the_users_name_is_not_masked(tmp_path: Path) -> None:
    source = Datasource("siper", "db/fisco", user="SIPER", password="SIPER")
    assert read_plan(_job(tmp_path, source, command="commit"), {}).secrets == frozenset()


@pytest.mark.parametrize("encoding", [None, "latin-1"])
def test_a_script_is_text_in_utf8_or_as_the_task_says(tmp_path: Path, encoding: str | None) -> None:
    text = "select 'año' from dual;"
    (tmp_path / "a.sql").write_text(text, encoding or "utf-8-sig")
    plan = _plan(tmp_path, script="a.sql", encoding=encoding)
    assert plan.statements == (Statement("select 'año' from dual"),)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"commit;\nselect 'a\xf1o' from dual;",
            'a.sql: line 2 is not text in utf-8: save it so, or say "encoding"',
        ),
        (b"-- nothing\n", "a.sql: it holds no statement"),
        (b"spool x\n", "a.sql: line 1: SPOOL of SQL*Plus cannot be honoured"),
    ],
)
def test_a_script_that_cannot_be_run(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "a.sql").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.sql") as caught:
        _plan(tmp_path, script="a.sql")
    assert said in str(caught.value)


def test_a_pipe_is_no_script(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.sql")
    with pytest.raises(ValueError, match="is not a file"):
        _plan(tmp_path, script="a.sql")


def test_an_unknown_encoding_and_a_missing_connection_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_text("commit;")
    with pytest.raises(ValueError, match="there is none called 'utf-9'"):
        _plan(tmp_path, script="a.sql", encoding="utf-9")
    with pytest.raises(ValueError, match="there is no connection 'siper'"):
        read_plan(_job(tmp_path, None, command="commit"), {})


# ---------------------------------------------------------------------------------------------------- log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield Log(descriptor, {"S3cret_word"})
    os.close(descriptor)


def test_own_words_are_marked_and_secrets_masked(log: Log, tmp_path: Path) -> None:
    log.say("one S3cret_word\ntwo")
    log.put("output S3cret_word\n")
    assert (tmp_path / "log").read_text() == "mflow: one ***\nmflow: two\noutput ***\n"


def test_after_its_end_nothing_is_written_into_a_log(log: Log, tmp_path: Path) -> None:
    log.close()
    log.say("late")
    assert log.mark("late") is False
    assert (tmp_path / "log").read_text() == ""


def test_a_full_disk_is_survived_and_known() -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    log = Log(descriptor)
    log.say("x")
    assert log.mark("x") is False
    os.close(descriptor)


def test_a_table() -> None:
    assert table(["A", "NAME"], [["1", ""], ["22", "x"]]) == "A   NAME\n--  ----\n1\n22  x\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (Decimal("1.50"), "1.50"),
        (datetime(2024, 5, 6, 7, 8, 9), "2024-05-06 07:08:09"),  # noqa: DTZ001  (DATE has no zone)
        (date(2024, 5, 6), "2024-05-06"),
        (b"\x0a\xff", "0AFF"),
        ("a\tb\x1b[31m\nc", "a b [31m c"),
        ("x" * 100, "x" * 100),
        ("x" * 101, "x" * 97 + "..."),
    ],
)
def test_cells(value: object, text: str) -> None:
    assert cell(value) == text


# ------------------------------------------------------------------------------------------------ session


def test_marks_fit_into_what_the_database_keeps(tmp_path: Path) -> None:
    job = _job(tmp_path, command="commit")
    bench = Bench(tmp_path / "log")
    marks = Marks.of(job, bench)
    assert (marks.action, marks.client_identifier) == ("7/load", f"mflow:{bench.run_uid}:0:1")
    long = Marks(action="7/" + "ñ" * 40, client_identifier="").for_ending()
    assert long.action == "end 7/" + "ñ" * 29
    os.close(bench.log_fd)


def test_a_session_is_kept_as_facts_and_comes_back() -> None:
    assert SessionId.from_facts(_SESSION.as_facts()) == _SESSION
    assert SessionId.from_facts({"sid": "1, 2' --", "serial": 1, "instance": 1}) is None
    assert SessionId.from_facts({}) is None
    assert SessionId.from_facts({"sid": 1, "serial": 2, "instance": 3}) == SessionId(
        1, 2, 3
    )  # of an older mflow
    assert _SESSION.kill_statement == "ALTER SYSTEM KILL SESSION '120,1120,@2' IMMEDIATE;"


class _Driver:
    """Notes what is asked of it."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def init_oracle_client(self, **given: Any) -> None:
        self.asked.append(("init", given))

    def connect(self, **given: Any) -> None:
        self.asked.append(("connect", given))


def test_the_client_is_loaded_once_and_before_the_first_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mflow.tasks.oracle.connection._client_is_loaded", False)
    driver = _Driver()
    source = Datasource("a", "alias", user="u", thick="/opt/instantclient", config_dir="/etc/tns")
    connect(driver, source)
    connect(driver, source)
    assert driver.asked == [
        ("init", {"lib_dir": "/opt/instantclient", "config_dir": "/etc/tns"}),
        ("connect", {"user": "u", "dsn": "alias"}),
        ("connect", {"user": "u", "dsn": "alias"}),
    ]


def test_a_login_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mflow.tasks.oracle.connection.LOGIN_SECONDS", 0.01)
    answer = threading.Event()
    driver = SimpleNamespace(connect=lambda **_: answer.wait())
    with pytest.raises(TimeoutError) as caught:
        connect(driver, _SOURCE)
    answer.set()
    failure = failure_of(caught.value)
    assert (failure.code, failure.nature) == ("ORA-12170", Nature.NO_CONNECTION)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("create or replace procedure p is begin null; end;", (None, "P")),
        ('create procedure siper."p q" is begin null; end;', ("SIPER", "p q")),
        ("create editionable package body a.b as x number; end;", ("A", "B")),
        ("create trigger if not exists t before insert on x begin null; end;", (None, "T")),
    ],
)
def test_what_a_create_makes(text: str, made: tuple[str | None, str]) -> None:
    assert made_by(text) == made


# ------------------------------------------------------------------------------------------------- traces

_READY = ready_mark("mflow:ab:0:1")
_PLAIN = sending_mark("mflow:ab:0:1", 1, 2, commits=False)
_OWN = sending_mark("mflow:ab:0:1", 2, 2, commits=True)


@pytest.mark.parametrize(
    ("lines", "trace"),
    [
        ((), Trace.NEITHER),
        ((committing_mark("mflow:ab:0:1"),), Trace.COMMITTING),
        ((committing_mark("mflow:ab:0:1"), committed_mark("mflow:ab:0:1")), Trace.COMMITTED),
        ((committed_mark("mflow:cd:0:1"),), Trace.NEITHER),
        ((_READY,), Trace.UNSENT),
        ((ready_mark("mflow:cd:0:1"),), Trace.NEITHER),
        ((_READY, _PLAIN), Trace.UNDONE),
        ((_READY, _PLAIN, _OWN), Trace.SENT),
        ((_OWN,), Trace.SENT),
        ((_PLAIN,), Trace.NEITHER),  # what was before it is cut off
        ((_READY, _OWN, committing_mark("mflow:ab:0:1")), Trace.COMMITTING),
    ],
)
def test_a_log_tells_how_far_an_attempt_had_come(
    tmp_path: Path, lines: tuple[str, ...], trace: Trace
) -> None:
    (tmp_path / "log").write_text("x" * 100_000 + "\n" + "".join(f"mflow: {line}\n" for line in lines))
    assert read_trace(str(tmp_path / "log"), "mflow:ab:0:1") is trace


def test_a_log_that_is_not_there_tells_nothing(tmp_path: Path) -> None:
    assert read_trace(str(tmp_path / "log"), "x") is Trace.UNREADABLE
    assert read_trace(None, "x") is Trace.UNREADABLE


# ------------------------------------------------------------------------------------------------ control


@pytest.fixture
def control(log: Log) -> Iterator[Control]:
    control = Control(log)
    yield control
    os.close(control.fileno)


def test_before_anything_is_sent_a_stop_is_the_end(control: Control) -> None:
    assert control.stop(StopStep.ASK) is False  # nobody need see to a session
    assert control.end is not None
    assert control.end.outcome is Outcome.CANCELLED
    assert control.begin() is False


def test_a_stop_while_an_earlier_session_is_in_doubt_is_unknown(control: Control) -> None:
    control.earlier = _SESSION
    control.stop(StopStep.ASK)
    assert control.end is not None
    assert control.end.outcome is Outcome.UNKNOWN
    assert "SID 120, SERIAL# 1120, instance 2, user SIPER" in (control.end.message or "")


def test_after_a_stop_nothing_is_sent_and_nothing_committed(control: Control) -> None:
    assert control.begin()
    assert control.stop(StopStep.ASK) is True
    assert control.stop(StopStep.INSIST) is False  # the one who sees to it is told already
    assert control.may_go_on() is False
    assert control.may_commit() is False
    assert control.stage is Stage.RUNNING
    assert control.await_step(StopStep.INSIST)


def test_the_first_end_counts_and_is_masked(control: Control) -> None:
    assert control.settle(AttemptEnd(Outcome.ERROR, message="with S3cret_word"))
    assert not control.settle(AttemptEnd(Outcome.EXITED, exit_code=0))
    assert control.end == AttemptEnd(Outcome.ERROR, message="with ***")
    assert not control.await_step(StopStep.KILL)
    assert os.eventfd_read(control.fileno) == 1
