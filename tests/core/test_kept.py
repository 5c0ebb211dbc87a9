"""A definition survives being kept, whatever it holds."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.kept import definition_from_json, definition_to_json
from mflow.core.model import Backoff, Definition, RetryPolicy, Task
from mflow.core.secrets import masked_definition

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_SECONDS = st.floats(0, 1e9)
_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXT, inner, max_size=3),
    max_leaves=6,
)
_POLICIES = st.builds(
    RetryPolicy,
    attempts=st.integers(1, 99),
    wait_seconds=_SECONDS,
    backoff=st.sampled_from(Backoff),
    max_wait_seconds=st.none() | _SECONDS,
    jitter=_SECONDS,
    on_exit_codes=st.none() | st.lists(st.integers(0, 255), max_size=3).map(tuple),
    on_errors=st.none() | st.lists(_TEXT, max_size=3).map(tuple),
)
_TASKS = st.builds(
    Task,
    id=_TEXT,
    type=st.sampled_from(["bash", "oracle", "spark", "other"]),
    depends=st.lists(_TEXT, max_size=3).map(tuple),
    retry=_POLICIES,
    timeout_seconds=st.none() | _SECONDS,
    cwd=st.none() | _TEXT,
    env=st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple),
    options=st.dictionaries(_TEXT, _JSON, max_size=3),
)
_DEFINITIONS = st.builds(
    Definition,
    tasks=st.lists(_TASKS, max_size=4).map(tuple),
    taskfile=_TEXT,
    cwd=_TEXT,
    config=st.none() | _TEXT,
    datasources=st.none() | _TEXT,
    oneshot=st.none() | _TEXT,
    numbers=st.lists(st.integers(0, 99), max_size=4, unique=True).map(sorted).map(tuple),
)


@given(_DEFINITIONS)
def test_what_is_kept_comes_back(definition: Definition) -> None:
    text = definition_to_json(definition)
    assert definition_from_json(text) == masked_definition(definition)
    assert definition_to_json(definition_from_json(text)) == text
    assert text.isascii()


def test_the_text_is_short_and_readable() -> None:
    tries = RetryPolicy(attempts=4, on_exit_codes=(75,))
    definition = Definition(
        tasks=(
            Task("a", "bash", options={"command": "true"}, retry=tries),
            Task("b", "bash", depends=("a",), retry=tries),
        ),
        taskfile="/jobs/tasks.json",
        cwd="/jobs",
    )
    assert definition_to_json(definition) == (
        '{"cwd":"/jobs","policies":[{"attempts":4,"on_exit_codes":[75]}],"taskfile":"/jobs/tasks.json","tasks":['
        '{"id":"a","options":{"command":"true"},"retry":0,"type":"bash"},'
        '{"depends":["a"],"id":"b","retry":0,"type":"bash"}],"version":1}'
    )


def test_what_a_newer_mflow_adds_is_passed_over() -> None:
    kept = {
        "version": 2,
        "pools": ["night"],
        "taskfile": "/t",
        "cwd": "/",
        "policies": [{"attempts": 2, "mood": "good"}],
        "tasks": [{"id": "a", "type": "bash", "retry": 0, "priority": 7}],
    }
    assert definition_from_json(json.dumps(kept)) == Definition(
        tasks=(Task("a", "bash", retry=RetryPolicy(attempts=2)),), taskfile="/t", cwd="/"
    )


def test_ids_are_one_object_however_often_they_are_depended_upon() -> None:
    tasks = (Task("extract", "bash"), Task("load", "bash", depends=("extract",)))
    first, second = definition_from_json(definition_to_json(Definition(tasks, "/t", "/"))).tasks
    assert second.depends[0] is first.id


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "null",
        '{"tasks": 3}',
        '{"taskfile": "t", "cwd": "/", "tasks": [{"id": "a"}]}',
        "[" * 99999,
    ],
)
def test_damage_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        definition_from_json(text)


def test_no_literal_secret_is_kept() -> None:
    task = Task("a", "bash", env=(("DB_PASSWORD", "hunter2"), ("API_TOKEN", "${TOKEN}"), ("HOME", "/h")))
    (kept,) = definition_from_json(definition_to_json(Definition((task,), "/t", "/"))).tasks
    assert kept.env == (("DB_PASSWORD", "***"), ("API_TOKEN", "${TOKEN}"), ("HOME", "/h"))
