"""Whose word counts for the end of an attempt."""

import pytest

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.spark.cluster import Answer, Ids, Status
from mflow.tasks.spark.output import Sightings
from mflow.tasks.spark.verdict import end_in_client_mode, end_in_cluster, last_word, without_id

WELL = AttemptEnd(Outcome.EXITED, exit_code=0)
BADLY = AttemptEnd(Outcome.EXITED, exit_code=1)
DRIVER, APPLICATION = Ids(driver="driver-1"), Ids(application="application_1_1")


def seen(**values: object) -> Sightings:
    found = Sightings(in_cluster=True)
    for name, value in values.items():
        setattr(found, name, value)
    return found


@pytest.mark.parametrize(
    ("state", "status"),
    [("FINISHED", Status.SUCCEEDED), ("FAILED", Status.FAILED), ("KILLED", Status.FAILED)],
)
def test_the_last_word_of_a_standalone_master_whatever_the_exit_code(state: str, status: Status) -> None:
    for client in (WELL, BADLY):
        answer = last_word(seen(driver="driver-1", driver_state=state), client)
        assert answer is not None
        assert answer.status is status


def test_no_last_word_means_asking() -> None:
    assert last_word(seen(driver="driver-1", driver_state="RUNNING"), WELL) is None
    assert last_word(seen(driver="driver-1"), BADLY) is None
    assert last_word(seen(application="application_1_1"), WELL) is None
    assert last_word(seen(application="application_1_1", yarn_state="ACCEPTED"), WELL) is None


def test_yarns_last_word() -> None:
    finished = {"application": "application_1_1", "yarn_state": "FINISHED", "yarn_final": "UNDEFINED"}
    for client, status in ((WELL, Status.SUCCEEDED), (BADLY, Status.FAILED)):
        answer = last_word(seen(**finished), client)
        assert answer is not None
        assert answer.status is status
    failed = last_word(seen(**{**finished, "yarn_final": "FAILED"}), BADLY)
    assert failed == Answer(Status.FAILED, "FAILED", "as spark-submit heard")
    assert last_word(seen(**finished, lost_contact=True), BADLY) is None


def test_ends_in_the_cluster() -> None:
    assert end_in_cluster(DRIVER, Answer(Status.SUCCEEDED, "FINISHED"), stopped=False).ok
    failed = end_in_cluster(DRIVER, Answer(Status.FAILED, "FAILED", "http://m"), stopped=False)
    assert (failed.outcome, failed.error) == (Outcome.ERROR, "DRIVER_FAILED")
    killed = end_in_cluster(APPLICATION, Answer(Status.FAILED, "KILLED", "yarn"), stopped=True)
    assert killed.error == "APPLICATION_KILLED"


@pytest.mark.parametrize("status", [Status.ACTIVE, Status.SILENT, Status.NOT_KNOWN])
def test_what_cannot_be_verified_is_unknown(status: Status) -> None:
    end = end_in_cluster(DRIVER, Answer(status, "RUNNING", "http://m"), stopped=True)
    assert end.outcome is Outcome.UNKNOWN
    assert "driver-1" in str(end.message)


def test_client_mode() -> None:
    assert end_in_client_mode(WELL, seen(), APPLICATION, None) is WELL
    assert end_in_client_mode(BADLY, seen(), APPLICATION, Answer(Status.SILENT)) is BADLY
    named = end_in_client_mode(BADLY, seen(error="KeyError", error_text="KeyError: 1"), Ids(), None)
    assert named == BADLY._replace(error="KeyError", message="KeyError: 1")
    left = end_in_client_mode(BADLY, seen(), APPLICATION, Answer(Status.ACTIVE, "RUNNING", "yarn"))
    assert left.outcome is Outcome.UNKNOWN


def test_without_an_id() -> None:
    silent = without_id(BADLY, seen(), None, "yarn")
    assert silent.outcome is Outcome.UNKNOWN
    candidate = without_id(BADLY, seen(), (DRIVER,), "spark://m:7077")
    assert candidate.outcome is Outcome.UNKNOWN
    assert "driver-1" in str(candidate.message)
    assert without_id(BADLY, seen(error_text="no such class"), (), "yarn") == BADLY._replace(
        message="no such class"
    )
    assert without_id(WELL, seen(), (), "yarn").error == "NOT_SUBMITTED"
