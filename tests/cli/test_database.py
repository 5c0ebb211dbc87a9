"""Which database keeps the state, and what is said when it cannot be had."""

from pathlib import Path

import pytest

from mflow.cli.database import Database
from mflow.core.errors import StoreError
from tests.cli.project import Project


def test_where_was_looked_is_said_to_a_person_and_not_at_every_further_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db", "--database")
    with pytest.raises(StoreError):
        database.open()
    assert f"the state database is sqlite:///{tmp_path}/none.db (--database)" in capsys.readouterr().err
    with pytest.raises(StoreError):
        database.open_quietly()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", ["run", "validate"])
def test_relative_paths_of_a_config_found_in_mflow_home_are_told_once(
    project: Project, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "config.json").write_text('{"log_directory": "logs", "database": "sqlite:///state.db"}')
    project.tasks(a="true").env["MFLOW_HOME"] = str(home)
    done = project.mflow(command)
    assert done.code == 0, done
    told = [line for line in done.err.splitlines() if "relative to the current folder" in line]
    assert [f"{project.folder}/logs" in told[0], f"sqlite:///{project.folder}/state.db" in told[1]] == [
        True,
        True,
    ]
    assert len(told) == 2
    project.env["MFLOW_HOME"] = str(project.folder)
    (project.folder / "config.json").write_text((home / "config.json").read_text())
    assert "relative to" not in project.mflow(command).err, "here it is the folder of the file"


def test_a_resume_is_where_its_run_was_and_says_nothing(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    home = tmp_path_factory.mktemp("home")
    (home / "config.json").write_text('{"log_directory": "logs"}')
    project.tasks(a="test -e go").env["MFLOW_HOME"] = str(home)
    assert project.mflow().code == 1
    (project.folder / "go").touch()
    done = project.mflow("resume", "1")
    assert done.code == 0
    assert "relative to" not in done.err
