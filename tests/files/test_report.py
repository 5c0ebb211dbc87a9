"""Places, values and texts in messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.files.report import Report, below, harmless, printable, shown


def test_places() -> None:
    assert below(below(below("", "tasks"), 3), "depends") == "tasks[3].depends"
    assert below("", "a\n") == "a\\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("x", '"x"'),
        ("x" * 99, f'"{"x" * 57}..."'),
        ([1], "a list"),
        ((1,), "a list"),
        ({}, "an object"),
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (0.5, "0.5"),
        ("\x1b[2J", '"\\x1b[2J"'),
    ],
)
def test_values(value: object, text: str) -> None:
    assert shown(value) == text


@given(st.text(st.characters()))
def test_nothing_disturbs_a_terminal(text: str) -> None:
    assert harmless(text).isprintable()
    assert printable(text).isprintable()


def test_only_errors_fail() -> None:
    report = Report("f")
    report.warning("a", "x")
    report.unknown_key("a", "zzz", ["tasks"])
    before = report.failed
    report.unknown_key("a", "taks", ["tasks"])
    assert (before, report.failed) == (False, True)
    assert [str(one) for one in report.problems] == [
        "f: a: x",
        "f: a.zzz: unknown key, ignored",
        'f: a.taks: unknown key (did you mean "tasks"?)',
    ]
