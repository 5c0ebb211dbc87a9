"""mflow where a machine, or a limit, gives little: it works, or says what it lacks before anything is started."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.project import Project

TASKS = 6
ROOT = Path(__file__).parents[2]


@pytest.fixture
def limited(project: Project) -> Project:
    project.file("config.json", {"max_process_concurrency": 4, "log_directory": "logs"})
    command = f"echo begun >> {project.folder}/begun"
    tasks = [{"id": f"t{number}", "type": "bash", "command": command} for number in range(TASKS)]
    project.file("tasks.json", {"tasks": tasks})
    return project


def run_after(
    project: Project, preparation: str, folder: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """`mflow run` in a shell that has prepared its own limits."""
    return subprocess.run(
        ["bash", "-c", f"{preparation}; exec {sys.executable} -m mflow run"],
        cwd=folder or project.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def begun(project: Project) -> int:
    try:
        return len((project.folder / "begun").read_text().splitlines())
    except FileNotFoundError:
        return 0


def assert_works_or_says_why(project: Project, done: subprocess.CompletedProcess[str], hint: str) -> None:
    assert "Traceback" not in done.stderr
    if done.returncode == 0:
        assert begun(project) == TASKS
        return
    assert done.returncode == 2, done
    assert begun(project) == 0
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1].startswith("hint: ")
    assert hint in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("files", [8, 12, 20, 26, 29, 32, 40, 64])
def test_few_open_files(limited: Project, files: int) -> None:
    done = run_after(limited, f"ulimit -n {files}")
    assert_works_or_says_why(limited, done, "ulimit -n")
    assert done.returncode == (2 if files < 26 else 0 if files >= 40 else done.returncode)


@pytest.mark.parametrize("files", [9, 16])
def test_a_soft_limit_is_raised_as_far_as_needed(limited: Project, files: int) -> None:
    done = run_after(limited, f"ulimit -Sn {files}")
    assert done.returncode == 0, done
    assert "Traceback" not in done.stderr
    assert begun(limited) == TASKS


@pytest.mark.parametrize("kilobytes", [60_000, 120_000, 240_000])
def test_little_memory(limited: Project, kilobytes: int) -> None:
    done = run_after(limited, f"ulimit -v {kilobytes}")
    assert_works_or_says_why(limited, done, "ulimit -v")


def test_a_folder_whose_name_is_not_utf8(limited: Project) -> None:
    folder = os.fsencode(limited.folder) + b"/bad\xff"
    Path(os.fsdecode(folder)).mkdir()
    for name in ("config.json", "tasks.json"):
        (limited.folder / name).rename(os.fsdecode(folder) + f"/{name}")
    done = run_after(limited, "true", folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert r"bad\udcff" in done.stderr
    assert "UTF-8" in done.stderr
    assert begun(limited) == 0


def test_no_temporary_directory(limited: Project) -> None:
    """TMPDIR alone is no matter: there are others."""
    done = run_after(limited, "export TMPDIR=/nonexistent")
    assert done.returncode == 0, done
    assert begun(limited) == TASKS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can take /proc away")
def test_no_proc(limited: Project) -> None:
    script = f"umount -l /proc && exec {sys.executable} -m mflow run"
    done = subprocess.run(
        ["unshare", "-m", "bash", "-c", script],
        cwd=limited.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare:" in done.stderr or "umount:" in done.stderr:
        pytest.skip("this container lets nobody unmount")
    assert (done.returncode, done.stdout) == (2, "")
    assert "/proc is not mounted" in done.stderr
    assert begun(limited) == 0
