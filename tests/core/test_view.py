"""What is derived when a run is shown."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core import view
from mflow.core.contracts import LEASE_SECONDS
from mflow.core.model import AttemptEnd, Identity, Owner, RunRow, RunSummary, TaskRow
from mflow.core.prospect import Prospect
from mflow.core.states import Outcome, RunState, TaskState

NOON = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
OWNER = Owner(Identity("alpha", "boot", 1, 4711, 99), "ana", NOON)


def run_row(**changes: Any) -> RunRow:
    known: dict[str, Any] = {
        "id": 7,
        "uid": "ab" * 16,
        "state": RunState.RUNNING,
        "taskfile": "/w/tasks.json",
        "cwd": "/w",
        "config": None,
        "datasources": None,
        "oneshot": None,
        "folder": "/w/logs/run-7",
        "created_at": NOON,
        "started_at": NOON,
        "ended_at": None,
        "fence": 1,
        "owner": OWNER,
        "lease_expired": False,
    }
    return RunRow(**(known | changes))


def rows(*states: tuple[str, TaskState]) -> list[TaskRow]:
    return [TaskRow(number, id_, "bash", state) for number, (id_, state) in enumerate(states)]


def graph_of(**depends: tuple[str, ...]) -> list[view.Node]:
    return list(depends.items())


def blocked(graph: list[view.Node], states: list[TaskRow]) -> dict[str, tuple[str, ...]]:
    return view.blocked_by(graph, {row.id: row.state for row in states})


@pytest.mark.parametrize(
    ("state", "owner", "alive", "shown"),
    [
        (RunState.RUNNING, OWNER, True, RunState.RUNNING),
        (RunState.RUNNING, OWNER, None, RunState.RUNNING),
        (RunState.RUNNING, OWNER, False, RunState.INTERRUPTED),
        (RunState.RUNNING, None, None, RunState.INTERRUPTED),
        (RunState.PENDING, OWNER, True, RunState.PENDING),
        (RunState.PENDING, OWNER, False, RunState.INTERRUPTED),
        (RunState.FAILED, None, None, RunState.FAILED),
        (RunState.SUCCESS, OWNER, False, RunState.SUCCESS),
    ],
)
def test_a_run_that_nobody_drives_is_interrupted(
    state: RunState, owner: Owner | None, alive: bool | None, shown: RunState
) -> None:
    assert view.shown_state(run_row(state=state, owner=owner), alive) is shown


def test_all_four_states_are_counted_always() -> None:
    counts = view.all_states({TaskState.FAILED: 2})
    assert counts == {TaskState.PENDING: 0, TaskState.RUNNING: 0, TaskState.SUCCESS: 0, TaskState.FAILED: 2}
    assert list(counts) == list(TaskState)


def test_blocked_is_what_waits_for_a_failure_at_any_distance() -> None:
    graph = graph_of(a=(), b=("a",), c=("b", "x"), x=(), y=("x",), z=("y", "nowhere"), late=("c",))
    states = rows(
        ("a", TaskState.FAILED),
        ("b", TaskState.PENDING),
        ("c", TaskState.PENDING),
        ("x", TaskState.FAILED),
        ("y", TaskState.RUNNING),
        ("z", TaskState.PENDING),
        ("late", TaskState.PENDING),
    )
    assert blocked(graph, states) == {"b": ("a",), "c": ("a", "x"), "late": ("a", "x")}


def test_nothing_is_blocked_without_a_failure() -> None:
    graph = graph_of(a=(), b=("a",))
    states = rows(("a", TaskState.RUNNING), ("b", TaskState.PENDING))
    assert blocked(graph, states) == {}


def test_only_what_waits_beside_a_failure_can_be_blocked() -> None:
    assert view.may_be_blocked(view.all_states({TaskState.FAILED: 1, TaskState.PENDING: 1}))
    assert not view.may_be_blocked(view.all_states({TaskState.PENDING: 1}))
    assert not view.may_be_blocked(view.all_states({TaskState.FAILED: 1, TaskState.SUCCESS: 1}))


def test_a_task_names_a_bounded_number_of_blockers() -> None:
    names = [f"t{number}" for number in range(view.MAX_BLOCKERS + 20)]
    graph = graph_of(**dict.fromkeys(names, ()), last=tuple(names))
    states = rows(*((name, TaskState.FAILED) for name in names), ("last", TaskState.PENDING))
    assert blocked(graph, states) == {"last": tuple(names[: view.MAX_BLOCKERS])}


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[view.Node], list[TaskRow]]:
    size = draw(st.integers(1, 12))
    needs = {
        f"t{number}": tuple(f"t{other}" for other in sorted(draw(st.sets(st.integers(0, number - 1)))))
        if number
        else ()
        for number in range(size)
    }
    states = [(name, draw(st.sampled_from(list(TaskState)))) for name in needs]
    return graph_of(**needs), rows(*states)


@given(graphs())
def test_blocked_by_agrees_with_its_definition(drawn: tuple[list[view.Node], list[TaskRow]]) -> None:
    graph, states = drawn
    state = {row.id: row.state for row in states}
    needs = dict(graph)

    def failures(name: str) -> set[str]:
        found: set[str] = set()
        for other in needs[name]:
            if state[other] is TaskState.FAILED:
                found.add(other)
            elif state[other] is TaskState.PENDING:
                found |= failures(other)
        return found

    expected = {name: failures(name) for name in needs if state[name] is TaskState.PENDING}
    got = blocked(graph, states)
    unfinished = {name: one for name, one in state.items() if one in (TaskState.PENDING, TaskState.FAILED)}
    assert view.blocked_by(graph, unfinished) == got
    assert {name: set(ids) for name, ids in got.items()} == {k: v for k, v in expected.items() if v}


def test_duration_is_of_the_attempt_or_up_to_now() -> None:
    end = AttemptEnd(Outcome.EXITED, 0, started_at=NOON, ended_at=NOON + timedelta(seconds=3))
    now = NOON + timedelta(seconds=60)
    assert view.duration_seconds(TaskRow(0, "a", "bash", TaskState.SUCCESS, end=end), now) == 3
    assert view.duration_seconds(TaskRow(0, "a", "bash", TaskState.RUNNING, started_at=NOON), now) == 60
    assert view.duration_seconds(TaskRow(0, "a", "bash", TaskState.PENDING), now) is None
    assert view.duration_seconds(TaskRow(0, "a", "bash", TaskState.RUNNING), now) is None


def test_duration_is_never_negative() -> None:
    row = TaskRow(0, "a", "bash", TaskState.RUNNING, started_at=NOON)
    assert view.duration_seconds(row, NOON - timedelta(seconds=1)) == 0


def test_the_try_under_way_is_counted() -> None:
    assert view.current_try(TaskRow(0, "a", "bash", TaskState.RUNNING, tries=1)) == 2
    assert view.current_try(TaskRow(0, "a", "bash", TaskState.FAILED, tries=1)) == 1


def test_instants_are_utc_of_one_length() -> None:
    assert view.instant(NOON) == "2026-05-04T12:00:00.000000Z"
    assert view.instant(None) is None


def test_status_object_is_the_contract() -> None:
    end = AttemptEnd(
        Outcome.EXITED,
        3,
        message="no such table",
        started_at=NOON,
        ended_at=NOON + timedelta(seconds=1.5),
    )
    failed = TaskRow(0, "a", "bash", TaskState.FAILED, 2, 2, 2, pid=12, log="/w/logs/run-7/a.2.log", end=end)
    waiting = TaskRow(1, "b", "bash", TaskState.PENDING)
    shown = view.view_run(
        run_row(),
        [failed, waiting],
        {TaskState.FAILED: 1, TaskState.PENDING: 1},
        {"b": ("a",)},
        alive=None,
        now=NOON + timedelta(seconds=9),
    )
    assert json.loads(json.dumps(view.status_object(shown))) == {
        "run": {
            "id": 7,
            "state": "RUNNING",
            "taskfile": "/w/tasks.json",
            "started_at": "2026-05-04T12:00:00.000000Z",
            "ended_at": None,
            "owner": {
                "host": "alpha",
                "pid": 4711,
                "user": "ana",
                "since": "2026-05-04T12:00:00.000000Z",
                "alive": None,
                "stopped": False,
            },
            "duration_s": 9.0,
            "idle_seconds": 0.0,
            "cancelled_by": None,
            "cancelled_at": None,
            "parent": None,
            "interrupted_at": None,
            "interrupted_by": None,
            "log_directory": "/w/logs/run-7",
        },
        "counts": {"PENDING": 1, "RUNNING": 0, "SUCCESS": 0, "FAILED": 1},
        "tasks": [
            {
                "id": "a",
                "type": "bash",
                "state": "FAILED",
                "blocked_by": [],
                "attempts": 2,
                "max_attempts": 2,
                "outcome": "EXITED",
                "exit_code": 3,
                "signal": None,
                "error": None,
                "message": "no such table",
                "not_before": None,
                "started_at": "2026-05-04T12:00:00.000000Z",
                "ended_at": "2026-05-04T12:00:01.500000Z",
                "duration_s": 1.5,
                "pid": 12,
                "log": "/w/logs/run-7/a.2.log",
                "alive": None,
                "at_resume": None,
                "stalled": None,
                "depends": [],
            },
            {
                "id": "b",
                "type": "bash",
                "state": "PENDING",
                "blocked_by": ["a"],
                "attempts": 0,
                "max_attempts": 1,
                "outcome": None,
                "exit_code": None,
                "signal": None,
                "error": None,
                "message": None,
                "not_before": None,
                "started_at": None,
                "ended_at": None,
                "duration_s": None,
                "pid": None,
                "log": None,
                "alive": None,
                "at_resume": None,
                "stalled": None,
                "depends": [],
            },
        ],
    }


def test_what_runs_elsewhere_is_named() -> None:
    facts = {"tag": "mflow-f-0-1", "driver_id": "driver-1", "master": "yarn", "earlier": [], "pid": 12}
    row = TaskRow(0, "a", "spark", TaskState.RUNNING, attempts=1, facts=facts)
    shown = view.view_run(run_row(), [row], {}, {}, alive=True, now=NOON)
    (task,) = view.status_object(shown)["tasks"]
    assert task["ids"] == {"tag": "mflow-f-0-1", "driver_id": "driver-1"}
    assert task["pid"] == 12


def test_a_run_without_owner_says_null() -> None:
    shown = view.view_run(run_row(owner=None), [], {}, {}, alive=None, now=NOON)
    assert view.status_object(shown)["run"]["owner"] is None
    assert view.status_object(shown)["run"]["state"] == "INTERRUPTED"


def test_runs_object_is_the_contract() -> None:
    summary = RunSummary(run_row(), {TaskState.SUCCESS: 2})
    assert view.runs_object([(summary, RunState.INTERRUPTED)], NOON) == {
        "runs": [
            {
                "id": 7,
                "state": "INTERRUPTED",
                "taskfile": "/w/tasks.json",
                "started_at": "2026-05-04T12:00:00.000000Z",
                "ended_at": None,
                "counts": {"PENDING": 0, "RUNNING": 0, "SUCCESS": 2, "FAILED": 0},
                "duration_s": None,
                "idle_seconds": 0.0,
                "cancelled_by": None,
                "cancelled_at": None,
                "parent": None,
            }
        ]
    }


# --------------------------------------------------------------------- what nobody drives, and for how long


def test_the_last_sign_of_life() -> None:
    lease = NOON + timedelta(seconds=LEASE_SECONDS)
    driven = run_row(lease_until=lease, interrupted_at=NOON + timedelta(days=1))
    assert view.last_sign(driven) == NOON
    left = run_row(owner=None, interrupted_at=NOON)
    assert view.last_sign(left) == NOON
    over = run_row(owner=None, state=RunState.FAILED, ended_at=NOON)
    assert view.last_sign(over) == NOON
    assert view.last_sign(run_row(owner=None)) is None


def test_idle_time_is_added_up_and_left_out() -> None:
    left = run_row(owner=None, interrupted_at=NOON + timedelta(seconds=100), idle_seconds=10.0)
    later = NOON + timedelta(seconds=130)
    assert view.idle_until(left, later) == 40
    assert view.idle_until(left, NOON) == 10  # clocks differ
    assert view.run_seconds(left, RunState.INTERRUPTED, later) == 90
    assert view.run_seconds(run_row(idle_seconds=10.0), RunState.RUNNING, later) == 120
    over = run_row(state=RunState.SUCCESS, owner=None, ended_at=later, idle_seconds=10.0)
    assert view.run_seconds(over, RunState.SUCCESS, later + timedelta(days=1)) == 120
    assert view.run_seconds(run_row(started_at=None), RunState.PENDING, later) is None


def test_an_interruption_is_told_by_whoever_let_go_or_by_the_last_sign_of_life() -> None:
    said = run_row(owner=None, interrupted_at=NOON, interrupted_by="SIGTERM")
    assert view.interruption(said, restarted=False) == (NOON, "SIGTERM", True)
    silent = run_row(lease_until=NOON + timedelta(seconds=LEASE_SECONDS))
    assert view.interruption(silent, restarted=False) == (NOON, "its supervisor went without a word", False)
    assert view.interruption(silent, restarted=True) == (NOON, "its machine was restarted", False)


def test_a_next_try_is_of_a_run_that_goes_on() -> None:
    waiting = TaskRow(0, "a", "bash", TaskState.PENDING, not_before=NOON)
    assert view.waits_for_its_time(waiting, run_row())
    assert not view.waits_for_its_time(waiting, run_row(cancelled_by="ana"))
    assert not view.waits_for_its_time(waiting, run_row(state=RunState.FAILED, owner=None))


def test_what_is_gone_is_not_counted_as_running() -> None:
    rows = [TaskRow(number, f"t{number}", "bash", TaskState.RUNNING) for number in range(3)]
    prospects = {
        0: Prospect(False, "LOST", "gone"),
        1: Prospect(True, "ADOPTED", "runs"),
        2: Prospect(None, "UNKNOWN", "?"),
    }
    counts = {TaskState.RUNNING: 3, TaskState.SUCCESS: 4}
    shown = view.view_run(run_row(), rows, counts, {}, alive=False, now=NOON, prospects=prospects)
    assert view.shown_counts(shown) == {
        "PENDING": 0,
        "RUNNING": 2,
        "SUCCESS": 4,
        "FAILED": 0,
        "INTERRUPTED": 1,
    }
    programs = view.status_object(shown)
    assert programs["counts"] == {"PENDING": 0, "RUNNING": 3, "SUCCESS": 4, "FAILED": 0}
    assert [(task["state"], task["alive"], task["at_resume"]) for task in programs["tasks"]] == [
        ("RUNNING", False, "LOST"),
        ("RUNNING", True, "ADOPTED"),
        ("RUNNING", None, "UNKNOWN"),
    ]
