"""What a user gets: the wheel, in an environment of its own, far from the checkout."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.timeout(300)  # the first time, dependencies are downloaded


def run(*command: str | Path, cwd: Path, ok: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command that must not see the checkout, nor this environment."""
    hidden = ("PYTHON", "VIRTUAL_ENV", "COVERAGE", "COV_", "MFLOW_", "TOX_")
    env = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    done = subprocess.run(command, cwd=cwd, env=env, text=True, capture_output=True, timeout=240, check=False)
    if ok:
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution: so that this one is whole too."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, CHECKOUT, cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs of a fresh environment with nothing but the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("fresh")
    run(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    programs = folder / "venv" / "bin"
    run(programs / "python", "-m", "pip", "install", wheel, cwd=folder)
    return programs


def test_wheel_holds_the_package_and_the_database_scripts_alone(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert tops == {"mflow", next(top for top in tops if top.endswith(".dist-info"))}
    assert "mflow/py.typed" in names
    shipped = {name.removeprefix("mflow/_db/") for name in names if name.startswith("mflow/_db/")}
    there = {
        str(path.relative_to(CHECKOUT / "db"))
        for path in (CHECKOUT / "db").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {"sqlite.sql", "oracle.sql"} <= there
    assert shipped == there


def test_installed_package_is_the_one_of_the_wheel(bin_folder: Path, tmp_path: Path) -> None:
    shown = run(bin_folder / "python", "-c", "import mflow; print(mflow.__file__)", cwd=tmp_path)
    assert Path(shown.stdout.strip()).is_relative_to(bin_folder.parent)


@pytest.mark.parametrize("command", [["mflow"], ["python", "-m", "mflow"]])
def test_help(bin_folder: Path, tmp_path: Path, command: list[str]) -> None:
    shown = run(bin_folder / command[0], *command[1:], "--help", cwd=tmp_path)
    assert "resume" in shown.stdout
    assert shown.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_run_and_status(bin_folder: Path, tmp_path: Path) -> None:
    tasks = [
        {"id": "first", "type": "bash", "command": "echo made > made.txt"},
        {"id": "second", "type": "bash", "command": "grep made made.txt", "depends": ["first"]},
    ]
    (tmp_path / "two.json").write_text(json.dumps({"tasks": tasks}))

    ran = run(bin_folder / "mflow", "run", "--taskfile", "two.json", cwd=tmp_path)
    first_line = ran.stdout.splitlines()[0]
    assert re.fullmatch(r"run [1-9]\d*", first_line)

    shown = json.loads(run(bin_folder / "mflow", "status", "--json", cwd=tmp_path).stdout)
    assert shown["run"]["id"] == int(first_line.removeprefix("run "))
    assert shown["run"]["state"] == "SUCCESS"
    assert shown["counts"] == {"PENDING": 0, "RUNNING": 0, "SUCCESS": 2, "FAILED": 0}
    assert [task["id"] for task in shown["tasks"]] == ["first", "second"]
    for task in shown["tasks"]:
        assert (task["state"], task["outcome"], task["exit_code"]) == ("SUCCESS", "EXITED", 0)


def test_database_commands_find_their_scripts(bin_folder: Path, tmp_path: Path) -> None:
    for dialect in ("sqlite", "oracle"):
        shown = run(bin_folder / "mflow", "db", "sql", "--dialect", dialect, cwd=tmp_path)
        assert "mflow_run" in shown.stdout.lower()
    url = "sqlite:///upgraded.db"
    run(bin_folder / "mflow", "db", "upgrade", "--database", url, cwd=tmp_path)
    run(bin_folder / "mflow", "db", "check", "--database", url, cwd=tmp_path)


def test_bad_input_gets_a_message_and_exit_code_2(bin_folder: Path, tmp_path: Path) -> None:
    refused = run(bin_folder / "mflow", "run", "--taskfile", "none.json", cwd=tmp_path, ok=False)
    assert refused.returncode == 2
    assert "none.json" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert list(tmp_path.iterdir()) == []
