"""A folder of its own for each run."""

from pathlib import Path

import pytest

from mflow.cli.folders import make_run_folder, require_log_directory, require_run_folder
from mflow.core.errors import UsageError
from mflow.engine.evidence import mark_folder
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
    store.close()


def test_a_folder_with_its_own_uid_is_one_that_it_did_not_live_to_use(project: Project) -> None:
    run_id = project.new_run(*bash_tasks(a=()))
    store = project.store()
    run = store.read_run(run_id)
    Path(f"{run.folder}-{run.uid[:8]}").mkdir()
    moved = require_run_folder(store, run, 1)
    assert moved.folder == f"{run.folder}-{run.uid[:8]}"
    assert store.read_run(run_id).folder == moved.folder
    mark_folder(moved)
    assert require_run_folder(store, moved, 1) == moved
    store.close()


def test_a_file_in_the_place_of_the_folder_is_said(project: Project) -> None:
    run_id = project.new_run(*bash_tasks(a=()))
    store = project.store()
    run = store.read_run(run_id)
    Path(f"{run.folder}-{run.uid[:8]}").touch()
    with pytest.raises(UsageError, match="it is a file"):
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
