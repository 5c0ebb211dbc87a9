"""An attempt from its start to its end, with a spark-submit and a yarn that are told what to say and do."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from mflow.core.contracts import Remote, StopStep
from mflow.core.states import Outcome
from tests.tasks.spark.site import ACCEPTED, APP, KILL, REPORTED, STATUS, Site


def test_success_on_yarn_takes_no_further_question(site: Site) -> None:
    site.says(ACCEPTED, REPORTED + "SUCCEEDED")
    trial = site.begin()
    assert trial.end().ok
    assert trial.bench.facts["application_id"] == APP
    assert trial.bench.facts["pid"] > 0
    assert site.lines("asked") == []


def test_the_tag_is_recorded_before_the_submission(site: Site) -> None:
    site.says(ACCEPTED, REPORTED + "SUCCEEDED")
    trial = site.begin()
    trial.end()
    before = trial.bench.at_spawn
    assert before["deploy_mode"] == "cluster"
    assert f"spark.yarn.tags={before['tag']}" in site.lines("submitted")[0]
    assert "application_id" not in before
    json.dumps(trial.bench.facts, allow_nan=False)


def test_yarn_out_of_reach_of_spark_submit_is_asked_by_mflow(site: Site) -> None:
    site.says(ACCEPTED, f"ERROR yarn.Client: Failed to contact YARN for application {APP}.", exit_code=1)
    site.yarn("FINISHED SUCCEEDED")
    assert site.begin().end().ok
    assert site.lines("asked") == [STATUS]


def test_why_an_application_failed_is_told_with_its_end(site: Site) -> None:
    site.says(
        ACCEPTED,
        f"24/11/01 11:51:19 INFO yarn.Client: Application report for {APP} (state: ACCEPTED)",
        "\t diagnostics: AM container is launched, waiting for AM container to Register with RM",
        REPORTED + "FAILED",
        exit_code=1,
    )
    assert str(site.begin().end().message).endswith("its own log is in the cluster")
    reason = "User class threw exception: java.lang.IllegalStateException: no tickets of tiger-42"
    for line in (
        f"\t diagnostics: {reason}",
        f"24/11/01 ERROR Client: Application diagnostics message: {reason}",
    ):
        site.says(ACCEPTED, REPORTED + "FAILED", line, exit_code=1)
        end = site.begin(attempt=2, confs={"spark.x.password": "tiger-42"}).end()
        assert end.error == "APPLICATION_FAILED"
        assert str(end.message).endswith("java.lang.IllegalStateException: no tickets of ***")
        (site.folder / "task.2.log").unlink()


def test_told_not_to_wait_mflow_waits(site: Site) -> None:
    site.says(ACCEPTED, f"INFO yarn.Client: Application report for {APP} (state: ACCEPTED)")
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin(confs={"spark.yarn.submit.waitAppCompletion": "false"})
    trial.wait_until(lambda: site.lines("asked"))
    site.yarn("FINISHED FAILED")
    end = trial.end()
    assert (end.outcome, end.error) == (Outcome.ERROR, "APPLICATION_FAILED")


def test_what_nobody_answers_is_unknown(site: Site) -> None:
    site.says(ACCEPTED, exit_code=1)
    (site.folder / "bin" / "yarn").unlink()
    assert site.begin().end().outcome is Outcome.UNKNOWN


def test_a_submission_that_failed_before_it_was_one(site: Site) -> None:
    site.says("24/11/01 11:51:18 INFO SparkSubmit: hello", "Error: Failed to load class Nope.", exit_code=101)
    end = site.begin().end()
    assert (end.outcome, end.exit_code, end.message) == (Outcome.EXITED, 101, "Failed to load class Nope.")
    assert site.lines("asked") == []


def test_a_silent_log_makes_mflow_look_for_the_tag(site: Site) -> None:
    site.says(exit_code=1)
    end = site.begin().end()
    assert (end.outcome, end.exit_code) == (Outcome.EXITED, 1)
    assert "-appTags mflow-" in site.lines("asked")[0]
    site.yarn("FINISHED SUCCEEDED")
    assert site.begin(attempt=2).end().ok


def test_kill_in_cluster_mode_is_by_id(site: Site) -> None:
    site.says(ACCEPTED)
    site.waits()
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin()
    trial.wait_until(lambda: "application_id" in trial.bench.facts)
    assert isinstance(trial.running, Remote)
    trial.stop()
    end = trial.end()
    assert (end.outcome, end.error) == (Outcome.ERROR, "APPLICATION_KILLED")
    assert site.lines("asked")[0] == KILL


def test_what_a_kill_could_not_end_is_unknown(site: Site) -> None:
    site.says(ACCEPTED)
    site.waits()
    site.yarn("RUNNING UNDEFINED")
    (site.folder / "immortal").touch()
    trial = site.begin()
    trial.wait_until(lambda: "application_id" in trial.bench.facts)
    trial.stop()
    end = trial.end()
    assert end.outcome is Outcome.UNKNOWN
    assert f"{APP} was told to end, but is still RUNNING" in str(end.message)


def test_kill_before_there_is_an_id(site: Site) -> None:
    site.waits()
    trial = site.begin()
    trial.wait_until(lambda: site.lines("submitted"))
    trial.stop()
    assert not trial.ended(0.1), "spark-submit may be submitting right now: it is left to say what"
    trial.stop(StopStep.INSIST)
    trial.stop(StopStep.KILL)
    end = trial.end()
    assert end.outcome is Outcome.SIGNALLED
    assert "-appTags" in site.lines("asked")[0]


def test_kill_in_client_mode_ends_the_application_too(site: Site) -> None:
    site.says(ACCEPTED)
    site.waits()
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin("client")
    trial.wait_until(lambda: "application_id" in trial.bench.facts)
    trial.stop()
    end = trial.end()
    assert (end.outcome, end.exit_code) == (Outcome.EXITED, 143)
    assert site.lines("asked") == [STATUS, KILL, STATUS]


def test_in_client_mode_what_was_never_named_is_found_by_the_tag_and_ended(site: Site) -> None:
    site.says(exit_code=1)
    site.yarn("RUNNING UNDEFINED")
    trial = site.begin("client")
    end = trial.end()
    assert (end.outcome, end.exit_code) == (Outcome.EXITED, 1)
    assert "-appTags mflow-" in site.lines("asked")[0]
    assert KILL in site.lines("asked")
    assert trial.bench.facts["application_id"] == APP


def test_without_yarn_nobody_waits_for_an_answer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mflow.tasks.spark.attempt.SILENCE_SECONDS", 1e9)
    (site.folder / "bin" / "yarn").unlink()
    site.says(ACCEPTED, exit_code=1)
    assert site.begin().end().outcome is Outcome.UNKNOWN


def test_a_good_end_that_names_no_application_is_asked_about(site: Site) -> None:
    site.says("24/11/01 11:51:18 INFO wrapper: done")
    assert site.begin().end().error == "NOT_SUBMITTED"
    (site.folder / "bin" / "yarn").unlink()
    assert site.begin(attempt=2).end().outcome is Outcome.UNKNOWN


STANDALONE_KEYS: Mapping[str, Any] = {
    "master": "spark://127.0.0.1:1",
    "ingestor-file": "job.jar",
    "class": "Main",
    "master-rest": "127.0.0.1:1",
    "master-ui": "http://127.0.0.1:1",
}


def test_a_spark_submit_that_alone_hears_of_a_killed_driver_is_left_to_tell(site: Site) -> None:
    driver = "driver-20261124070307-0001"
    submit = site.folder / "bin" / "spark-submit"
    submit.write_text(
        f"""#!/bin/bash
