"""Which run of an earlier attempt a call of a task goes on with."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from mflow.core.calls import (
    Call,
    Parent,
    call_of,
    difference,
    earlier,
    ended_by_parent,
    may_go_on,
    parent_of,
    was_cancelled_itself,
)
from mflow.core.environment import INHERITED_VARIABLE, inheritance, inherited
from mflow.core.model import Definition, RunRow
from mflow.core.names import TOKENS_VARIABLE, attempt_token
from mflow.core.states import RunState

UID = "0f" * 16
PARENT = Parent(7, UID, "load", 2)
DEFINITION = Definition((), "/srv/inner.json", "/srv")
SHELL = {"HOME": "/home/ana", "BDATE": "2026-11-23"}


def environ(attempt: int = 2, **told: str) -> dict[str, str]:
    """What a task's script has, in a shell as it was given to the parent's supervisor, with what it has set itself."""
    own = {
        "MFLOW_RUN_ID": "7",
        "MFLOW_TASK_ID": "load",
        "MFLOW_ATTEMPT": str(attempt),
        TOKENS_VARIABLE: f"{attempt_token('aa' * 16, 0, 1)} {attempt_token(UID, 3, attempt)}",
        INHERITED_VARIABLE: "".join(inherited(SHELL, UID).values()),
    }
    return SHELL | own | told


def child(run_id: int, call: Call, attempt: int, call_no: int, **more: object) -> RunRow:
    """A run that the task has made."""
    now = datetime(2026, 11, 24, tzinfo=UTC)
    row = RunRow(
        run_id, f"{run_id:032}", RunState.FAILED, "/srv/inner.json", "/srv", None, None, None, "/l", now, now, now, 2,
        None, None, parent_run=7, parent_uid=UID, parent_task="load", parent_attempt=attempt, call_digest=call.digest,
        call_no=call_no,
    )  # fmt: skip
    return replace(row, **more)  # type: ignore[arg-type]


def call(attempt: int = 2, definition: Definition = DEFINITION, **told: Any) -> Call:
    """A call by that attempt."""
    return call_of(replace(PARENT, attempt=attempt), definition, environ(attempt, **told))


def test_the_innermost_attempt_is_the_parent() -> None:
    assert parent_of(environ()) == PARENT


@pytest.mark.parametrize(
    "wrong",
    [
        {"MFLOW_RUN_ID": "x"},
        {"MFLOW_TASK_ID": ""},
        {"MFLOW_ATTEMPT": "1"},
        {TOKENS_VARIABLE: ""},
        {TOKENS_VARIABLE: "nonsense"},
    ],
)
def test_an_environment_that_contradicts_itself_names_no_parent(wrong: dict[str, str]) -> None:
    assert parent_of(environ() | wrong) is None


@pytest.mark.parametrize(
    "told",
    [
        {"PWD": "/elsewhere", "_": "x", "SHLVL": "3"},  # volatile
        {"DB_PASSWORD": "hush"},  # a secret may have been changed
        {"BDATE": "2026-11-23"},  # as it was inherited
    ],
)
def test_what_makes_no_difference(told: dict[str, Any]) -> None:
    assert call(**told).digest == call(1).digest


@pytest.mark.parametrize(
    "told",
    [
        {"DAY": "1"},
        {"BDATE": "2026-11-24"},
        {"PARTITION_KEY": "B"},  # looks like a secret, and may be what a loop goes over
        {"DSN": "postgres://u:pw@h/day1"},  # holds one
        {"TERMINAL": "T1"},  # none of a terminal's own
        {"MFLOW_DAY": "1"},  # none of ours
    ],
)
def test_what_a_script_sets_makes_another_call(told: dict[str, Any]) -> None:
    assert call(**told).digest != call().digest
    assert call(**told).digest == call(1, **told).digest


def test_what_was_set_for_a_call_is_known_by_name_secrets_too() -> None:
    shell = SHELL | {"PW": "hush4711", "EMPTY": ""}
    mark = {INHERITED_VARIABLE: inheritance(shell, UID)}
    assert call_of(PARENT, DEFINITION, environ() | shell | mark).names == frozenset()
    now = environ(DAY="1", TOKEN="t", PW="other99", EMPTY="full", PWD="/elsewhere") | mark
    made = call_of(PARENT, DEFINITION, now)
    assert made.names == {"DAY", "TOKEN", "PW", "EMPTY"}
    assert set(made.told) == {"DAY", "EMPTY"}
    assert call_of(PARENT, DEFINITION, now | {INHERITED_VARIABLE: ""}).names == frozenset()


@pytest.mark.parametrize("key", ["taskfile", "cwd", "oneshot", "config", "datasources"])
def test_other_files_make_another_call(key: str) -> None:
    other: dict[str, Any] = {key: "/other"}
    assert call(definition=replace(DEFINITION, **other)).digest != call().digest


def test_another_shell_makes_no_difference() -> None:
    """Neither is what came from there a part of the call, nor is it missed."""
    other = {"HOME": "/root", "LANG": "C"}
    mark = {INHERITED_VARIABLE: "".join(inherited(other, UID).values())}
    now = {name: value for name, value in environ(DAY="1").items() if name not in SHELL} | other | mark
    assert call_of(PARENT, DEFINITION, now).digest == call(1, DAY="1").digest


def test_the_first_of_equal_calls_that_no_call_of_this_attempt_has_taken() -> None:
    first, other = call(1), call(1, DAY="2")
    made = [child(5, first, 2, 1), child(6, first, 1, 2), child(4, first, 1, 3), child(3, other, 1, 1)]
    assert [run.id for run in may_go_on(call(2), made)] == [6, 4]
    assert {run.id for run in earlier(call(2), made)} == {6, 4, 3}
    assert may_go_on(call(1), made) == []


def test_what_is_told_of_a_call_that_is_new() -> None:
    last = child(5, call(1, DAY="1", TOKEN="t"), 1, 1)
    seen = inherited(environ(1, DAY="1"), last.uid)
    now = call(2, DAY="2", CENTRE="m", TOKEN="u")
    assert difference(now, last, {"DAY": "1"}, seen) == ["CENTRE was not set", "DAY was 1"]
    assert difference(now, last, {"DAY": ""}, seen) == ["CENTRE was not set", "DAY was empty"]
    assert difference(now, last, {}, seen) == ["CENTRE was not set", "DAY was another value"]


def test_who_ended_a_run() -> None:
    mine = child(5, call(), 1, 1, cancelled_by="ana@alpha")
    assert was_cancelled_itself(mine)
    with_parent = replace(mine, cancelled_by=ended_by_parent(mine))
    assert with_parent.cancelled_by == "parent run 5 (cancelled by ana@alpha)"
    assert not was_cancelled_itself(with_parent)
    assert not was_cancelled_itself(replace(mine, state=RunState.RUNNING))
    assert ended_by_parent(replace(mine, cancelled_by=None)) == "parent run 5 (FAILED)"
