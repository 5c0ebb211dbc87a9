"""Words of other schedulers in a task file: who is not heard is told, before anything runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from mflow.core.errors import InvalidInput
from mflow.files.load import Loaded, Request, load
from mflow.tasks.registry import task_types

TASK = {"id": "load_x", "type": "bash", "command": "true"}


def read(folder: Path, tasks: dict[str, Any], config: dict[str, Any] | None = None) -> Loaded:
    (folder / "nightly.json").write_text(json.dumps(tasks, indent=2))
    (folder / "config.json").write_text(json.dumps(config or {}))
    return load(Request(task_types(), "nightly.json", cwd=str(folder), environ={}, program=None))


def refused(folder: Path, tasks: dict[str, Any]) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(folder, tasks)
    (problem,) = caught.value.problems
    assert not problem.warning
    return str(problem)


WORDS = (
    "hold when trigger_rule priority run_if allow_failure skip_on_exit_codes foreach pool pools inputs outputs "
    "must_end_by params exclusive cron schedule on_failure condition depends_on needs queue enabled disabled skip "
    "triggerRule Trigger-Rule HOLD not_before hold_until wait_until wait_for ready_when start_when preconditions "
    "precondition is_enabled isActive active job_priority optional always always_run order user run_as halt on_skip "
    "on_success on_error retry_on after before requires dependencies upstream downstream successors predecessors "
    "calendar timezone start_time deadline sla max_runtime kill_after weight slots resource resources semaphore mutex "
    "lock group stop_on_failure is_held"
).split()


@pytest.mark.parametrize("word", WORDS)
def test_on_a_task(tmp_path: Path, word: str) -> None:
    said = refused(tmp_path, {"tasks": [TASK | {word: True}]})
    assert said.startswith(f'nightly.json:7:7 task "load_x": {word}: unknown key')
    assert "this mflow does not know it" in said


@pytest.mark.parametrize("word", WORDS)
def test_in_defaults_and_at_the_top(tmp_path: Path, word: str) -> None:
    assert refused(tmp_path, {"defaults": {word: 1}, "tasks": [TASK]}).startswith(
        f"nightly.json:3:5: defaults.{word}: unknown key"
    )
    assert refused(tmp_path, {word: 1, "tasks": [TASK]}).startswith(f"nightly.json:2:3: {word}: unknown key")


def test_what_to_use_instead_is_said(tmp_path: Path) -> None:
    assert '"depends"' in refused(tmp_path, {"tasks": [TASK | {"needs": ["a"]}]})
    assert '"timeout_seconds"' in refused(tmp_path, {"tasks": [TASK | {"timeout_minutes": 5}]})


def test_what_only_tells_something_is_no_instruction(tmp_path: Path) -> None:
    loaded = read(tmp_path, {"tasks": [TASK | {"tags": ["a"], "labels": {}, "team": "x"}]})
    assert len(loaded.warnings) == 3


def test_on_an_entry_of_a_list(tmp_path: Path) -> None:
    task = TASK | {"env": [{"key": "A", "value": "1", "when": "monday"}]}
    assert "env[0].when: unknown key" in refused(tmp_path, {"tasks": [task]})


def test_a_word_that_a_task_type_has_is_its_key(tmp_path: Path) -> None:
    spark = {"id": "s", "type": "spark", "ingestor-file": "a.py", "queue": "night"}
    assert read(tmp_path, {"tasks": [spark]}).definition.tasks[0].options["queue"] == "night"


def test_other_words_and_comments_are_as_before(tmp_path: Path) -> None:
    loaded = read(tmp_path, {"tasks": [TASK | {"owner": "me", "x-hold": True, "_when": 1}]}, {"hold": 1})
    assert [str(one) for one in loaded.warnings] == [
        'nightly.json:7:7 task "load_x": owner: unknown key, ignored',
        "config.json:1:2: hold: unknown key, ignored",
    ]
