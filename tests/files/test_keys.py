"""The rules for keys: other case, comments, near misses, what is unknown, the same key twice."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from mflow.files.keys import Keys, key_table
from mflow.files.report import Report
from mflow.files.values import Pairs


class Inner(Keys):
    attempts: int | None = None


class Outer(Keys):
    id: str
    depends: tuple[str, ...] = ()
    driver_memory: str | None = Field(None, alias="driver-memory")
    retry: Inner | None = None
    confs: Pairs = ()


def normalised(raw: dict[str, Any], *, strict: bool = False) -> tuple[dict[str, Any], list[str]]:
    report = Report("f", strict=strict)
    clean = key_table(Outer).normalised(raw, "", report)
    return clean, [
        f"{'warning' if one.warning else 'error'} {one.place}: {one.text}" for one in report.problems
    ]


def test_keys_as_they_must_be() -> None:
    raw = {"id": "a", "depends": ["b"], "driver-memory": "1g"}
    assert normalised(raw) == (raw, [])
    assert key_table(Outer).is_plain(raw)


def test_other_case_is_accepted() -> None:
    assert normalised({"Id": "a", "DEPENDS": [], "Driver-Memory": "1g", "Retry": {"Attempts": 1}}) == (
        {"id": "a", "depends": [], "driver-memory": "1g", "retry": {"attempts": 1}},
        [],
    )


@pytest.mark.parametrize("key", ["_x", "#id", "//", "x-owner", "X-y", "comment", "Description", "$schema"])
def test_comments_are_passed_over(key: str) -> None:
    assert normalised({"id": "a", key: {"anything": [1]}}) == ({"id": "a"}, [])


@pytest.mark.parametrize(
    ("key", "meant"),
    [("depend", "depends"), ("depends_on", "depends"), ("driver_memory", "driver-memory"), ("conf", "confs")],
)
def test_a_near_miss_is_an_error(key: str, meant: str) -> None:
    assert normalised({key: 1}) == ({}, [f'error {key}: unknown key (did you mean "{meant}"?)'])


def test_another_unknown_key_is_a_warning_and_an_error_if_strict() -> None:
    assert normalised({"owner": "me"}) == ({}, ["warning owner: unknown key, ignored"])
    assert normalised({"owner": "me"}, strict=True) == ({}, ["error owner: unknown key"])


def test_the_same_key_twice_in_other_case() -> None:
    assert normalised({"id": "a", "Id": "b"}) == (
        {"id": "a"},
        ['error Id: the same key twice in one object (as "id", in other case)'],
    )


def test_null_is_as_good_as_absent() -> None:
    assert normalised({"id": "a", "retry": None}) == ({"id": "a"}, [])
    assert not key_table(Outer).is_plain({"id": None})


def test_objects_inside_have_keys_too() -> None:
    assert normalised({"retry": {"atempts": 1}, "confs": [{"key": "a", "vlaue": "b"}, 7]}) == (
        {"retry": {}, "confs": [{"key": "a"}, 7]},
        [
            'error retry.atempts: unknown key (did you mean "attempts"?)',
            'error confs[0].vlaue: unknown key (did you mean "value"?)',
        ],
    )


def test_an_object_for_a_list_of_pairs_has_keys_of_the_users_own() -> None:
    raw = {"confs": {"_x": 1, "kye": 2, "Key": 3, "key": 4}}
    assert normalised(raw) == (raw, [])


@given(st.dictionaries(st.text(), st.integers()), st.booleans())
def test_whatever_the_keys(raw: dict[str, Any], strict: bool) -> None:
    clean, _ = normalised(raw, strict=strict)
    assert clean.keys() <= set(key_table(Outer).known)


@given(st.sampled_from(["depends", "driver-memory"]), st.data())
def test_every_slip_of_one_letter_in_a_long_key_is_an_error(key: str, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(key) - 1))
    letter = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwyz"))
    slip = data.draw(
        st.sampled_from([key[:position] + key[position + 1 :], key[:position] + letter + key[position:]])
    )
    _, problems = normalised({slip: "1"})
    assert problems == ([] if slip == key else [f'error {slip}: unknown key (did you mean "{key}"?)'])
