"""A run's folder is put elsewhere on the disk, if the file system can do that; nobody else notices."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from mflow.cli.placing import place_apart


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "logs" / "run-1"
    folder.mkdir(parents=True)
    return folder


def test_the_folder_is_there_and_nothing_beside_it(folder: Path) -> None:
    before = folder.stat()
    place_apart(str(folder))
    after = folder.stat()
    assert (stat.S_IMODE(after.st_mode), after.st_uid, after.st_gid) == (
        stat.S_IMODE(before.st_mode),
        before.st_uid,
        before.st_gid,
    )
    assert [path.name for path in folder.parent.iterdir()] == ["run-1"]
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_in_use_stays_where_it_is(folder: Path) -> None:
    (folder / "a.1.log").write_text("x")
    before = folder.stat().st_ino
    place_apart(str(folder))
    assert folder.stat().st_ino == before
    assert [path.name for path in folder.parent.iterdir()] == ["run-1"]
    assert (folder / "a.1.log").read_text() == "x"


def test_a_file_system_without_the_mark_is_no_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(25, os.strerror(25))

    monkeypatch.setattr(fcntl, "ioctl", refuse)
    before = folder.stat().st_ino
    place_apart(str(folder))
    assert folder.stat().st_ino == before
    assert [path.name for path in folder.parent.iterdir()] == ["run-1"]
