"""A SQLite file that is moved, deleted or replaced while it is open: nothing is written to what nobody will read."""

import sqlite3
from pathlib import Path

import pytest

from mflow.core.errors import StoreOutdated, StoreUnavailable
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
