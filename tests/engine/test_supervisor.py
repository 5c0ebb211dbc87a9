"""The supervisor with real workers, real tasks and real signals, over a store in memory."""

from pathlib import Path
from typing import Any

import pytest

from tests.engine.driven import run_scenario

MODULE = "tests.engine.supervisor_scenarios"


def told(scenario: str, folder: Path) -> Any:
    return run_scenario(MODULE, scenario, folder)


def test_tasks_run_after_what_they_depend_on(tmp_path: Path) -> None:
    result = told("diamond", tmp_path)
    assert result["ending"] == "success"
    assert result["exit_code"] == 0
    order = [end[0] for end in result["ends"]]
    assert (order[0], order[-1], sorted(order)) == (0, 3, [0, 1, 2, 3])
    assert result["states"] == ["SUCCESS"] * 4


def test_what_is_behind_a_failure_stays_pending_and_the_rest_goes_on(tmp_path: Path) -> None:
    result = told("failure_blocks", tmp_path)
    assert result["ending"] == "failed"
    assert result["exit_code"] == 1
    assert result["states"] == ["FAILED", "PENDING", "SUCCESS"]


def test_a_retry_is_a_further_attempt(tmp_path: Path) -> None:
    result = told("retried", tmp_path)
    assert result["ends"] == [
        [0, 1, "PENDING", "EXITED"],
        [0, 2, "PENDING", "EXITED"],
        [0, 3, "SUCCESS", "EXITED"],
    ]


def test_an_outage_pauses_and_is_said_once_and_nothing_is_written_twice(tmp_path: Path) -> None:
    result = told("outage", tmp_path)
    assert result["states"] == ["SUCCESS", "SUCCESS"]
    assert result["claims"] == 2
    assert len([note for note in result["notes"] if "is away" in note]) == 1
    assert len([note for note in result["notes"] if "is back" in note]) >= 1


def test_patience_ends(tmp_path: Path) -> None:
    result = told("patience_over", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("database lost", 4)


def test_a_refusal_is_not_waited_for(tmp_path: Path) -> None:
    result = told("refused", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("database lost", 4)
    assert result["message"] == "the account is locked"


def test_a_superseded_supervisor_writes_nothing_more(tmp_path: Path) -> None:
    result = told("superseded", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("superseded", 3)
    assert result["states"] == ["RUNNING", "PENDING"]


def test_a_stop_by_signal_gives_tasks_back(tmp_path: Path) -> None:
    result = told("stopped", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("stopped", 143)
    assert result["states"] == ["PENDING", "PENDING"]
    assert result["ends"] == [[0, 1, "PENDING", "CANCELLED"]]


def test_a_claim_that_no_worker_has_heard_of_is_not_begun_after_a_stop(tmp_path: Path) -> None:
    result = told("stopped_in_doubt", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("stopped", 143)
    assert result["states"] == ["PENDING"]
    assert (result["claims"], result["ends"], result["ran"]) == (1, [], False)


def test_further_signals_shorten_the_grace(tmp_path: Path) -> None:
    result = told("stopped_twice", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("stopped", 130)
    assert result["ends"] == [[0, 1, "PENDING", "CANCELLED"]]


def test_a_cancel_fails_what_runs_and_leaves_the_rest(tmp_path: Path) -> None:
    result = told("cancelled", tmp_path)
    assert (result["ending"], result["exit_code"]) == ("cancelled", 1)
    assert result["states"] == ["FAILED", "PENDING"]
    assert result["ends"] == [[0, 1, "FAILED", "CANCELLED"]]
    assert any("cancelled by operator" in note for note in result["notes"])


def test_a_hang_up_stops_nothing(tmp_path: Path) -> None:
    assert told("hang_up", tmp_path)["ending"] == "success"


def test_a_killed_worker_costs_one_try_and_leaves_no_orphan(tmp_path: Path) -> None:
    result = told("worker_killed", tmp_path)
    assert result["ends"] == [[0, 1, "PENDING", "LOST"], [0, 2, "SUCCESS", "EXITED"]]
    assert any("SIGKILL" in note for note in result["notes"])
    assert not result["orphan_lives"]


def test_the_fork_server_is_not_missed(tmp_path: Path) -> None:
    result = told("servers_killed", tmp_path)
    assert result["ending"] == "success"
    assert [end[2:] for end in result["ends"]] == [["SUCCESS", "EXITED"]] * 3


@pytest.mark.timeout(60)
def test_as_many_run_at_once_as_the_limit_says(tmp_path: Path) -> None:
    assert told("many_at_once", tmp_path)["states"] == ["SUCCESS"] * 30
