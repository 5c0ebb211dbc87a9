"""What is kept of the environment of a run, and what is told of it later."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.core.environment import (
    Changes,
    KeptEnvironment,
    Use,
    changes,
    environment_from_json,
    environment_to_json,
    inherited,
    is_volatile,
    keep,
    missing,
    not_as_told,
)

UID = "0f" * 16
START = {"BDATE": "2026-11-23", "PW": "hush99", "FOO": "1", "PWD": "/here", "MFLOW_RUN_ID": "7"}


def test_what_the_files_take_is_kept_and_seen_again() -> None:
    kept = keep([Use("BDATE", "X"), Use("NONE", "Y")], START, UID)
    assert kept.files == {"BDATE": "2026-11-23", "NONE": None}
    later = kept.for_files({"FOO": "2", "NONE": "set", "BDATE": "2026-11-24"})
    assert later == {"FOO": "2", "BDATE": "2026-11-23"}


@pytest.mark.parametrize(
    ("use", "environ"),
    [
        (Use("DB_PASSWORD", "X"), {"DB_PASSWORD": "hush99"}),  # by its name
        (Use("P", "ORACLE_PASSWORD"), {"P": "hush99"}),  # by what it is for
        (Use("DSN", "X"), {"DSN": "postgres://u:hush99@h/d"}),  # by what it holds
        (Use("JAVA_OPTS", "X"), {"JAVA_OPTS": "-Xmx1g -Ddb.password=hush99"}),
        (Use("LOGIN", "X"), {"LOGIN": "scott/hush99"}),  # by a secret of other files in it
    ],
)
def test_a_secret_is_kept_by_name_alone(use: Use, environ: dict[str, str]) -> None:
    kept = keep([use], environ, UID, secrets={"hush99"})
    assert kept.secrets == {use.name}
    assert kept.files == {}
    assert kept.seen == {use.name: ""}
    assert "hush99" not in environment_to_json(kept)
    assert missing(kept, [use], {}) == [use]
    assert missing(kept, [use], {use.name: "other"}) == []


@pytest.mark.parametrize(
    ("now", "wanting"),
    [
        ({"DAY": "1", "PW": "any"}, []),
        ({"DAY": "2", "PW": "any"}, ["DAY"]),
        ({}, ["DAY", "PW"]),
    ],
)
def test_what_was_set_for_a_call_is_compared(now: dict[str, str], wanting: list[str]) -> None:
    kept = keep([], {"DAY": "1", "PW": "hush99", "X": "x"}, UID, told={"DAY", "PW"})
    assert environment_from_json(environment_to_json(kept)) == kept
    assert keep([], {}, UID, before=kept).told == {"DAY", "PW"}
    assert not_as_told(kept, {*kept.told, "UNSET_BEFORE_THE_CALL"}, now, UID) == wanting
    assert not_as_told(kept, kept.told, now, UID, own={"DAY", "PW"}) == []


def test_a_secret_that_was_not_set_may_come_later() -> None:
    kept = keep([Use("PW", "X")], {}, UID)
    assert missing(kept, [Use("PW", "X")], {}) == []
    assert kept.for_files({"PW": "now"}) == {"PW": "now"}


def test_what_a_task_cannot_do_without_may_come_from_the_start() -> None:
    use = Use("BDATE", "day", "load", required=True)
    assert missing(keep([use], START, UID), [use], {}) == []
    assert missing(keep([use], {}, UID), [use], {}) == [use]


def test_no_value_of_what_tasks_inherit_is_kept() -> None:
    kept = keep([], START, UID)
    assert set(kept.seen) == {"BDATE", "PW", "FOO"}
    assert kept.seen["PW"] == ""
    text = environment_to_json(kept)
    assert not any(value in text for value in ("2026-11-23", "hush99", "/here"))
    assert inherited(START, UID)["FOO"] != inherited(START, "00" * 16)["FOO"], (
        "the digest is keyed by the run"
    )


def test_changes_are_told_by_name() -> None:
    kept = keep([Use("NONE", "Y"), Use("BDATE", "X")], START, UID)
    now = {"FOO": "2", "PW": "another", "PWD": "/there", "NONE": "set", "NEW": "1"}
    assert changes(kept, now, UID) == Changes(("BDATE",), ("FOO",), ("NONE",))
    assert changes(kept, now, UID, {"BDATE", "FOO"}) == Changes((), (), ("NONE",))
    assert changes(kept, {}, UID).gone == ("BDATE", "FOO", "PW")


@given(st.dictionaries(st.text(min_size=1).filter(lambda name: "=" not in name), st.text()))
def test_the_same_environment_draws_no_word(environ: dict[str, str]) -> None:
    kept = keep([Use(name, name) for name in environ], environ, UID)
    assert changes(kept, environ, UID) == Changes((), (), ())
    assert kept.for_files(environ) == environ


def test_a_new_use_joins_what_was_kept_and_changes_nothing_of_it() -> None:
    first = keep([Use("BDATE", "X")], START, UID)
    later = keep([Use("BDATE", "X"), Use("FOO", "Y")], {"BDATE": "other", "FOO": "2"}, UID, before=first)
    assert later.files == {"BDATE": "2026-11-23", "FOO": "2"}
    assert later.seen == first.seen
    hidden = keep([Use("BDATE", "API_TOKEN")], {"BDATE": "other"}, UID, before=first)
    assert hidden.files == {}
    assert hidden.secrets == {"BDATE"}


@pytest.mark.parametrize(
    "name", ["PWD", "_", "SHLVL", "SSH_TTY", "TERM_PROGRAM", "XDG_SESSION_ID", "MFLOW_ATTEMPT"]
)
def test_what_changes_with_every_shell_is_left_out(name: str) -> None:
    assert is_volatile(name)
    assert changes(keep([], {name: "1"}, UID), {}, UID) == Changes((), (), ())


def test_as_text_and_back() -> None:
    kept = KeptEnvironment({"A": "\udcff ñ\n", "B": None}, frozenset({"PW"}), {"A": "00ff00ff", "PW": ""})
    text = environment_to_json(kept)
    assert text.isascii()
    assert environment_from_json(text) == kept
    assert environment_from_json(json.dumps(json.loads(text) | {"newer": 1})) == kept


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"files": 1, "secrets": [], "seen": {}}', "null"])
def test_a_damaged_text_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"kept environment|Expecting"):
        environment_from_json(text)
