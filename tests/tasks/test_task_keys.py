"""The keys of the three task types: what they accept, what they keep, what they say."""

import os
import subprocess
from typing import Any

import pytest

from mflow.core.model import Config
from mflow.files.report import Report
from mflow.files.taskfile import read_tasks
from mflow.tasks.registry import RUNNERS, task_types


def read(**keys: Any) -> tuple[dict[str, Any] | None, list[str]]:
    """The options that are kept of a task with these keys (an underscore stands for "-"), and what is said."""
    report = Report("f")
    entry = {key.replace("_", "-") if key not in AS_IT_IS else key: value for key, value in keys.items()}
    found = read_tasks({"tasks": [{"id": "a", **entry}]}, task_types(), Config(1, "/logs"), {}, report)
    said = [
        f"{'warning ' if one.warning else ''}{one.place.removeprefix('tasks[0]').lstrip('.')}: {one.text}"
        for one in report.problems
    ]
    return (dict(found.tasks[0].options) if found.tasks else None), said


AS_IT_IS = {"transaction_guard", "kill_session"}


def test_every_type_has_keys_and_a_runner() -> None:
    assert list(task_types()) == list(RUNNERS) == ["bash", "oracle", "spark"]


LONGEST = 32 * os.sysconf("SC_PAGE_SIZE") - 1
TOO_LONG = f"is longer than a command may be ({LONGEST:,} bytes): put it into a script"


