"""The words and the two tables of transitions are the contract's."""

import itertools

import pytest

from mflow.core.states import (
    RUN_TRANSITIONS,
    TASK_TRANSITIONS,
    Outcome,
    RunState,
    TaskState,
    check_task_transition,
)

P, R, S, F = TaskState.PENDING, TaskState.RUNNING, TaskState.SUCCESS, TaskState.FAILED


def test_four_task_states_and_eight_outcomes_as_users_read_them() -> None:
    assert [state.value for state in TaskState] == ["PENDING", "RUNNING", "SUCCESS", "FAILED"]
    assert {outcome.value for outcome in Outcome} == {
        "EXITED",
        "SIGNALLED",
        "ERROR",
        "TIMED_OUT",
        "NOT_STARTED",
        "CANCELLED",
        "LOST",
        "UNKNOWN",
    }


def test_a_word_is_its_text() -> None:
    assert f"{TaskState.PENDING} {RunState.INTERRUPTED} {Outcome.LOST}" == "PENDING INTERRUPTED LOST"


@pytest.mark.parametrize(("before", "after"), list(itertools.product(TaskState, TaskState)))
def test_a_task_goes_only_where_the_table_leads(before: TaskState, after: TaskState) -> None:
    if (before, after) in {(P, R), (R, S), (R, F), (R, P), (F, P), (F, S)}:
        check_task_transition(before, after)
    else:
        with pytest.raises(AssertionError, match=f"{before} to {after}"):
            check_task_transition(before, after)


def test_nothing_leads_out_of_success() -> None:
    assert not [after for before, after in TASK_TRANSITIONS if before is S]


def test_a_run_is_never_stored_as_interrupted_and_can_always_be_resumed() -> None:
    assert RunState.INTERRUPTED not in set(itertools.chain.from_iterable(RUN_TRANSITIONS))
    assert {before for before, after in RUN_TRANSITIONS if after is RunState.RUNNING} == {
        RunState.PENDING,
        RunState.FAILED,
        RunState.SUCCESS,
    }
