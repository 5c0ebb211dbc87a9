"""Line, column and task of what is wrong in a file."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.errors import Problem
from mflow.files.positions import broken_entry, located
from mflow.files.report import below

NIGHTLY = """\
{
  "defaults": {"retries": "x"},
  "Tasks": [
    {"id": "a", "type": "bash",
     "command": "true"},
    { "command": "true", "env": [{"key": "K", "value": "1"},
                                 {"key": "L"}], "DEPENDS": ["a",
       "b"],
      "Id": "load\\u0020x"
    }, 7
  ],
  "spark.conf": {"a.b[0]": 1, "twice": 1, "twice": 2}
}
"""


def where(place: str, text: str = NIGHTLY, *, of_key: bool = False) -> str:
    (found,) = located([Problem("f", place, "x", of_key=of_key)], text)
    return str(found)


@pytest.mark.parametrize(
    ("place", "of_key", "said"),
    [
        ("defaults.retries", False, "f:2:27: defaults.retries: x"),
        ("defaults.retries", True, "f:2:16: defaults.retries: x"),
        ("tasks[0].command", False, 'f:5:17 task "a": command: x'),
        ("tasks[1]", False, 'f:6:5 task "load x": x'),
        ("tasks[1].env[1]", False, 'f:7:34 task "load x": env[1]: x'),
        ("tasks[1].env[1].value", False, 'f:7:34 task "load x": env[1].value: x'),
        ("tasks[1].depends[1]", False, 'f:8:8 task "load x": depends[1]: x'),
        ("tasks[1].cwd", True, 'f:6:5 task "load x": cwd: x'),
        ("tasks[2]", False, "f:10:8: tasks[2]: x"),
        ("spark.conf.a.b[0]", True, "f:12:18: spark.conf.a.b[0]: x"),
        ("spark.conf.twice", True, "f:12:43: spark.conf.twice: x"),
        ("elsewhere.deep", False, "f: elsewhere.deep: x"),
        ("", False, "f: x"),
    ],
)
def test_places(place: str, of_key: bool, said: str) -> None:
    assert where(place, of_key=of_key) == said


def test_problems_are_told_in_the_order_of_the_file() -> None:
    problems = [Problem("f", place, "x") for place in ("tasks[1].env", "tasks[0].id", "", "defaults")]
    assert [one.line for one in located(problems, NIGHTLY)] == [0, 2, 4, 6]


def test_connections_have_names_too() -> None:
    text = '{"connections": [\n{"name": "dwh", "user": 7}]}'
    assert where("connections[0].user", text) == 'f:2:25 connection "dwh": user: x'


@pytest.mark.parametrize("length", range(0, len(NIGHTLY), 7))
def test_a_text_that_is_no_json_any_more_has_no_positions_or_right_ones(length: int) -> None:
    assert where("tasks[1].env[1]", NIGHTLY[:length]) in {
        "f: tasks[1].env[1]: x",
        "f:3:12: tasks[1].env[1]: x",
        "f:6:5: tasks[1].env[1]: x",
        "f:6:33: tasks[1].env[1]: x",
        "f:6:34: tasks[1].env[1]: x",
        "f:7:34: tasks[1].env[1]: x",
        'f:7:34 task "load x": env[1]: x',
    }


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ('{"tasks": [{"id": "a"}, {"id": "b", "command": }]}', 'task "b"'),
        ('{"tasks": [{"id": "a"}, {"id": "b", "env": [{"key": "x" "value": "y"}]}]}', 'task "b"'),
        ('{"tasks": [{"id": "a"}, {"command": , "id": "b"}]}', ""),
        ('{"tasks": [{"id": "a"}], "defaults": }', ""),
        ('{"connections": [{"name": "dwh" "user": "x"}]}', 'connection "dwh"'),
        ("{", ""),
        ("", ""),
        ('{"tasks": [{"id": "a"}]}', ""),
    ],
)
def test_what_a_text_is_broken_in(text: str, entry: str) -> None:
    assert broken_entry(text) == entry


_JSON = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("ab\n", max_size=3), inner, max_size=3)
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.text("ab", min_size=1, max_size=2), _JSON, min_size=1, max_size=3), st.data())
def test_every_place_of_any_document_is_found_where_it_is(document: Any, data: st.DataObject) -> None:
    text = json.dumps(document, indent=data.draw(st.sampled_from([None, 1])))
    place, value = "", document
    while value and isinstance(value, dict | list):
        step = data.draw(st.sampled_from(sorted(value) if isinstance(value, dict) else range(len(value))))
        place, value = below(place, step), value[step]
    (found,) = located([Problem("f", place, "x")], text)
    start = sum(len(line) for line in text.splitlines(keepends=True)[: found.line - 1]) + found.column - 1
    assert json.JSONDecoder().raw_decode(text, start)[0] == value


def test_the_last_of_many_tasks() -> None:
    entries = [{"id": f"t{number}", "type": "bash", "command": "true"} for number in range(2000)]
    text = json.dumps({"tasks": entries}, indent=1)
    assert where("tasks[1999].command", text) == f'f:{text.count(chr(10)) - 2}:15 task "t1999": command: x'
