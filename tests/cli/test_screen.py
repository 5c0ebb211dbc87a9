"""The page of a run, on a terminal and off one."""

import io
from typing import Any

import pytest
from rich.text import Text

from mflow.cli import screen
from mflow.cli.hints import Commands
from mflow.cli.status_page import MOST_ROWS, status_page
from mflow.core.states import RunState, TaskState
from mflow.core.view import RunView
from tests.cli.rows import exited, failed, graph, later, task_rows, view


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


def text(seen: RunView, **options: Any) -> str:
    page = status_page(seen, Commands(), read_tail=lambda path: ["boom"], **options)
    return "\n".join(screen.status_text(page))


DONE = {
    "state": TaskState.SUCCESS,
    "attempts": 1,
    "tries": 1,
    "end": exited(),
    "log": "/w/logs/run-7/e.1.log",
}
UNDER_WAY = {"state": TaskState.RUNNING, "attempts": 1, "started_at": later(0), "pid": 99, "log": "/w/l"}
WAITING = {
    "state": TaskState.PENDING,
    "attempts": 1,
    "tries": 1,
    "max_attempts": 3,
    "end": exited(1),
    "not_before": later(90),
}


def test_what_a_running_task_is_known_by() -> None:
    facts = {"tag": "mflow-f-0-1", "application_id": "application_1_1", "pid": 12}
    (row,) = task_rows(a={"state": TaskState.RUNNING, "facts": facts})
    assert status_page(view([row]), Commands()).rows[0][-1] == "application_1_1, pid 12"
    (row,) = task_rows(a={"state": TaskState.RUNNING, "pid": 13})
    assert status_page(view([row]), Commands()).rows[0][-1] == "pid 13"


def test_a_failed_run() -> None:
    rows = task_rows(extract=DONE, load=failed(3), report=TaskState.PENDING)
    seen = view(
        rows,
        graph(extract=(), load=("extract",), report=("load",)),
        state=RunState.FAILED,
        owner=None,
        ended_at=later(65),
    )
    assert (
        text(seen)
        == """\
run 7: FAILED
  task file  /w/tasks.json
  started    2026-05-04 12:00:00 +0000, took 1 m 05 s
  tasks      1 FAILED, 1 SUCCESS, 1 PENDING (1 blocked)
  logs       /w/logs/run-7

TASK     STATE    TRY     STARTED   TOOK   DETAIL
extract  SUCCESS  1 of 1  12:00:00  1.5 s  exit code 0
load     FAILED   1 of 1  12:00:00  1.5 s  exit code 3
report   PENDING                           blocked by load

load FAILED: exit code 3
  last lines of /w/logs/run-7/x.1.log:
    | boom
  blocked behind it: report
  whole log: mflow logs 7 load

next:
  mflow resume 7  runs what is not SUCCESS again, and all behind it"""
    )


def test_a_run_under_way() -> None:
    assert (
        text(view(task_rows(extract=UNDER_WAY, load=WAITING)))
        == """\
run 7: RUNNING
  task file  /w/tasks.json
  started    2026-05-04 12:00:00 +0000, 1 m 00 s ago
  driven by  ana on alpha, pid 4711, since 2026-05-04 12:00:00
  tasks      1 RUNNING, 1 PENDING
  logs       /w/logs/run-7

TASK     STATE    TRY     STARTED   TOOK      DETAIL
extract  RUNNING  1 of 1  12:00:00  1 m 00 s  pid 99
load     PENDING  1 of 3  12:00:00  1.5 s     exit code 1; next try at 12:01:30

next:
  mflow logs 7 extract --follow  watches a task
  mflow cancel 7                 ends the run and its tasks"""
    )


def test_what_was_on_another_day_than_the_runs_start_has_its_date() -> None:
    rows = task_rows(
        soon={**UNDER_WAY, "started_at": later(60)}, late={**UNDER_WAY, "started_at": later(86400)}
    )
    lines = text(view(rows)).splitlines()
    assert any("soon" in line and " 12:01:00 " in line and "2026" not in line for line in lines)
    assert any("late" in line and " 2026-05-05 12:00:00 " in line for line in lines)


def test_an_interrupted_run_says_how_it_goes_on() -> None:
    shown = text(view(task_rows(a=TaskState.PENDING), alive=False))
    assert shown.startswith("run 7: INTERRUPTED\n")
    assert "driven by" not in shown
    assert "  mflow resume 7  nobody drives this run: goes on where it stopped" in shown


