"""Client mode on a local master: the driver is spark-submit itself."""

from pathlib import Path

import pytest

from mflow.core.states import Outcome
from tests.spark.bench import Trial
from tests.spark.installation import spark_environ

pytestmark = pytest.mark.spark

SCRIPT = str(Path(__file__).with_name("session.py"))
PASSWORD = "sesame-opens-0815"
TASK = {"master": "local[2]", "deploy-mode": "client", "driver-memory": "512m", "ingestor-file": SCRIPT}


def test_success_with_parameters_split_and_no_secret_on_the_command_line(home: Path, tmp_path: Path) -> None:
    options = {
        **TASK,
        "verbose": "yes",
        "confs": [
            {"key": "spark.mflow.test.password", "value": PASSWORD},
            {"key": "spark.sql.shuffle.partitions", "value": "1"},
        ],
        "parameters": [{"parameter": "ok"}, {"parameter": "--day '24 november'"}],
    }
    trial = Trial(tmp_path, options, spark_environ(home))
    end = trial.end()
    said = trial.said()
    assert end.ok, said
    assert "arguments ['--day', '24 november']" in said
    assert f"divisor {PASSWORD[::-1]}" in said, "the conf reached the application"
    assert PASSWORD not in said
    assert "--properties-file" in said
    assert list(tmp_path.glob(".spark-*")) == []
    assert trial.bench.at_spawn["tag"].endswith("-0-1")


def test_failure_in_the_driver_names_the_exception(home: Path, tmp_path: Path) -> None:
    trial = Trial(tmp_path, {**TASK, "parameters": [{"parameter": "fail"}]}, spark_environ(home))
    end = trial.end()
    assert (end.outcome, end.exit_code, end.error) == (Outcome.EXITED, 1, "LookupError")
    assert end.message == "LookupError: broken in the driver"


def test_failure_in_an_executor(home: Path, tmp_path: Path) -> None:
    trial = Trial(tmp_path, {**TASK, "parameters": [{"parameter": "executor"}]}, spark_environ(home))
    end = trial.end()
    assert (end.outcome, end.exit_code) == (Outcome.EXITED, 1)
    assert end.error
    assert "ZeroDivisionError" in trial.said()
