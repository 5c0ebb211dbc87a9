"""The page about Spark tasks: its task files are complete, and mean what they say."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from mflow.tasks.spark.application import read_application
from mflow.tasks.spark.preflight import refusals

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "tasks" / "spark.md").read_text("utf-8")
FILES = [json.loads(block) for block in re.findall(r"```json\n(\{.*?\})\n```", PAGE, re.DOTALL)]


def options_of(entry: dict[str, Any]) -> dict[str, Any]:
    """The type's own keys of a task, as a runner gets them."""
    from mflow.tasks.spark_keys import SparkKeys

    return SparkKeys.model_validate(entry).options()


@pytest.mark.parametrize("file", [*FILES, json.loads((ROOT / "examples" / "spark.json").read_text("utf-8"))])
def test_every_file_describes_an_application_that_spark_takes(file: dict[str, Any]) -> None:
    for entry in file["tasks"]:
        if entry["type"] == "spark":
            assert refusals(read_application(options_of(entry), {}, str(ROOT))) == []


def test_every_way_to_run_has_a_file() -> None:
    applications = [read_application(options_of(file["tasks"][0]), {}, str(ROOT)) for file in FILES]
    ways = {(application.manager.value, application.deploy_mode) for application in applications}
    assert ways == {
        ("local", "client"),
        ("standalone", "client"),
        ("yarn", "client"),
        ("standalone", "cluster"),
        ("yarn", "cluster"),
    }
