"""What is missing on this machine stops a run before anything starts, and is a warning to `validate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

TASK = {"id": "tickets", "type": "spark", "master": "local[2]", "ingestor-file": "tickets.py"}


def mflow(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if name not in ("SPARK_HOME", "JAVA_HOME")}
    environ["PATH"] = str(folder)
    return subprocess.run(
        [sys.executable, "-m", "mflow", *words],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_without_spark_starts_nothing(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [TASK]}))
    done = mflow(tmp_path, "run")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'tasks.json:1:12 task "tickets": spark-submit was not found' in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tasks.json"]


def test_the_place_is_that_in_the_file_also_if_one_task_is_run_alone(tmp_path: Path) -> None:
    tasks = [{"id": "first", "type": "bash", "command": "true"}, TASK]
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    done = mflow(tmp_path, "run", "--oneshot", "tickets")
    assert (done.returncode, done.stdout) == (2, "")
    assert 'tasks.json:1:64 task "tickets": spark-submit was not found' in done.stderr


def test_validate_warns_of_it(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [TASK]}))
    done = mflow(tmp_path, "validate")
    assert done.returncode == 0
    assert 'warning: tasks.json:1:12 task "tickets": spark-submit was not found' in done.stderr


def test_what_is_wrong_on_any_host_is_an_error_to_both(tmp_path: Path) -> None:
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [{**TASK, "master": "spar://hdp:7077"}]}))
    assert [mflow(tmp_path, word).returncode for word in ("run", "validate")] == [2, 2]
