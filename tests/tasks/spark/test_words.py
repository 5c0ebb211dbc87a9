"""The values of keys, in every form in which they come."""

import pytest

from mflow.tasks.spark.words import is_yes, pairs_of, words_of


@pytest.mark.parametrize("value", ["yes", "YES", "true", True, "on", 1, " y "])
def test_yes(value: object) -> None:
    assert is_yes(value)


@pytest.mark.parametrize("value", ["no", "false", False, None, "", 0, "maybe"])
def test_not_yes(value: object) -> None:
    assert not is_yes(value)


@pytest.mark.parametrize(
    "value",
    [
        [{"key": "a", "value": "1"}, {"key": "b", "value": "x y"}],
        [["a", 1], ["b", "x y"]],
        (("a", "1"), ("b", "x y")),
        {"a": 1, "b": "x y"},
    ],
)
def test_pairs_are_not_split(value: object) -> None:
    assert pairs_of(value) == (("a", "1"), ("b", "x y"))
    assert pairs_of({"c": True}) == (("c", "true"),)
    assert pairs_of(None) == ()


def test_parameters_of_the_origin_are_split_as_a_shell_would() -> None:
    assert words_of([{"parameter": "--day 3"}, {"parameter": "'a b' c"}]) == ("--day", "3", "a b", "c")


def test_words_that_were_split_already_stay() -> None:
    assert words_of(["a b", "c"]) == ("a b", "c")
    assert words_of(None) == ()


def test_an_open_quote_is_an_error() -> None:
    with pytest.raises(ValueError, match="quotation"):
        words_of([{"parameter": "'a"}])