def test_an_owner_on_another_host_is_not_guessed_about() -> None:
    assert "whether it is alive cannot be seen from here" in text(view(task_rows(a=UNDER_WAY), alive=None))


def test_who_cancelled_is_said() -> None:
    shown = text(view([], state=RunState.FAILED, owner=None, cancelled_by="eva@beta", cancelled_at=later(9)))
    assert "  cancelled  by eva@beta at 2026-05-04 12:00:09" in shown


def test_a_run_inside_a_run_names_its_parent() -> None:
    assert "  part of    run 3, task x, attempt 2" in text(
        view([], parent_run=3, parent_task="x", parent_attempt=2)
    )


def test_of_a_large_run_only_what_matters_is_shown() -> None:
    rows = task_rows(
        **{f"t{number}": DONE for number in range(500)}, bad=failed(), now=UNDER_WAY, wait=WAITING
    )
    shown = text(view(rows))
    table = shown.partition("TASK")[2].splitlines()[1:5]
    assert [line.split()[0] for line in table[:3]] == ["now", "bad", "wait"]
    assert table[3] == "500 tasks not shown; all of them: mflow status 7 --all"
    assert len(text(view(rows), everything=True).splitlines()) > 500


def test_even_of_what_matters_no_more_than_a_screenful() -> None:
    rows = task_rows(**{f"t{number}": failed() for number in range(MOST_ROWS + 50)})
    assert "50 tasks not shown" in text(view(rows))


def test_names_cannot_steer_the_terminal() -> None:
    assert "\x1b" not in text(view(task_rows(**{"a\x1b[2J": failed()}), taskfile="/w/\x1b[31m.json"))


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, seen: RunView, width: int) -> str:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.delenv("NO_COLOR", raising=False)
    screen.show_status(status_page(seen, Commands(), read_tail=lambda path: ["boom"]))
    assert max(Text.from_ansi(line).cell_len for line in terminal.getvalue().splitlines()) <= width
    return terminal.getvalue()


def test_on_a_terminal_the_same_is_said_in_colours(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = task_rows(**{"ex[bold]tract": failed(3), "load": UNDER_WAY})
    shown = on_a_terminal(monkeypatch, view(rows), 100)
    assert "\x1b[1;31mFAILED" in shown
    assert "ex[bold]tract" in shown
    assert "| boom" in shown


def test_a_narrow_terminal_breaks_no_id(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("report_monthly_totals", "extract_all_accounts")
    states: dict[str, Any] = {names[0]: TaskState.PENDING, names[1]: failed(3)}
    rows = task_rows(**states)
    seen = view(rows, graph(**{names[1]: (), names[0]: (names[1],)}), state=RunState.FAILED, owner=None)
    lines = on_a_terminal(monkeypatch, seen, 80).splitlines()
    assert all(any(Text.from_ansi(line).plain.startswith(f" {name} ") for line in lines) for name in names)
    assert any("blocked by" in line for line in lines)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
@pytest.mark.parametrize(
    "name", ["first_" + "long" * 73 + "_last", "\u6f22" * 150, "extract_all_accounts_of_the_day"]
)
def test_each_task_is_one_line_whatever_the_width(
    monkeypatch: pytest.MonkeyPatch, width: int, name: str
) -> None:
    states: dict[str, Any] = {name: failed(3), "b": TaskState.PENDING, f"{name}2": UNDER_WAY}
    rows = task_rows(**states)
    seen = view(rows, graph(**{name: (), "b": (name,), f"{name}2": ()}), taskfile=f"/w/{name}/tasks.json")
    lines = [Text.from_ansi(line).plain for line in on_a_terminal(monkeypatch, seen, width).splitlines()]
    table = lines[next(i for i, line in enumerate(lines) if line.startswith(" TASK")) + 2 :]
    assert [line.split()[0][:3] for line in table[:3]] == [name[:3], "b", name[:3]]
    assert [line.split()[1] for line in table[:3]] == ["FAILED", "PENDING", "RUNNING"]
    cut = name not in table[0]
    assert ("…" in table[0].split()[0]) == cut
    if cut and name.startswith("first_"):
        assert table[0].split()[0].startswith("first_")
        assert table[0].split()[0].endswith("ast")
    said = sum("whole with --json" in line for line in lines)
    assert said == 1 if cut else said <= 1
