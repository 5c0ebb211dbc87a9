"""What is missing on this machine stops a run before anything starts, and is a warning to `validate`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

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


def submit(folder: Path, text: str = "exit 0") -> Path:
    """A spark-submit and a java."""
    for name in ("spark-submit", "java", "bash", "sh"):
        file = folder / name
        if name in ("bash", "sh"):
            file.symlink_to("/bin/bash")
        else:
            file.write_text(f"#!/bin/bash\n{text}\n")
            file.chmod(0o755)
    return folder


def test_a_file_that_an_earlier_task_makes_does_not_stop_the_run(tmp_path: Path) -> None:
    first = {"id": "first", "type": "bash", "command": ": > tickets.py"}
    tasks = [first, {**TASK, "depends": ["first"]}]
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    submit(tmp_path)
    for words in (("validate",), ("validate", "--as-run")):
        checked = mflow(tmp_path, *words)
        assert checked.returncode == 0, checked.stderr
        assert "tickets.py; a task before it may make that: looked at again when it starts" in checked.stderr
    done = mflow(tmp_path, "run")
    assert done.returncode == 0, done.stderr
    assert "no such file" not in done.stderr


def test_a_file_that_no_earlier_task_has_made_fails_the_task_with_its_name(tmp_path: Path) -> None:
    tasks = [{"id": "first", "type": "bash", "command": "true"}, {**TASK, "depends": ["first"]}]
    (tmp_path / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    done = mflow(submit(tmp_path), "run")
    assert done.returncode == 1, done.stderr
    assert f"cannot start: ingestor-file: no such file: {tmp_path}/tickets.py" in done.stdout
    assert "first #1 SUCCESS" in done.stdout


class TestAsRun:
    """`validate --as-run` says what `run` would say."""

    def agree(self, folder: Path, *words: str) -> tuple[int, str]:
        before = sorted(path for path in folder.rglob("*"))
        checked = mflow(folder, "validate", "--as-run", *words)
        assert sorted(path for path in folder.rglob("*")) == before
        done = mflow(folder, "run", *words)
        assert checked.returncode == done.returncode
        errors = [line for line in done.stderr.splitlines() if line.startswith("mflow: error:")]
        assert errors == [line for line in checked.stderr.splitlines() if line.startswith("mflow: error:")]
        return done.returncode, "\n".join(errors)

    def test_of_a_program_that_is_missing(self, tmp_path: Path) -> None:
        (tmp_path / "tasks.json").write_text(json.dumps({"tasks": [TASK]}))
        code, errors = self.agree(tmp_path)
        assert code == 2
        assert "spark-submit was not found" in errors
        assert mflow(tmp_path, "validate").returncode == 0

    def test_of_a_log_directory_that_cannot_be_made(self, tmp_path: Path) -> None:
        self.plain(tmp_path, log_directory="file/logs")
        (tmp_path / "file").touch()
        assert self.agree(tmp_path) == (
            2,
            f"mflow: error: the log directory {tmp_path}/file/logs cannot be made: Not a directory",
        )
        checked = mflow(tmp_path, "validate")
        assert (checked.returncode, "not looked at: the state database and the log" in checked.stderr) == (
            0,
            True,
        )

    def test_of_a_log_directory_that_is_a_file(self, tmp_path: Path) -> None:
        self.plain(tmp_path, log_directory="file")
        (tmp_path / "file").touch()
        assert self.agree(tmp_path)[0] == 2

    def test_of_a_database_in_no_folder(self, tmp_path: Path) -> None:
        self.plain(tmp_path)
        assert self.agree(tmp_path, "--database", f"sqlite:///{tmp_path}/no/x.db")[0] == 4

    def test_of_a_database_that_is_none(self, tmp_path: Path) -> None:
        self.plain(tmp_path)
        (tmp_path / "mflow.db").write_text("no database at all")
        (tmp_path / "logs").mkdir()
        assert self.agree(tmp_path)[0] == 4

    @pytest.mark.parametrize("url", ["sqlite:///{}/x.db", "sqlite://host/x.db"])
    def test_of_a_database_whose_url_is_not_well_formed(self, tmp_path: Path, url: str) -> None:
        self.plain(tmp_path)
        code, errors = self.agree(tmp_path, "--database", url.format(f"/{tmp_path}"))
        assert code == 4
        assert "slash too many" in errors or "not on a host" in errors

    def test_of_too_few_open_files(self, tmp_path: Path) -> None:
        self.plain(tmp_path)
        low = ["prlimit", "--nofile=20:20", sys.executable, "-m", "mflow"]
        said = [
            subprocess.run([*low, *words], cwd=tmp_path, capture_output=True, text=True, check=False)
            for words in (("run",), ("validate", "--as-run"))
        ]
        assert [done.returncode for done in said] == [2, 2]
        assert said[0].stderr == said[1].stderr
        assert "this process may open 20 files" in said[0].stderr

    def test_of_a_folder_whose_name_is_not_utf_8(self, tmp_path: Path) -> None:
        folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/f\xff"))
        folder.mkdir()
        self.plain(folder)
        for words in ((), ("--database", f"sqlite:///{tmp_path}/x.db")):
            code, errors = self.agree(folder, *words)
            assert code == 2
            assert "not valid UTF-8" in errors
            assert not (folder / "logs").exists()

    @pytest.mark.parametrize("option", ["--taskfile", "--config", "--database"])
    def test_of_a_file_whose_name_is_not_utf_8(self, tmp_path: Path, option: str) -> None:
        self.plain(tmp_path)
        odd = "t\udcff.json"
        if option != "--database":
            (tmp_path / ("tasks.json" if option == "--taskfile" else "config.json")).rename(tmp_path / odd)
        code, errors = self.agree(tmp_path, option, odd if option != "--database" else f"sqlite:///{odd}")
        assert code == 2
        assert "not valid UTF-8" in errors

    def test_of_all_that_is_as_it_must_be(self, tmp_path: Path) -> None:
        self.plain(tmp_path)
        submit(tmp_path)
        assert mflow(tmp_path, "validate", "--as-run").returncode == 0
        assert not (tmp_path / "mflow.db").exists()
        assert mflow(tmp_path, "run").returncode == 0
        checked = mflow(tmp_path, "validate", "--as-run")
        assert (checked.returncode, "not looked at" in checked.stderr) == (0, False)

    def plain(self, folder: Path, **config: str) -> None:
        task = {"id": "a", "type": "bash", "command": "true"}
        (folder / "tasks.json").write_text(json.dumps({"tasks": [task]}))
        (folder / "config.json").write_text(json.dumps(config))
