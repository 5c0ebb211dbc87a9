"""The JSON Schema that editors get agrees with what mflow accepts."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from mflow.core.model import Config
from mflow.files.report import Report
from mflow.files.schema import taskfile_schema
from mflow.files.taskfile import read_tasks
from mflow.tasks.registry import task_types

ORIGIN = Path(__file__).parent / "origin"
SCHEMA = taskfile_schema(task_types())
VALIDATOR = Draft202012Validator(SCHEMA)


def wrong(document: Any) -> list[str]:
    return [error.json_path for error in VALIDATOR.iter_errors(document)]


def accepted(document: Any) -> bool:
    report = Report("f", strict=True)
    read_tasks(document, task_types(), Config(1, "/logs"), {}, report)
    return not report.failed


def test_it_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA)) == SCHEMA


def test_the_origins_sample_is_valid() -> None:
    assert wrong(json.loads((ORIGIN / "tasks.json").read_text())) == []


def test_a_file_that_uses_everything() -> None:
    document = {
        "$schema": "tasks.schema.json",
        "// note": [1, {"any": "thing"}],
        "defaults": {
            "retries": "2",
            "retry": {"backoff": "exponential", "on_exit_codes": [1, "75"]},
            "env": {"A": 1},
        },
        "tasks": [
            {
                "id": "ñ",
                "type": "bash",
                "command": "x",
                "timeout_seconds": "2.5",
                "cwd": "/",
                "comment": 5,
                "env": [{"key": "A", "value": True}],
            },
            {
                "id": "o",
                "type": "oracle",
                "db": "x",
                "script": "y.sql",
                "binds": {"n": None},
                "idempotent": "yes",
            },
            {
                "id": "s",
                "type": "spark",
                "ingestor-file": "x.py",
                "confs": {"a": 1},
                "parameters": [{"parameter": 5}, "x y"],
                "jars": ["a", "b"],
                "driver-memory": 512,
                "verbose": True,
                "depends": ["ñ"],
            },
        ],
    }
    assert wrong(document) == []
    assert accepted(document)


BASH = {"id": "a", "type": "bash", "command": "x"}


@pytest.mark.parametrize(
    ("document", "place"),
    [
        ([], "$"),
        ({}, "$"),
        ({"tasks": {}}, "$.tasks"),
        ({"tasks": [], "task": []}, "$"),
        ({"tasks": [5]}, "$.tasks[0]"),
        ({"tasks": [{"type": "bash", "command": "x"}]}, "$.tasks[0]"),
        ({"tasks": [{"id": "a", "type": "bsh"}]}, "$.tasks[0].type"),
        ({"tasks": [{"id": "a", "type": "bash"}]}, "$.tasks[0]"),
        ({"tasks": [BASH | {"dependz": []}]}, "$.tasks[0]"),
        ({"tasks": [BASH | {"id": ""}]}, "$.tasks[0].id"),
        ({"tasks": [BASH | {"id": "a\nb"}]}, "$.tasks[0].id"),
        ({"tasks": [BASH | {"depends": "b"}]}, "$.tasks[0].depends"),
        ({"tasks": [BASH | {"timeout_seconds": 0}]}, "$.tasks[0].timeout_seconds"),
        ({"tasks": [BASH | {"retries": "many"}]}, "$.tasks[0].retries"),
        ({"tasks": [BASH | {"retry": {"attempts": 0}}]}, "$.tasks[0].retry"),
        ({"tasks": [BASH | {"env": [{"key": "A"}]}]}, "$.tasks[0].env"),
        ({"tasks": [{"id": "a", "type": "spark"}]}, "$.tasks[0]"),
        (
            {"tasks": [{"id": "a", "type": "spark", "ingestor-file": "x", "deploy-mode": "both"}]},
            "$.tasks[0]['deploy-mode']",
        ),
        ({"tasks": [], "defaults": {"command": "x"}}, "$.defaults"),
    ],
)
def test_what_is_wrong_is_marked_where_it_stands(document: Any, place: str) -> None:
    assert place in wrong(document)


@pytest.mark.parametrize("name", ["TaskKeys", "BashKeys", "OracleKeys", "SparkKeys", "RunKeys", "Retry"])
def test_every_key_is_described(name: str) -> None:
    part = SCHEMA["$defs"].get(name)
    if part is not None:
        assert [key for key, value in part["properties"].items() if "description" not in value] == []


_VALUES = st.sampled_from(
    [True, 0, 1, -1, 2.5, 1e12, "", "x", "5", "yes", " 7 ", "1e3", [], ["a"], [5], {}, {"a": "b"}]
)


@given(
    st.sampled_from(["depends", "retries", "retry", "timeout_seconds", "cwd", "env", "command", "id"]),
    _VALUES,
)
def test_schema_and_mflow_agree(key: str, value: Any) -> None:
    document = {"tasks": [BASH | {key: value}, {"id": "z", "type": "bash", "command": "x"}]}
    if (key, value) == ("depends", ["a"]):
        return  # a dependency on itself is no matter of form
    assert (wrong(document) == []) is accepted(document), (key, value)
