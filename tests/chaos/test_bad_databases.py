"""A state database that cannot be used: one clear message, exit code 4, and not a byte of it changed."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mflow.store.tables import VERSION_TABLE
from tests.chaos.site import Site, eventually
from tests.cli.project import Done

Spoil = Callable[[Path], None]


def garbage(path: Path) -> None:
    path.write_bytes(b"this is no database\n" * 500)


def damage(path: Path) -> None:
    """The page that lists the tables is overwritten, behind a header that is whole."""
    content = bytearray(path.read_bytes())
    content[100:4000] = b"\xa5" * 3900
    path.write_bytes(content)


def foreign(path: Path) -> None:
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name TEXT)")
    connection.close()


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    connection.commit()
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.fixture
def used(site: Site) -> Site:
    """A folder whose database holds one failed run, and nothing beside the file itself."""
    site.tasks(a="false")
    assert site.mflow("run").code == 1
    connection = sqlite3.connect(site.folder / "mflow.db")
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    assert sorted(path.name for path in site.folder.glob("mflow.db*")) == ["mflow.db"]
    return site


def assert_said(done: Done, *words: str) -> None:
    """Exit code 4, and one message that names the file and these words."""
    assert done.code == 4, done
    assert "Traceback" not in done.err
    assert "a defect of mflow" not in done.err
    assert done.out == ""
    for word in ("mflow.db", *words):
        assert word in done.err, done


SPOILT: list[tuple[Spoil, str]] = [
    (garbage, "not a SQLite database"),
    (damage, "damaged"),
    (foreign, "another program"),
    (newer, "newer"),
]


@pytest.mark.parametrize(("spoil", "word"), SPOILT, ids=[spoil.__name__ for spoil, _ in SPOILT])
def test_a_file_that_is_not_ours_to_use_is_named_and_left_alone(used: Site, spoil: Spoil, word: str) -> None:
    database = used.folder / "mflow.db"
    spoil(database)
    before = database.read_bytes()
    for words in (("run",), ("resume", "1"), ("status",)):
        assert_said(used.mflow(*words), word)
        assert database.read_bytes() == before, words
    assert not (used.folder / "logs" / "run-2").exists()


def test_a_database_that_is_not_there_is_made_by_run_alone(site: Site) -> None:
    site.tasks(a="true")
    for words in (("resume", "1"), ("status",), ("cancel", "1")):
        assert_said(site.mflow(*words), "no state database")
        assert not (site.folder / "mflow.db").exists()
    assert site.mflow("run").code == 0


def test_an_empty_file_becomes_a_database_by_run_alone(used: Site) -> None:
    empty(used.folder / "mflow.db")
    assert_said(used.mflow("status"), "without tables")
    assert (used.folder / "mflow.db").stat().st_size == 0
    assert used.mflow("run").code == 1


@pytest.fixture
def read_only(used: Site) -> Iterator[Site]:
    """The database on a file system that is mounted read-only; for who is not root, without permission to write."""
    database = used.folder / "mflow.db"
    if os.geteuid() != 0:
        database.chmod(0o444)
        used.folder.chmod(0o555)
        yield used
        used.folder.chmod(0o755)
        return
    place = used.folder / "ro"
    place.mkdir()
    (place / "mflow.db").write_bytes(database.read_bytes())
    used.env["MFLOW_DATABASE"] = f"sqlite:///{place}/mflow.db"
    subprocess.run(["mount", "--bind", place, place], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
        yield used
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


def test_a_database_that_can_only_be_read_serves_those_who_look(read_only: Site) -> None:
    assert_said(read_only.mflow("run"), "writ")
    assert_said(read_only.mflow("resume", "1"), "writ")
    status = read_only.mflow("status", "1", "--json")
    assert status.code == 0, status
    assert status.json["counts"]["FAILED"] == 1


def test_a_database_damaged_while_a_run_is_driven_stops_the_supervisor_and_no_task(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo a"), b={"depends": ["a"], "command": "echo b"})
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    database, kept = site.folder / "mflow.db", site.folder / "kept"
    kept.mkdir()
    for path in list(site.folder.glob("mflow.db*")):
        path.rename(kept / path.name)
    garbage(database)
    gate.open()
    done = run.end()
    assert done.code == 4, done
    assert "not a SQLite database" in done.err
    site.assert_nobody_left()
    for path in kept.iterdir():
        path.rename(site.folder / path.name)
    assert site.resume(run.id).end().code == 0
    assert site.printed(run.id, "a") == "a\n"
    assert len(site.attempts(run.id, "a")) == 1
