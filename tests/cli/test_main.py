"""The entry point and the error boundary."""

import os
import re
import signal
import subprocess

import pytest

from mflow import __version__
from mflow.cli.main import COMMANDS
from tests.cli.project import Project, bash_tasks

HEAVY = ("sqlalchemy", "pydantic", "psutil", "oracledb", "alembic", "multiprocessing", "rich", "tenacity")


def loaded(project: Project, *words: str) -> set[str]:
    """The heavy packages that a call of mflow imports."""
    done = subprocess.run(
        [*project.command()[:1], "-X", "importtime", "-m", "mflow", *words],
        cwd=project.folder,
        env={key: value for key, value in project.environ().items() if not key.startswith("COVERAGE_")},
        capture_output=True,
        text=True,
        check=False,
    )  # who measures coverage imports much of its own
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if "import time:" in line}
    assert "typer" in modules, done.stderr
    return {module.partition(".")[0] for module in modules} & set(HEAVY)


def test_help_names_every_command_and_goes_to_stdout(project: Project) -> None:
    shown = project.mflow("--help")
    assert (shown.code, shown.err) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^  {command} +\w", shown.out, re.MULTILINE)
    assert "--version" in shown.out
    assert "completion" not in shown.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_help(project: Project, command: str) -> None:
    shown = project.mflow(command, "--help")
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.startswith(f"Usage: mflow {command} ")


def test_help_loads_nothing_heavy(project: Project) -> None:
    assert loaded(project, "--help") == set()
    assert loaded(project, "--version") == set()


def test_what_only_reads_loads_neither_driver_nor_alembic_nor_rich(project: Project) -> None:
    project.new_run(*bash_tasks(a=()))
    for command in ("status", "runs"):
        heavy = loaded(project, command, "--database", "sqlite:///mflow.db")
        assert heavy <= {"sqlalchemy", "pydantic"}, command


def test_version(project: Project) -> None:
    shown = project.mflow("--version")
    assert (shown.code, shown.out) == (0, f"mflow {__version__}\n")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--nonsense"], "mflow: error: No such option: --nonsense"),
        (["statsu"], "mflow: error: No such command 'statsu'."),
        (["status", "1", "2"], "mflow: error: Got unexpected extra argument"),
        (["cancel"], "mflow: error: Missing argument 'RUN'."),
        (["logs", "1", "a", "--attempt", "x"], "mflow: error: Invalid value for '--attempt'"),
    ],
)
def test_bad_usage_is_one_line_a_hint_and_exit_2(project: Project, words: list[str], message: str) -> None:
    shown = project.mflow(*words)
    assert (shown.code, shown.out) == (2, "")
    lines = shown.err.splitlines()
    assert lines[0].startswith(message)
    assert lines[-1].startswith("hint: mflow")
    assert "Traceback" not in shown.err
    assert list(project.folder.iterdir()) == []


def test_a_reader_that_stops_reading_is_no_error(project: Project) -> None:
    project.new_run(*bash_tasks(**{f"t{number}": () for number in range(10_000)}))
    shown = project.start("status", "--all", "--database", "sqlite:///mflow.db")
    assert shown.stdout
    assert shown.stderr
    shown.stdout.readline()
    shown.stdout.close()
    assert shown.stderr.read() == ""
    shown.stderr.close()
    assert shown.wait() == 128 + signal.SIGPIPE


def test_a_folder_that_was_removed_is_said_to_be(project: Project) -> None:
    project.folder.joinpath("gone").mkdir()
    script = f"cd gone && rmdir ../gone && {' '.join(project.command('validate'))}"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project.folder,
        env=project.environ(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("mflow: error: the current folder has been removed")


def test_streams_closed_by_the_caller_do_no_harm(project: Project) -> None:
    project.new_run(*bash_tasks(a=()))
    before = (project.folder / "mflow.db").read_bytes()[:16]
    words = " ".join(project.command("status", "--database", "sqlite:///mflow.db"))
    done = subprocess.run(
        ["bash", "-c", f"{words} <&- >&- 2>&-"], cwd=project.folder, env=project.environ(), check=False
    )
    assert done.returncode == 0
    assert (project.folder / "mflow.db").read_bytes()[:16] == before == b"SQLite format 3\0"


def test_a_defect_says_so_without_its_text_and_shows_it_when_asked(project: Project) -> None:
    broken = project.folder / "sitecustomize.py"
    broken.write_text(
        "import mflow.cli.options as options\n"
        "def run_number(text):\n    raise LookupError('secret-in-the-text')\n"
        "options.run_number = run_number\n"
    )
    project.env["PYTHONPATH"] = f"{project.folder}:{project.environ()['PYTHONPATH']}"
    shown = project.mflow("status", "1")
    assert (shown.code, shown.out) == (70, "")
    assert "a defect of mflow: LookupError at " in shown.err
    assert "secret-in-the-text" not in shown.err
    project.env["MFLOW_DEBUG"] = "1"
    assert "LookupError: secret-in-the-text" in project.mflow("status", "1").err


def test_an_interrupt_is_exit_130(project: Project) -> None:
    run = project.new_run(*bash_tasks(a=()))
    project.begin(run, 0, printed="one\n")
    following = project.start("logs", str(run), "a", "--follow", "--database", "sqlite:///mflow.db")
    assert following.stdout
    following.stdout.readline()
    os.kill(following.pid, signal.SIGINT)
    assert following.communicate() == ("", "")
    assert following.returncode == 130
