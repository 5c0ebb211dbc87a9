"""The last lines of a run."""

import signal

from mflow.cli.hints import Commands
from mflow.cli.reporting.closing import closing_lines, lost_lines, success_line
from mflow.core.states import RunState, TaskState
from mflow.core.view import RunView
from mflow.engine.assignment import Ending, Verdict
from tests.cli.rows import failed, graph, task_rows, view


def closing(verdict: Verdict, seen: RunView) -> list[str]:
    return list(closing_lines(verdict, seen, Commands(), 65, read_tail=lambda path: ["boom"]))


def test_success_is_one_line() -> None:
    assert success_line(7, 1, 1.23) == "run 7: SUCCESS, 1 task in 1.2 s"


def test_a_failure_ends_in_what_can_be_done() -> None:
    rows = task_rows(a=failed(), b=TaskState.PENDING)
    seen = view(rows, graph(a=(), b=("a",)), state=RunState.FAILED, owner=None)
    assert closing(Verdict(Ending.FAILED), seen) == [
        "",
        "a FAILED: exit code 3",
        "  last lines of /w/logs/run-7/x.1.log:",
        "    | boom",
        "  blocked behind it: b",
        "  whole log: mflow logs 7 a",
        "",
        "run 7: FAILED after 1 m 05 s: 1 FAILED, 1 PENDING (1 blocked)",
        "next:",
        "  mflow status 7  how it stands",
        "  mflow logs 7 a  what it printed",
        "  mflow resume 7  goes on; what is SUCCESS does not run again",
    ]


def test_a_stopped_run_names_the_signal_and_how_it_goes_on() -> None:
    lines = closing(Verdict(Ending.STOPPED, signal.SIGTERM), view(task_rows(a=TaskState.PENDING)))
    assert lines[1] == "run 7: stopped by SIGTERM after 1 m 05 s: 1 PENDING"
    assert "  mflow resume 7  goes on; what is SUCCESS does not run again" in lines


def test_a_cancelled_run_says_by_whom() -> None:
    seen = view(task_rows(a=TaskState.PENDING), state=RunState.FAILED, owner=None, cancelled_by="eva@beta")
    assert (
        closing(Verdict(Ending.CANCELLED), seen)[1]
        == "run 7: FAILED, cancelled by eva@beta after 1 m 05 s: 1 PENDING"
    )


def test_without_the_database_the_message_and_the_way_on() -> None:
    verdict = Verdict(Ending.DATABASE_LOST, message="cannot be reached", hint="look at the listener")
    assert list(lost_lines(verdict, 7, Commands(("--database", "x")))) == [
        "run 7: left without its database; what was running goes on and can be adopted",
        "  cannot be reached",
        "hint: look at the listener",
        "next:",
        "  mflow resume 7 --database x  when the database is back",
    ]


def test_a_superseded_supervisor_points_at_the_other() -> None:
    assert list(lost_lines(Verdict(Ending.SUPERSEDED), 7, Commands()))[-1] == "  mflow status 7"
