"""Variables in the values of `env`."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.files.expand import Expanded, expand_env

KNOWN = {"HOME": "/home/me", "EMPTY": "", "A_1": "a1"}


@pytest.mark.parametrize(
    ("value", "expanded"),
    [
        ("$HOME/x", "/home/me/x"),
        ("${HOME}x", "/home/mex"),
        ("$A_1$A_1", "a1a1"),
        ("${EMPTY}|", "|"),
        ("$$HOME costs $5 and $(date) and ${HOME:-x} $", "$HOME costs $5 and $(date) and ${HOME:-x} $"),
        ("plain", "plain"),
    ],
)
def test_values(value: str, expanded: str) -> None:
    assert expand_env([("X", value)], KNOWN) == Expanded((("X", expanded),), ())


def test_each_sees_those_before_it() -> None:
    pairs = [
        ("BIN", "$HOME/bin"),
        ("PATH", "$BIN:/usr/bin"),
        ("PATH", "/first:$PATH"),
        ("HOME", "/other"),
        ("H", "$HOME"),
    ]
    assert dict(expand_env(pairs, KNOWN).env) == {
        "BIN": "/home/me/bin",
        "PATH": "/first:/home/me/bin:/usr/bin",
        "HOME": "/other",
        "H": "/other",
    }


def test_what_is_not_known_is_empty_and_told() -> None:
    assert expand_env([("A", "x$NO"), ("B", "$B")], KNOWN) == Expanded(
        (("A", "x"), ("B", "")), ((0, "NO"), (1, "B"))
    )


def test_what_was_put_in_is_not_expanded_again() -> None:
    assert expand_env([("A", "$V")], {"V": "$HOME", "HOME": "no"}).env == (("A", "$HOME"),)


@given(st.lists(st.tuples(st.text(), st.text())), st.dictionaries(st.text(), st.text()))
def test_any_text(pairs: list[tuple[str, str]], known: dict[str, str]) -> None:
    assert {key for key, _ in expand_env(pairs, known).env} == {key for key, _ in pairs}


@given(st.text())
def test_doubling_every_dollar_keeps_a_text(text: str) -> None:
    assert expand_env([("X", text.replace("$", "$$"))], {}).env == (("X", text),)
