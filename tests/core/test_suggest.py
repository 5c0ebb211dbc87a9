"""Near misses are recognised, and what is no near miss is left alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.suggest import closest, did_you_mean

_KEYS = [
    "id",
    "type",
    "depends",
    "command",
    "db",
    "retries",
    "retry",
    "timeout_seconds",
    "driver-memory",
    "env",
]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("depend", "depends"),
        ("depends_on", "depends"),
        ("dependencies", "depends"),
        ("Comand", "command"),
        ("driver_memory", "driver-memory"),
        ("driverMemory", "driver-memory"),
        ("timeout", "timeout_seconds"),
        ("timeout_secs", "timeout_seconds"),
        ("tpye", "type"),
        ("retrys", "retry"),
    ],
)
def test_a_near_miss(word: str, meant: str) -> None:
    assert closest(word, _KEYS) == meant


@pytest.mark.parametrize("word", ["owner", "pool", "priority", "", "x", "notes", "team"])
def test_something_else(word: str) -> None:
    assert closest(word, _KEYS) is None


def test_another_number_is_not_a_near_miss() -> None:
    assert closest("tarea5", ["tarea4", "tarea6", "tarea51"]) is None
    assert closest("taera5", ["tarea4", "tarea5"]) == "tarea5"


def test_among_very_many_words() -> None:
    known = [f"load-{number}" for number in range(50_000)]
    assert closest("laod-4711", known) == "load-4711"


def test_the_words_for_a_person() -> None:
    assert did_you_mean("extarct", ["extract", "load"]) == ' (did you mean "extract"?)'
    assert did_you_mean("zzz", ["extract", "load"]) == ""


@given(st.text(), st.lists(st.text()))
def test_only_known_words_are_suggested(word: str, known: list[str]) -> None:
    assert closest(word, known) in {None, *known}
