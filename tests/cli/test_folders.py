"""A folder of its own for each run."""

from pathlib import Path

import pytest

from mflow.cli.folders import make_run_folder, require_log_directory
from mflow.core.errors import UsageError
from tests.cli.project import Project, bash_tasks
from tests.cli.rows import run_row


def test_a_run_has_its_folder_to_itself(project: Project) -> None:
    run_id = project.new_run(*bash_tasks(a=()))
    store = project.store()
    run = store.read_run(run_id)
    moved = make_run_folder(store, run, 1)  # `new_run` has made the first
    assert moved.folder == f"{run.folder}-{run.uid[:8]}"
    assert Path(moved.folder).is_dir()
    assert store.read_run(run_id).folder == moved.folder
    with pytest.raises(UsageError, match="are there already"):
        make_run_folder(store, run, 1)
    store.close()


def test_the_first_name_is_taken_if_it_is_free(project: Project) -> None:
    store = project.store()
    run = run_row(folder=str(project.folder / "logs" / "run-7"))
    assert make_run_folder(store, run, 1) == run
    assert Path(run.folder).is_dir()
    store.close()


def test_a_log_directory_is_made(tmp_path: Path) -> None:
    require_log_directory(str(tmp_path / "a" / "b"))
    assert (tmp_path / "a" / "b").is_dir()


def test_a_log_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"file/logs cannot be made: (Not a directory|File exists)"):
        require_log_directory(str(tmp_path / "file" / "logs"))
