"""A SQLite file that is moved, deleted or replaced while it is open: nothing is written to what nobody will read."""

import sqlite3
from pathlib import Path

import pytest

from mflow.core.errors import StoreOutdated, StoreRefused, StoreUnavailable
from tests.store.databases import Database
from tests.store.samples import create


def test_a_file_that_was_moved_away_is_missed_and_found_again(sqlite: Database, tmp_path: Path) -> None:
    store = sqlite.open()
    run = create(store)
    moved = {path: path.rename(tmp_path / f"away.{path.name}") for path in tmp_path.glob("mflow.db*")}
    with pytest.raises(StoreUnavailable, match="cannot be opened"):
        store.heartbeat(run.id, 1)
    assert list(tmp_path.glob("mflow.db*")) == []
    for path, away in moved.items():
        away.rename(path)
    store.heartbeat(run.id, 1)
    assert store.read_run(run.id).uid == run.uid


def test_another_file_in_its_place_is_not_taken_for_it(sqlite: Database, tmp_path: Path) -> None:
    store = sqlite.open()
    run = create(store)
    for path in list(tmp_path.glob("mflow.db*")):
        path.rename(tmp_path / f"away.{path.name}")
    connection = sqlite3.connect(tmp_path / "mflow.db")
    connection.execute("CREATE TABLE theirs (id INTEGER)")
    connection.close()
    theirs = (tmp_path / "mflow.db").read_bytes()
    with pytest.raises(StoreOutdated):
        store.heartbeat(run.id, 1)
    assert (tmp_path / "mflow.db").read_bytes() == theirs


def test_nor_is_another_database_of_ours_that_has_a_run_of_the_same_number(
    sqlite: Database, tmp_path: Path
) -> None:
    store = sqlite.open()
    run = create(store)
    store.heartbeat(run.id, 1)
    for path in list(tmp_path.glob("mflow.db*")):
        path.rename(tmp_path / f"away.{path.name}")
    other = sqlite.open()
    stranger = create(other)
    assert (stranger.id, stranger.fence) == (run.id, run.fence)
    for _ in range(2):
        with pytest.raises(StoreRefused, match="replaced by another database"):
            store.heartbeat(run.id, 1)
    for path in list(tmp_path.glob("mflow.db*")):
        path.unlink()
    for path in list(tmp_path.glob("away.mflow.db*")):
        path.rename(tmp_path / path.name.removeprefix("away."))
    store.heartbeat(run.id, 1)
    assert store.read_run(run.id).uid == run.uid
