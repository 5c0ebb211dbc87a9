"""A standalone master and worker: drivers in spark-submit and in the cluster, and what becomes of the killed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from mflow.core.states import Outcome
from tests.spark.bench import Trial
from tests.spark.installation import Master, spark_environ

pytestmark = pytest.mark.spark

SCRIPT = str(Path(__file__).with_name("session.py"))
SMALL = {
    "driver-memory": "512m",
    "executor-memory": "512m",
    "executor-cores": "1",
    "total-executor-cores": "1",
}


def in_client(master: Master, *words: str) -> Mapping[str, Any]:
    """A task whose driver runs in spark-submit."""
    parameters = [{"parameter": word} for word in words]
    return {
        **SMALL,
        **master.keys,
        "deploy-mode": "client",
        "ingestor-file": SCRIPT,
        "parameters": parameters,
    }


def in_cluster(master: Master, jar: Path, *words: str) -> Mapping[str, Any]:
    """A task whose driver runs in the cluster."""
    parameters = [{"parameter": word} for word in words]
    keys = {"deploy-mode": "cluster", "class": "Driver", "ingestor-file": str(jar), "parameters": parameters}
    return {**SMALL, **master.keys, **keys}


def by_rest(master: Master, options: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same, submitted to the master's REST server."""
    return {**options, "master": master.rest_url, "confs": {"spark.master.rest.enabled": "true"}}


def _folder(parent: Path, name: str) -> Path:
    (parent / name).mkdir()
    return parent / name


def test_client_mode_killed_leaves_no_application_on_the_master(
    home: Path, master: Master, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, in_client(master, "wait", str(tmp_path / "never")), spark_environ(home))
    trial.wait_until(lambda: "counted 10" in trial.said())
    assert master.active_applications() == [f"task ({trial.bench.facts['tag']})"]
    trial.stop()
    end = trial.end()
    assert not end.ok
    assert end.outcome is not Outcome.UNKNOWN
    assert master.active_applications() == []


def test_cluster_mode_success(home: Path, master: Master, driver_jar: Path, tmp_path: Path) -> None:
    trial = Trial(tmp_path, by_rest(master, in_cluster(master, driver_jar, "ok")), spark_environ(home))
    assert trial.end().ok, trial.said()
    assert master.drivers()[trial.bench.facts["driver_id"]] == "FINISHED"


def test_cluster_mode_failures_where_spark_submit_returns_0(
    home: Path, master: Master, driver_jar: Path, tmp_path: Path
) -> None:
    """Both at a time: spark-submit waits for long between two questions."""
    in_driver = Trial(_folder(tmp_path, "a"), in_cluster(master, driver_jar, "fail"), spark_environ(home))
    options = by_rest(master, in_cluster(master, driver_jar, "executor"))
    in_executor = Trial(_folder(tmp_path, "b"), options, spark_environ(home))
    for trial in (in_executor, in_driver):
        end = trial.end()
        assert (end.outcome, end.exit_code, end.error) == (Outcome.ERROR, None, "DRIVER_FAILED"), trial.said()
        assert master.drivers()[trial.bench.facts["driver_id"]] == "FAILED"


def test_cluster_mode_killed_ends_the_driver(
    home: Path, master: Master, driver_jar: Path, tmp_path: Path
) -> None:
    """By REST; and by the master's own port, where no other is known."""
    waiting = in_cluster(master, driver_jar, "wait", str(tmp_path / "never"))
    nowhere = {"master-rest": "127.0.0.1:1", "master-ui": "http://127.0.0.1:1"}
    trials = [
        Trial(_folder(tmp_path, "a"), waiting, spark_environ(home)),
        Trial(_folder(tmp_path, "b"), {**waiting, **nowhere}, spark_environ(home)),
    ]
    for trial in trials:
        trial.wait_until(lambda: len(master.active_applications()) == 2)
    for trial in trials:
        trial.stop()
    for trial in trials:
        end = trial.end()
        assert (end.outcome, end.error) == (Outcome.ERROR, "DRIVER_KILLED"), trial.said()
        assert master.drivers()[trial.bench.facts["driver_id"]] == "KILLED"
    assert master.active_applications() == []


def test_a_driver_that_still_runs_is_adopted_not_doubled(
    home: Path, master: Master, driver_jar: Path, tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    options = by_rest(master, in_cluster(master, driver_jar, "wait", str(gate)))
    lost = Trial(tmp_path, options, spark_environ(home))
    lost.wait_until(master.active_applications)
    drivers = master.drivers()
    facts = dict(lost.bench.facts)
    del facts["driver_id"]  # as if its worker had died before it could be recorded: the log has it
    again = Trial(tmp_path, options, spark_environ(home), attempt=2, previous=facts)
    again.wait_until(lambda: "instead of submitting again" in again.said())
    gate.touch()
    assert again.end().ok, again.said()
    assert master.drivers().keys() == drivers.keys(), "nothing was submitted a second time"
    assert lost.end().ok
    once_more = Trial(tmp_path, options, spark_environ(home), attempt=3, previous=facts)
    end = once_more.end()
    assert end.ok
    assert "had ended well" in str(end.message)
    assert master.drivers().keys() == drivers.keys()


def test_nothing_is_submitted_while_an_earlier_driver_cannot_be_asked_about(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mflow.tasks.spark.earlier.ANSWER_SECONDS", 0.0)
    nowhere = Master(1, 1, 1)
    previous = {"tag": "mflow-x-0-1", "deploy_mode": "cluster", "driver_id": "driver-20261124070249-0000"}
    trial = Trial(
        tmp_path,
        in_cluster(nowhere, tmp_path / "d.jar", "ok"),
        spark_environ(home),
        attempt=2,
        previous=previous,
    )
    end = trial.end()
    assert end.outcome is Outcome.UNKNOWN
    assert "nothing was submitted" in str(end.message)
    assert trial.bench.facts["earlier"] == [previous]