if [ "$1" = --kill ]; then echo "$@" >{site.folder}/killed; exit 0; fi
echo 'INFO ClientEndpoint: Driver successfully submitted as {driver}'
until [ -e {site.folder}/killed ]; do sleep 0.02; done
echo 'INFO ClientEndpoint: State of {driver} is KILLED, exiting spark-submit JVM.'
"""
    )
    trial = site.begin(**STANDALONE_KEYS)
    trial.wait_until(lambda: "driver_id" in trial.bench.facts)
    trial.stop()
    end = trial.end()
    assert (end.outcome, end.error) == (Outcome.ERROR, "DRIVER_KILLED")
    assert site.lines("killed") == [f"--kill {driver} --master spark://127.0.0.1:1"]


def test_an_application_that_outlives_its_driver_is_unknown(site: Site) -> None:
    site.says(ACCEPTED, exit_code=1)
    site.yarn("RUNNING UNDEFINED")
    (site.folder / "immortal").touch()
    end = site.begin("client").end()
    assert end.outcome is Outcome.UNKNOWN
    assert "still RUNNING" in str(end.message)


def test_client_mode_takes_spark_submits_word(site: Site) -> None:
    site.says("Traceback (most recent call last):", "  x", "KeyError: 'tiger-42'", exit_code=7)
    end = site.begin("client", confs={"spark.my.password": "tiger-42"}).end()
    assert (end.outcome, end.exit_code, end.error) == (Outcome.EXITED, 7, "KeyError")
    assert end.message == "KeyError: '***'"
    site.says()
    assert site.begin("client", attempt=2).end().ok


def test_secrets_reach_spark_by_a_file_that_is_gone_afterwards(site: Site) -> None:
    (site.folder / "private").touch()
    trial = site.begin("client", confs=[["spark.my.password", "tiger-42"]])
    assert trial.end().ok
    assert (site.folder / "private").read_text() == "spark.my.password=tiger-42\n"
    assert "tiger-42" not in site.lines("submitted")[0] + trial.said() + json.dumps(trial.bench.facts)
    assert list(site.folder.glob(".spark-*")) == []


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"submit": "/no/such"}, "spark-submit was not found"),
        ({"master": "local[2]"}, "client is the only way"),
        ({"properties-file": "/no/such"}, "/no/such"),
        ({"ingestor-file": "-x"}, "option"),
        ({"parameters": ["a\0b"]}, "NUL"),
    ],
)
def test_what_cannot_be_submitted_did_not_start(site: Site, keys: Mapping[str, Any], said: str) -> None:
    end = site.begin(**keys).end()
    assert end.outcome is Outcome.NOT_STARTED
    assert said in str(end.message)
    assert site.lines("submitted") == []
