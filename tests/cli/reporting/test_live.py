"""The live view, on a terminal made for the test."""

import fcntl
import os
import pty
import struct
import termios
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from rich.console import Console

from mflow.cli.reporting import live
from mflow.cli.reporting.live import Frame, LiveReporter, Snapshot, view_lines
from mflow.cli.reporting.outlet import Outlet
from mflow.core.states import TaskState
from mflow.engine.assignment import Ending, Verdict
from tests.cli.rows import NOON, definition, exited, later, run_row, task_rows

NO_COLOURS = Console(force_terminal=True, no_color=True, width=20)


def snapshot(running: int = 2, retries: int = 0) -> Snapshot:
    return Snapshot(
        7,
        100,
        40,
        1,
        12.0,
        [(f"task{number}", 1 + number % 2, 100.0 - number) for number in range(running)],
        [(f"again{number}", NOON) for number in range(retries)],
    )


def lines(seen: Snapshot, most_rows: int = 20, width: int = 60) -> list[str]:
    return [line.plain for line in view_lines(seen, NO_COLOURS, most_rows=most_rows, width=width)]


def test_counts_then_what_runs_the_longest_first() -> None:
    assert lines(snapshot()) == [
        "run 7  40/100  2 running  1 failed  57 pending  12 s",
        "   1 m 40 s  task0",
        "   1 m 39 s  task1 #2",
    ]


def test_retries_are_shown_with_their_time() -> None:
    shown = lines(snapshot(0, retries=1))[-1]
    assert shown.startswith("  next try ")
    assert shown.endswith("  again0")


def test_the_view_never_takes_more_rows_than_there_are() -> None:
    shown = lines(snapshot(500, retries=10), most_rows=10)
    assert len(shown) == 10
    assert "  and 495 more running" in shown


def test_a_bar_where_there_is_room() -> None:
    assert "━━━━" in lines(snapshot(), width=100)[0]
    assert "━━━━" not in lines(snapshot(), width=60)[0]


class Terminal:
    """A terminal of a given size, and what was written to it."""

    def __init__(self) -> None:
        self.main, self.descriptor = pty.openpty()
        self.resize(80)

    def resize(self, columns: int) -> None:
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))

    def written(self) -> str:
        """What was written since last asked. (Terminals deliver late: a mark tells when all has come.)"""
        os.write(self.descriptor, b"\x00")
        got = b""
        while not got.endswith(b"\x00"):
            got += os.read(self.main, 1 << 16)
        return got[:-1].decode().replace("\r\n", "\n")

    def close(self) -> None:
        os.close(self.main)
        os.close(self.descriptor)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_a_frame_is_drawn_over_the_last_one(terminal: Terminal) -> None:
    frame = Frame(Outlet(terminal.descriptor))
    frame.draw(snapshot())
    assert terminal.written().count("\n") == 2
    frame.draw(snapshot())
    assert terminal.written().startswith("\r\x1b[2A\x1b[J")
    frame.erase()
    assert terminal.written() == "\r\x1b[2A\x1b[J"
    frame.erase()
    assert terminal.written() == ""


def test_a_terminal_made_narrower_is_wiped_of_the_lines_it_broke(terminal: Terminal) -> None:
    frame = Frame(Outlet(terminal.descriptor))
    frame.draw(snapshot())
    terminal.written()
    terminal.resize(40)  # the line of counts now takes two rows
    frame.erase()
    assert terminal.written() == "\r\x1b[3A\x1b[J"


def test_lines_are_never_wider_than_the_terminal(terminal: Terminal) -> None:
    terminal.resize(20)
    frame = Frame(Outlet(terminal.descriptor))
    frame.draw(Snapshot(7, 1, 0, 0, 1.0, [("日本" * 40, 1, 1.0)], []))
    assert max(frame._widths) < 20


@pytest.fixture
def in_front(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    answer = {"yes": True}
    monkeypatch.setattr(live, "in_foreground", lambda descriptor: answer["yes"])
    return answer


def reporter(terminal: Terminal, tasks: int) -> LiveReporter:
    made = LiveReporter(Outlet(terminal.descriptor), Outlet(terminal.descriptor))
    made.began(
        run_row(), definition(), task_rows(**{f"t{number}": TaskState.PENDING for number in range(tasks)})
    )
    return made


def test_in_a_large_run_only_what_went_wrong_leaves_a_line(
    terminal: Terminal, in_front: dict[str, bool]
) -> None:
    shown = reporter(terminal, 500)
    shown.attempt_began(0, 1, datetime.now(UTC))
    shown.attempt_ended(0, 1, TaskState.SUCCESS, exited(), None, "/w/l")
    assert terminal.written() == ""
    shown.attempt_ended(1, 1, TaskState.FAILED, exited(3), None, "/w/l")
    assert "t1 #1 FAILED: exit code 3" in terminal.written()


def test_in_the_background_nothing_is_drawn_and_lines_are_printed(
    terminal: Terminal, in_front: dict[str, bool]
) -> None:
    shown = reporter(terminal, 500)
    shown.refresh()
    assert "0/500" in terminal.written()
    in_front["yes"] = False
    shown.refresh()
    assert terminal.written() == "\r\x1b[J"
    shown.refresh()
    assert terminal.written() == ""
    shown.attempt_began(0, 1, NOON)
    assert "t0 #1 started" in terminal.written()


def test_lines_stay_above_the_view_and_the_end_takes_it_away(
    terminal: Terminal, in_front: dict[str, bool]
) -> None:
    shown = reporter(terminal, 3)
    shown.refresh()
    terminal.written()
    shown.attempt_began(0, 1, NOON)
    above, below = terminal.written().split("t0 #1 started\n")
    assert above.startswith("\r\x1b[J")
    assert "1 running" in below
    shown.attempt_ended(0, 1, TaskState.PENDING, exited(1), later(30), "/w/l")
    shown.refresh()
    assert "next try" in terminal.written()
    shown.note("a worker died")
    assert "next try" in terminal.written().split("a worker died\n")[1]
    shown.finished(Verdict(Ending.SUCCESS))
    assert terminal.written() == "\r\x1b[1A\x1b[J"


def test_no_terminal_is_not_the_foreground() -> None:
    reading, writing = os.pipe()
    assert not live.in_foreground(writing)
    os.close(reading)
    os.close(writing)
