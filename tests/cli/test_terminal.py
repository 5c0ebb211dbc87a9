"""mflow on a real terminal: the live view, Ctrl-C, a terminal that goes."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from collections.abc import Iterator

import pytest
from rich.text import Text

from tests.cli.project import Project, bash_tasks, wait_for

WAITS = {"a": "touch started; while [ ! -e go ]; do sleep 0.05; done; echo a >> ledger"}


class Terminal:
    """A terminal whose foreground is a program."""

    def __init__(self) -> None:
        self.main, self.side = pty.openpty()
        self.resize(100)
        self.text = ""

    def resize(self, columns: int) -> None:
        """Another width of the window."""
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))

    def start(self, project: Project, *words: str, in_front: bool = True) -> "subprocess.Popen[str]":
        """Start mflow on it, as a shell would."""
        project.env |= {"TERM": "xterm-256color", "COLUMNS": "33"}  # a stale one: the terminal knows better
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), self.side)
        return project.start(
            *words,
            **streams,
            start_new_session=True,
            preexec_fn=_take_terminal if in_front else None,
        )

    def read_until(self, wanted: str) -> None:
        """Read what is written until it holds this."""
        while wanted not in self.text:
            piece = os.read(self.main, 1 << 16).decode("utf-8", "replace")
            assert piece, self.text
            self.text += piece

    def press(self, key: bytes) -> None:
        """A key is pressed."""
        os.write(self.main, key)

    def close(self) -> None:
        """The window is closed."""
        for descriptor in (self.main, self.side):
            try:
                os.close(descriptor)
            except OSError:
                continue


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_the_live_view_shows_what_runs_and_goes_at_the_end(project: Project, terminal: Terminal) -> None:
    running = terminal.start(project.tasks(**WAITS), "run")
    terminal.read_until("1 running")
    terminal.read_until("  a")
    (project.folder / "go").touch()
    terminal.read_until("run 1: SUCCESS, 1 task in ")
    assert running.wait() == 0
    assert "\x1b[J" in terminal.text
    assert terminal.text.index("run 1\r\n") < terminal.text.index("1 running")


def test_in_the_background_nothing_is_drawn(project: Project, terminal: Terminal) -> None:
    running = terminal.start(project.tasks(a="true"), "run", in_front=False)
    terminal.read_until("run 1: SUCCESS, 1 task in ")
    assert running.wait() == 0
    assert "a #1 SUCCESS" in terminal.text
    assert "\x1b" not in terminal.text


def test_control_c_stops_the_run_in_order(project: Project, terminal: Terminal) -> None:
    running = terminal.start(project.tasks(a="touch started; sleep 60"), "run")
    wait_for(running, project.folder / "started")
    terminal.press(b"\x03")
    terminal.read_until("run 1: stopped by SIGINT")
    assert running.wait() == 130


def test_a_window_that_is_closed_does_not_stop_the_run(project: Project, terminal: Terminal) -> None:
    running = terminal.start(
        project.tasks(**WAITS, b={"command": "echo b >> ledger", "depends": ["a"]}), "run"
    )
    terminal.read_until("1 running")
    terminal.close()
    (project.folder / "go").touch()
    assert running.wait() == 0
    assert (project.folder / "ledger").read_text().split() == ["a", "b"]


def test_status_is_in_colours(project: Project, terminal: Terminal) -> None:
    project.tasks(a="exit 3").mflow()
    shown = terminal.start(project, "status")
    terminal.read_until("mflow resume 1")
    assert shown.wait() == 0
    assert "\x1b[1;31mFAILED" in terminal.text


LONG = "first_" + "long" * 70 + "_last"


@pytest.mark.parametrize("columns", [40, 60, 80])
def test_ids_and_paths_are_cut_in_the_middle_and_rows_never_folded(
    project: Project, terminal: Terminal, columns: int
) -> None:
    terminal.resize(columns)
    run_id = project.new_run(*bash_tasks(**{LONG: (), "b": (LONG,)}))
    project.begin(run_id, 0)
    project.finish(run_id, None)
    for words, rows in ((("runs",), 1), (("logs", "1"), 1), (("status",), 2)):
        terminal.text = ""
        shown = terminal.start(project, *words)
        terminal.read_until("pipe: | cat" if columns > 60 else "| cat" if columns > 40 else "cat")
        assert shown.wait() == 0
        lines = [Text.from_ansi(line).plain for line in terminal.text.splitlines()]
        table = lines[next(i for i, line in enumerate(lines) if line.startswith(" ─")) + 1 :]
        assert all(line.startswith(" ") for line in table[:rows])
        assert table[rows] == ""
        assert max(map(len, lines)) <= columns
        assert "…" in table[0]
        if words != ("runs",):
            assert table[0].startswith(" first_")
            assert "ast " in table[0]
        piped = project.mflow(*words)
        assert "…" not in piped.out
        assert (LONG if words != ("runs",) else f"{project.folder}/tasks.json") in piped.out
    assert LONG in {task["id"] for task in project.mflow("status", "--json").json["tasks"]}


def test_the_live_view_cuts_an_id_in_the_middle(project: Project, terminal: Terminal) -> None:
    terminal.resize(60)
    running = terminal.start(project.tasks(**{LONG: WAITS["a"]}), "run")
    terminal.read_until("1 running")
    terminal.read_until("ng_last")
    (project.folder / "go").touch()
    terminal.read_until("run 1: SUCCESS, 1 task in ")
    assert running.wait() == 0
    assert LONG not in terminal.text
    assert "  first_long" in terminal.text
