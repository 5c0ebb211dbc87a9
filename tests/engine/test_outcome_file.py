"""Outcomes in files: whole or absent, for exactly their attempt, and never trusted blindly."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mflow.core.model import AttemptEnd, Identity
from mflow.core.states import Outcome
from mflow.engine.outcome_file import (
    KeptOutcome,
    any_trace,
    outcome_path,
    read_outcome,
    remove_outcome,
    write_outcome,
)
from mflow.engine.provenance import make_folder

WORKER = Identity("host", "boot", 4026531836, 4711, 123456)
KEPT = KeptOutcome("ab" * 16, 3, 2, WORKER, AttemptEnd(Outcome.EXITED, exit_code=3), {"session": "12,34"})

INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
INSTANTS = st.none() | st.datetimes(timezones=st.just(UTC))
ENDS = st.builds(
    AttemptEnd,
    exit_code=st.none() | INT64,
    signal=st.none() | TEXT,
    error=st.none() | TEXT,
    message=st.none() | TEXT,
    started_at=INSTANTS,
    ended_at=INSTANTS,
    cpu_seconds=st.none() | st.floats(0, 1e9),
    max_rss_bytes=st.none() | INT64,
    survivors=st.lists(INT64, max_size=3).map(tuple),
    leftovers=st.lists(INT64, max_size=3).map(tuple),
)


def descriptors_open() -> set[str]:
    return {each.name for each in Path("/proc/self/fd").iterdir()}


Read = Callable[..., tuple[KeptOutcome | None, str]]


@pytest.fixture
def log(tmp_path: Path) -> str:
    return str(tmp_path / "run-1" / "task.2.log")


@pytest.fixture
def fallback(tmp_path: Path) -> str:
    return str(tmp_path / "fallback")


@pytest.fixture
def read(log: str, fallback: str) -> Read:
    def read(**other: Any) -> tuple[KeptOutcome | None, str]:
        asked = {"run_uid": KEPT.run_uid, "task_no": 3, "attempt": 2, "worker": WORKER, **other}
        return read_outcome(log, fallback_folder=fallback, **asked)

    return read


def test_it_stands_beside_the_log(log: str, fallback: str, read: Read) -> None:
    assert read() == (None, "there is no outcome file")
    path = write_outcome(log, KEPT, fallback_folder=fallback)
    assert path == outcome_path(log) == log.removesuffix(".log") + ".outcome"
    assert read() == (KEPT, "")
    assert [each.name for each in Path(path).parent.iterdir()] == ["task.2.outcome"]
    remove_outcome(path)
    remove_outcome(path)
    assert read() == (None, "there is no outcome file")


@given(end=ENDS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_end_holds_comes_back(log: str, fallback: str, read: Read, end: AttemptEnd) -> None:
    kept = replace(KEPT, end=end)
    write_outcome(log, kept, fallback_folder=fallback)
    assert read() == (kept, "")


@pytest.mark.parametrize(
    "other",
    [
        {"run_uid": "cd" * 16},
        {"task_no": 4},
        {"attempt": 1},
        {"worker": replace(WORKER, start_ticks=123457)},
        {"worker": replace(WORKER, boot_id="another")},
    ],
)
def test_it_counts_only_if_everything_matches(
    log: str, fallback: str, read: Read, other: dict[str, Any]
) -> None:
    write_outcome(log, KEPT, fallback_folder=fallback)
    found, reason = read(**other)
    assert found is None
    assert "belongs to another" in reason


def test_a_log_folder_that_cannot_be_used(log: str, fallback: str, read: Read, tmp_path: Path) -> None:
    (tmp_path / "run-1").touch()
    path = write_outcome(log, KEPT, fallback_folder=fallback)
    assert path == f"{fallback}/task.2.outcome"
    assert read() == (KEPT, "")


def test_a_log_that_is_not_ours(log: str, fallback: str, read: Read) -> None:
    """The name beside another attempt's log is that attempt's."""
    path = write_outcome(log, KEPT, fallback_folder=fallback, log_is_ours=False)
    assert path == f"{fallback}/task.2.outcome"
    assert not Path(outcome_path(log)).exists()
    assert read() == (KEPT, "")


def test_nowhere_to_write(log: str, tmp_path: Path) -> None:
    (tmp_path / "run-1").touch()
    with pytest.raises(OSError, match="run-1"):
        write_outcome(log, KEPT, fallback_folder=str(tmp_path / "run-1" / "fallback"))


def test_what_a_crash_left_unfinished_is_no_outcome(log: str, fallback: str, read: Read) -> None:
    path = write_outcome(log, KEPT, fallback_folder=fallback)
    Path(path).rename(log.removesuffix(".log") + ".outcome.new")
    assert read() == (None, "there is no outcome file")
    assert write_outcome(log, KEPT, fallback_folder=fallback) == path
    assert read() == (KEPT, "")


def whole() -> dict[str, Any]:
    """What a good file holds."""
    end = dict.fromkeys(
        ("exit_code", "signal", "error", "message", "started_at", "ended_at", "cpu_seconds", "max_rss_bytes")
    )
    return {
        "run_uid": KEPT.run_uid,
        "task_no": 3,
        "attempt": 2,
        "worker": {
            "host": "host",
            "boot_id": "boot",
            "pid_ns": 4026531836,
            "pid": 4711,
            "start_ticks": 123456,
        },
        "end": {**end, "outcome": "EXITED", "survivors": [], "leftovers": [], "retry_safe": None},
        "facts": {},
    }


def plant(log: str, content: bytes) -> None:
    path = Path(outcome_path(log))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def test_the_pattern_of_the_next_tests_is_good_itself(log: str, read: Read) -> None:
    plant(log, json.dumps(whole()).encode())
    found, reason = read()
    assert found is not None, reason


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("outcome", "VICTORY"),
        ("outcome", ["EXITED"]),
        ("exit_code", "0"),
        ("exit_code", True),
        ("exit_code", 1 << 64),
        ("exit_code", 0.0),
        ("signal", 9),
        ("message", {"a": 1}),
        ("message", "\ud800"),
        ("started_at", "yesterday"),
        ("started_at", "2024-01-01T00:00:00"),
        ("ended_at", 1700000000),
        ("cpu_seconds", -1),
        ("cpu_seconds", float("nan")),
        ("cpu_seconds", float("inf")),
        ("cpu_seconds", 10**400),
        ("survivors", "123"),
        ("survivors", {"1": 2}),
        ("survivors", None),
        ("leftovers", [1, "2"]),
        ("retry_safe", 1),
    ],
)
def test_a_hostile_end(log: str, read: Read, key: str, value: object) -> None:
    data = whole()
    data["end"][key] = value
    plant(log, json.dumps(data).encode())
    found, reason = read()
    assert found is None
    assert "cannot be used" in reason
    assert len(reason) <= 500


@pytest.mark.parametrize("key", sorted(whole()))
def test_something_missing_or_of_a_wrong_type(log: str, read: Read, key: str) -> None:
    changes: list[dict[str, object]] = [{}, {key: None}, {key: []}, {key: 1.5}]
    for change in changes:
        data = {name: value for name, value in whole().items() if name != key} | change
        plant(log, json.dumps(data).encode())
        assert read()[0] is None, data


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b"9" * 10_000,
        b"\x00" * 100,
        b" " * (1 << 21),
    ],
)
def test_hostile_content(log: str, read: Read, content: bytes) -> None:
    plant(log, content)
    assert read()[0] is None


@given(content=st.binary(max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_content(log: str, read: Read, content: bytes) -> None:
    plant(log, content)
    assert read()[0] is None


def test_what_is_no_regular_file(log: str, read: Read, tmp_path: Path) -> None:
    path = Path(outcome_path(log))
    path.parent.mkdir()
    descriptors = descriptors_open()
    os.mkfifo(path)
    assert read()[0] is None
    path.unlink()
    path.mkdir()
    assert read()[0] is None
    path.rmdir()
    plant(str(tmp_path / "run-1" / "elsewhere.log"), json.dumps(whole()).encode())
    path.symlink_to(tmp_path / "run-1" / "elsewhere.outcome")
    assert read()[0] is None
    assert descriptors_open() == descriptors


def test_traces(log: str, fallback: str) -> None:
    assert not any_trace(log, fallback_folder=fallback)
    for path in (log, outcome_path(log), f"{fallback}/task.2.log", f"{fallback}/task.2.outcome"):
        Path(path).parent.mkdir(exist_ok=True)
        Path(path).symlink_to("nowhere")
        assert any_trace(log, fallback_folder=fallback), path
        Path(path).unlink()


def test_a_fallback_folder_is_ours_alone(tmp_path: Path) -> None:
    make_folder(str(tmp_path / "new"))
    make_folder(str(tmp_path / "new"))
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    with pytest.raises(PermissionError):
        make_folder(str(open_to_all))
    (tmp_path / "link").symlink_to(tmp_path / "new")
    with pytest.raises(OSError, match="link"):
        make_folder(str(tmp_path / "link"))


def test_a_name_that_another_has_taken_loses_nothing(
    log: str, fallback: str, read: Read, tmp_path: Path
) -> None:
    """Neither beside the log nor in the usual place: in a folder beside that, where it is found."""
    (tmp_path / "run-1").touch()
    squatted = Path(fallback)
    squatted.mkdir()
    squatted.chmod(0o777)
    (squatted / "task.2.outcome").write_text(json.dumps(whole()))
    path = write_outcome(log, KEPT, fallback_folder=fallback)
    assert Path(path).parent != squatted
    assert read() == (KEPT, "")
    remove_outcome(path)
    found, reason = read()
    assert found is None
    assert f"{fallback} belongs to" in reason


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_wrote_counts_for_nothing(log: str, fallback: str, read: Read) -> None:
    plant(log, json.dumps(whole()).encode())
    assert read()[0] is not None
    os.chown(outcome_path(log), 65534, 65534)
    found, reason = read()
    assert found is None
    assert f"{outcome_path(log)} belongs to" in reason
    assert write_outcome(log, KEPT, fallback_folder=fallback) == outcome_path(log)
    assert read() == (KEPT, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_it_is_not_left_in_another_users_folder(log: str, fallback: str, read: Read) -> None:
    """It took the name where everybody may write, and lets us in."""
    folder = Path(log).parent
    folder.mkdir()
    folder.chmod(0o777)
    os.chown(folder, 65534, 65534)
    folder.parent.chmod(0o1777)
    path = write_outcome(log, KEPT, fallback_folder=fallback)
    assert path == f"{fallback}/task.2.outcome"
    assert list(folder.iterdir()) == []
    assert read() == (KEPT, "")


def test_others_cannot_write_to_it_whatever_the_umask(log: str, fallback: str, read: Read) -> None:
    before = os.umask(0)
    try:
        path = Path(write_outcome(log, KEPT, fallback_folder=fallback))
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o022 == 0
    assert path.parent.stat().st_mode & 0o022 == 0
    assert read() == (KEPT, "")
