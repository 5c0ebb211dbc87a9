"""Plain lines, one an event."""

import os
import time
from pathlib import Path
from typing import Any

import pytest

from mflow.cli.reporting.lines import LineReporter, ended_line, waiting_line
from mflow.cli.reporting.outlet import Outlet
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome, TaskState
from mflow.engine.assignment import Ending, Verdict
from tests.cli.rows import NOON, definition, exited, later, run_row, task_rows


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.mark.parametrize(
    ("to", "end", "more", "line"),
    [
        (TaskState.SUCCESS, exited(), {}, "SUCCESS, 1.5 s"),
        (TaskState.SUCCESS, exited(leftovers=(12, 13)), {}, "SUCCESS, 1.5 s; left running: 12, 13"),
        (TaskState.FAILED, exited(3, message="a\nb"), {}, "FAILED: exit code 3: a b, 1.5 s"),
        (
            TaskState.FAILED,
            AttemptEnd(Outcome.CANCELLED, survivors=(9,)),
            {},
            "FAILED: cancelled; could not be ended: 9",
        ),
        (
            TaskState.FAILED,
            AttemptEnd(Outcome.UNKNOWN, survivors=(9,)),
            {},
            "FAILED: unknown: whether it is over cannot be proven; may be left of it: 9",
        ),
        (
            TaskState.PENDING,
            exited(1),
            {"not_before": later(30)},
            "ended: exit code 1, 1.5 s; next try at 2026-05-04 12:00:30",
        ),
        (TaskState.PENDING, AttemptEnd(Outcome.CANCELLED), {}, "ended: cancelled; to be run again"),
    ],
)
def test_how_an_attempt_ended_and_what_follows(
    to: TaskState, end: AttemptEnd, more: dict[str, Any], line: str
) -> None:
    assert ended_line(to, end, more.get("not_before")) == line


def test_who_only_waits_is_said_at_the_beginning() -> None:
    rows = task_rows(
        a={"state": TaskState.PENDING, "not_before": later(90)},
        b={"state": TaskState.PENDING, "not_before": later(60)},
        past={"state": TaskState.PENDING, "not_before": later(-5)},
        done={"state": TaskState.SUCCESS, "not_before": later(30)},
    )
    expected = "b waits for its next try at 2026-05-04 12:01:00; 1 more task later"
    assert waiting_line(rows, NOON) == expected
    assert waiting_line(rows[1:], NOON) == "b waits for its next try at 2026-05-04 12:01:00"
    assert waiting_line(rows[2:], NOON) == ""


def test_task_lines_go_to_stdout_and_notes_to_stderr(tmp_path: Path) -> None:
    out, err = (os.open(tmp_path / name, os.O_CREAT | os.O_WRONLY) for name in ("out", "err"))
    reporter = LineReporter(Outlet(out), Outlet(err))
    reporter.began(run_row(), definition(), task_rows(**{"ex\x1btract": TaskState.PENDING}))
    reporter.attempt_began(0, 1, NOON)
    reporter.note("the database\x07 is away")
    reporter.attempt_ended(0, 1, TaskState.SUCCESS, exited(seconds=2), None, "/w/log")
    reporter.finished(Verdict(Ending.SUCCESS))
    assert (tmp_path / "out").read_text().splitlines() == [
        "2026-05-04 12:00:00 ex\\x1btract #1 started",
        "2026-05-04 12:00:02 ex\\x1btract #1 SUCCESS, 2.0 s",
    ]
    assert (tmp_path / "err").read_text().endswith(" mflow: the database\\x07 is away\n")
    os.close(out)
    os.close(err)