class TestBash:
    def test_a_command(self) -> None:
        assert read(type="bash", command="echo $HOME\n") == ({"command": "echo $HOME\n"}, [])

    @pytest.mark.parametrize(
        ("keys", "problem"),
        [
            ({}, ': the key "command" is missing'),
            ({"command": ""}, "command: must not be empty"),
            ({"command": ["ls"]}, "command: must be text in quotes, not a list"),
            ({"command": "x", "db": "y"}, "warning db: unknown key, ignored"),
            ({"command": "x" * (LONGEST + 1)}, f"command: {TOO_LONG}"),
            ({"command": "\N{EURO SIGN}" * (LONGEST // 3 + 1)}, f"command: {TOO_LONG}"),
        ],
    )
    def test_what_is_said(self, keys: dict[str, Any], problem: str) -> None:
        assert read(type="bash", **keys)[1] == [problem]

    def test_the_longest_command_runs(self) -> None:
        command = f"exit 7 #{'x' * (LONGEST - 8)}"
        assert read(type="bash", command=command) == ({"command": command}, [])
        assert subprocess.run(["bash", "-c", command], check=False).returncode == 7
        with pytest.raises(OSError, match="too long"):
            subprocess.run(["bash", "-c", f"{command}x"], check=False)

    def test_a_password_in_the_command_is_not_repeated(self) -> None:
        options, said = read(type="bash", command="sqlplus scott/tiger@db @load.sql")
        assert options == {"command": "sqlplus scott/tiger@db @load.sql"}
        (warning,) = said
        assert warning.startswith("warning command: shows a user/password")
        assert "tiger" not in warning


class TestOracle:
    def test_the_least(self) -> None:
        assert read(type="oracle", db="x", command="begin p; end;") == (
            {"db": "x", "command": "begin p; end;"},
            [],
        )

    def test_all_keys(self) -> None:
        keys = {
            "db": "x",
            "script": "load.sql",
            "encoding": "latin-1",
            "binds": {"day": "2024-01-31", "n": 5, "rate": 0.5, "none": None, "pw": "${PW}"},
            "fetch": "10",
            "idempotent": "yes",
            "transaction_guard": True,
            "kill_session": "no",
        }
        kept = keys | {"fetch": 10, "idempotent": True, "kill_session": False}
        assert read(type="oracle", **keys) == (kept, [])

    @pytest.mark.parametrize(
        ("keys", "problem"),
        [
            ({"command": "x"}, ': the key "db" is missing'),
            ({"db": "x"}, ': the key "command" is missing (or "script")'),
            ({"db": "x", "command": "x", "script": "y"}, ': either "command" or "script": not both'),
            (
                {"db": "x", "command": "x", "binds": {"a": [1]}},
                "binds.a: must be text, a number, true, false or null, not a list",
            ),
            ({"db": "x", "command": "x", "binds": ["a"]}, "binds: must be an object, not a list"),
            ({"db": "x", "command": "x", "fetch": 0}, "fetch: must be at least 1, not 0"),
            (
                {"db": "x", "command": "x", "idempotent": "maybe"},
                'idempotent: must be yes or no, not "maybe"',
            ),
        ],
    )
    def test_what_is_said(self, keys: dict[str, Any], problem: str) -> None:
        assert read(type="oracle", **keys) == (None, [problem])

    def test_the_name_of_a_bind(self) -> None:
        _, said = read(type="oracle", db="x", command="x", binds={":a": 1})
        assert said == ['binds.:a: must be the name of a bind variable, without ":"']


class TestSpark:
    def test_the_least(self) -> None:
        assert read(type="spark", ingestor_file="x.py") == ({"ingestor-file": "x.py"}, [])

    def test_all_keys_of_the_origin(self) -> None:
        options, said = read(
            type="spark",
            master="spark://hdp:7077",
            deploy_mode="client",
            driver_memory="1g",
            driver_cores="2",
            executor_memory="4g",
            executor_cores="5",
            total_executor_cores="10",
            num_executors="3",
            ingestor_file="/opt/x.jar",
            name="n",
            verbose="yes",
            supervise="no",
            confs=[{"key": "spark.a", "value": "b c"}, {"Key": "spark.n", "Value": 5}],
            parameters=[{"parameter": "--day '31 12'"}, {"parameter": 7}, "x y"],
            env=[{"key": "A", "value": "1"}],
            **{"class": "a.B"},
        )
        assert said == []
        assert options == {
            "master": "spark://hdp:7077",
            "deploy-mode": "client",
            "driver-memory": "1g",
            "driver-cores": 2,
            "executor-memory": "4g",
            "executor-cores": 5,
            "total-executor-cores": 10,
            "num-executors": 3,
            "ingestor-file": "/opt/x.jar",
            "name": "n",
            "verbose": True,
            "supervise": False,
            "confs": [["spark.a", "b c"], ["spark.n", "5"]],
            "parameters": ["--day", "31 12", "7", "x", "y"],
            "class": "a.B",
        }

    def test_keys_beyond_the_origin(self) -> None:
        keys = {
            "packages": "a:b:1",
            "queue": "q",
            "principal": "p",
            "keytab": "k",
            "properties-file": "f",
            "spark-home": "/opt/spark",
            "submit": "/opt/spark/bin/spark-submit",
        }
        options, said = read(
            type="spark", ingestor_file="x.py", confs={"spark.a": True}, jars=["a.jar", "b.jar"], **keys
        )
        assert said == []
        assert options == keys | {
            "ingestor-file": "x.py",
            "confs": [["spark.a", "true"]],
            "jars": "a.jar,b.jar",
        }

    @pytest.mark.parametrize(
        ("keys", "problem"),
        [
            (
                {"deploy_mode": "clent"},
                'deploy-mode: must be "client" or "cluster", not "clent" (did you mean "client"?)',
            ),
            (
                {"driver_memory": "1 gig"},
                'driver-memory: must be an amount of memory such as 512m or 4g, not "1 gig"',
            ),
            ({"executor_cores": "few"}, 'executor-cores: must be a whole number, not "few"'),
            ({"confs": [{"key": "a"}]}, 'confs[0]: the key "value" is missing'),
            ({"confs": [{"key": "", "value": ""}]}, "confs[0].key: must not be empty"),
            ({"confs": {"spark.a": [1]}}, "confs.spark.a: must be text in quotes"),
            (
                {"parameters": ["a", {"parameter": "'x"}]},
                "parameters[1].parameter: cannot be split into words: no closing quotation",
            ),
            ({"parameters": [7]}, "parameters[0]: must be an object, not 7"),
            ({"parameters": "x"}, 'parameters: must be a list, not "x"'),
            ({"jars": ["a", 5]}, "jars: must be text in quotes, not a list"),
            ({"verbose": "si"}, 'verbose: must be yes or no, not "si"'),
        ],
    )
    def test_what_is_said(self, keys: dict[str, Any], problem: str) -> None:
        assert read(type="spark", ingestor_file="x.py", **keys) == (None, [problem])

    def test_an_underscore_for_a_hyphen(self) -> None:
        _, said = read(type="spark", ingestor_file="x.py", driver__memory="1g")
        assert said == ['driver--memory: unknown key (did you mean "driver-memory"?)']

    def test_the_file_is_needed(self) -> None:
        assert read(type="spark") == (None, [': the key "ingestor-file" is missing'])
