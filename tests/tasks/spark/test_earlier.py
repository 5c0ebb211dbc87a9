"""An attempt that follows one whose end nobody saw."""

from typing import Any

import pytest

from mflow.core.states import Outcome
from tests.tasks.spark.site import ACCEPTED, APP, KILL, REPORTED, STATUS, Site


def previous(site: Site, mode: str = "cluster", **more: Any) -> dict[str, Any]:
    """Facts of an attempt whose end nobody saw."""
    return {"tag": "mflow-x-0-1", "deploy_mode": mode, "spark_log": str(site.folder / "old.log"), **more}


def test_an_application_that_runs_is_adopted(site: Site) -> None:
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin(attempt=2, previous=previous(site, application_id=APP))
    trial.wait_until(lambda: "instead of submitting again" in trial.said())
    site.yarn("FINISHED SUCCEEDED")
    assert trial.end().ok
    assert site.lines("submitted") == []
    assert trial.bench.facts["application_id"] == APP


def test_an_adopted_application_can_be_killed(site: Site) -> None:
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin(attempt=2, previous=previous(site, application_id=APP))
    trial.wait_until(lambda: "instead of submitting again" in trial.said())
    trial.stop()
    assert trial.end().error == "APPLICATION_KILLED"


def test_an_application_that_had_ended_well_is_not_run_again(site: Site) -> None:
    site.yarn("FINISHED SUCCEEDED")
    end = site.begin(attempt=2, previous=previous(site, application_id=APP)).end()
    assert end.ok
    assert "had ended well" in str(end.message)
    assert site.lines("submitted") == []


@pytest.mark.parametrize("state", ["FINISHED FAILED", "KILLED KILLED"])
def test_an_application_that_had_failed_is_run_again(site: Site, state: str) -> None:
    site.yarn(state)
    site.says(ACCEPTED, REPORTED + "SUCCEEDED")
    private = site.folder / ".spark-abc.properties"
    private.touch()
    trial = site.begin(attempt=2, previous=previous(site, application_id=APP, private_file=str(private)))
    assert trial.end().ok
    assert len(site.lines("submitted")) == 1
    assert trial.bench.facts["earlier"] == []
    assert not private.exists()


def test_an_id_that_was_never_recorded_is_in_the_log(site: Site) -> None:
    (site.folder / "old.log").write_text(f"{ACCEPTED}\n")
    site.yarn("FINISHED SUCCEEDED")
    assert site.begin(attempt=2, previous=previous(site)).end().ok
    assert site.lines("asked") == [STATUS]


def test_an_id_that_was_never_seen_is_found_by_the_tag(site: Site) -> None:
    site.yarn("FINISHED SUCCEEDED")
    assert site.begin(attempt=2, previous=previous(site)).end().ok
    assert site.lines("asked") == ["application -list -appStates ALL -appTags mflow-x-0-1", STATUS]
    site.yarn("none none")
    site.says(ACCEPTED, REPORTED + "SUCCEEDED")
    assert site.begin(attempt=3, previous=previous(site)).end().ok
    assert len(site.lines("submitted")) == 1


def test_nothing_is_submitted_while_nobody_answers_and_the_question_is_kept(site: Site) -> None:
    (site.folder / "bin" / "yarn").unlink()
    first = previous(site, application_id=APP)
    trial = site.begin(attempt=2, previous=first)
    end = trial.end()
    assert end.outcome is Outcome.UNKNOWN
    third = site.begin(attempt=3, previous=trial.bench.facts)
    assert third.end().outcome is Outcome.UNKNOWN
    assert [each["tag"] for each in third.bench.facts["earlier"]] == ["mflow-x-0-1", trial.bench.facts["tag"]]
    assert site.lines("submitted") == []


def test_in_client_mode_what_the_dead_driver_left_is_ended_first(site: Site) -> None:
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin("client", attempt=2, previous=previous(site, "client", application_id=APP))
    assert trial.end().ok
    assert site.lines("asked") == [STATUS, KILL, STATUS]
    assert len(site.lines("submitted")) == 1


def test_in_client_mode_what_cannot_be_ended_is_not_doubled(site: Site) -> None:
    site.yarn("RUNNING UNDEFINED")
    (site.folder / "immortal").touch()
    end = site.begin("client", attempt=2, previous=previous(site, "client", application_id=APP)).end()
    assert end.outcome is Outcome.UNKNOWN
    assert site.lines("submitted") == []


def test_facts_of_something_else_are_no_earlier_attempt(site: Site) -> None:
    site.says(ACCEPTED, REPORTED + "SUCCEEDED")
    assert site.begin(attempt=2, previous={"log": "/elsewhere"}).end().ok
    assert site.lines("asked") == []
