"""How things are said to a person."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.cli import wording
from mflow.core.model import AttemptEnd, TaskRow
from mflow.core.states import Outcome, TaskState


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("año 日本", "año 日本"),
        ("a\x1b[31mb", "a\\x1b[31mb"),
        ("two\nlines", "two\\nlines"),
        ("\u202egnp", "\\u202egnp"),
        ("\udc80", "\\udc80"),
        ("\x9b31m", "\\x9b31m"),
    ],
)
def test_what_cannot_be_seen_is_written_out(text: str, shown: str) -> None:
    assert wording.clean(text) == shown


@given(st.text())
def test_a_cleaned_text_is_printable_and_stays_so(text: str) -> None:
    assert wording.clean(text).isprintable()
    assert wording.clean(wording.clean(text)) == wording.clean(text)


@given(st.text(), st.integers(10, 100))
def test_one_line_is_one_line_of_a_width(text: str, width: int) -> None:
    shown = wording.one_line(text, width)
    assert len(shown) <= width
    assert shown.isprintable()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.99, "10.0 s"),
        (59.9, "59 s"),
        (62, "1 m 02 s"),
        (3600, "1 h 00 m"),
        (90000, "1 d 01 h"),
    ],
)
def test_durations_show_the_two_figures_that_matter(seconds: float, shown: str) -> None:
    assert wording.duration(seconds) == shown


@pytest.mark.parametrize(
    ("end", "shown"),
    [
        (AttemptEnd(Outcome.EXITED, 3), "exit code 3"),
        (AttemptEnd(Outcome.SIGNALLED, signal="SIGKILL"), "killed by SIGKILL"),
        (AttemptEnd(Outcome.SIGNALLED), "killed by a signal"),
        (AttemptEnd(Outcome.ERROR, error="ORA-01403", message="no data\nfound"), "ORA-01403: no data found"),
        (AttemptEnd(Outcome.ERROR, error="ORA-01403", message="ORA-01403: no data"), "ORA-01403: no data"),
        (AttemptEnd(Outcome.TIMED_OUT), "timed out"),
        (AttemptEnd(Outcome.TIMED_OUT, message="timed out after 5 s"), "timed out after 5 s"),
        (AttemptEnd(Outcome.NOT_STARTED, message="no folder /x"), "not started: no folder /x"),
    ],
)
def test_an_end_in_a_few_words(end: AttemptEnd, shown: str) -> None:
    assert wording.ending_with_message(end) == shown


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_has_words(outcome: Outcome) -> None:
    assert wording.ending(AttemptEnd(outcome))


def test_counts_say_only_what_there_is() -> None:
    numbers = {TaskState.PENDING: 2, TaskState.RUNNING: 0, TaskState.SUCCESS: 10000, TaskState.FAILED: 1}
    assert wording.counts(numbers, blocked=1) == "1 FAILED, 10,000 SUCCESS, 2 PENDING (1 blocked)"
    assert wording.counts({}) == "no tasks"


def test_names_are_cut_and_clean() -> None:
    assert wording.names(["a", "b\n"]) == "a, b\\n"
    assert wording.names([str(number) for number in range(8)], limit=2) == "0, 1 and 6 more"


def test_tries_count_the_one_under_way() -> None:
    assert wording.tries(TaskRow(0, "a", "bash", TaskState.RUNNING, 2, 1, 4)) == "2 of 4"
    assert wording.tries(TaskRow(0, "a", "bash", TaskState.PENDING)) == ""


def test_moments_are_on_this_machines_clock() -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    assert wording.moment(at) == at.astimezone().strftime("%F %T")


def test_columns_line_up_without_blanks_at_the_end() -> None:
    assert wording.columns([("A", "B"), ("long", ""), ("x", "y")]) == ["A     B", "long", "x     y"]
    assert wording.columns([]) == []
