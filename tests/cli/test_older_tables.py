"""A state database that mflow of version 0001 made: brought up to date, read and resumed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from mflow.store.scripts import VERSIONS
from tests.cli.project import Project
from tests.store import older_tables
from tests.store.databases import Database, oracle_url
from tests.store.test_migrations import drop_everything


@pytest.fixture
def site(tmp_path: Path) -> Project:
    """The files of the runs; `go` is there, so that task b succeeds now."""
    older_tables.write_files(tmp_path)
    (tmp_path / "go").touch()
    return Project(tmp_path)


@pytest.fixture
def sqlite_site(site: Project) -> Project:
    older_tables.make_sqlite(site.folder)
    return site


@pytest.fixture
def oracle_site(site: Project) -> Iterator[Project]:
    """Emptied of everything else before, and brought back to where the other tests want it."""
    oracle = Database(oracle_url())
    oracle.empty()
    drop_everything(oracle.open())
    older_tables.make_oracle(oracle, site.folder)
    site.env["MFLOW_DATABASE"] = oracle_url()
    yield site
    drop_everything(oracle.stores[0])
    oracle.close()


def go_through(site: Project) -> None:
    """After the upgrade: all that is there is read, what can go on goes on, and no task that succeeded runs again."""
    states = {run["id"]: run["state"] for run in site.mflow("runs", "--json").json["runs"]}
    assert states == {1: "SUCCESS", 2: "FAILED", 3: "INTERRUPTED", 4: "RUNNING"}
    for run, ran in ((older_tables.FAILED, "bc"), (older_tables.INTERRUPTED, "bc")):
        (site.folder / "ran").unlink(missing_ok=True)
        done = site.mflow("resume", str(run))
        assert done.code == 0, done
        assert (site.folder / "ran").read_text().split() == list(ran)
    done = site.mflow("resume", str(older_tables.RUNNING))
    assert done.code == 3, done
    assert site.mflow("status", str(older_tables.FINISHED), "--json").json["counts"]["SUCCESS"] == 3
    assert site.mflow("run").run_id == 5


def test_sqlite_file_is_upgraded_by_command(sqlite_site: Project) -> None:
    refused = sqlite_site.mflow("resume", str(older_tables.FAILED))
    assert refused.code == 4, refused
    assert "mflow db upgrade" in refused.err
    done = sqlite_site.mflow("db", "upgrade")
    assert f"from 0001 to version {VERSIONS[-1]}" in done.out
    go_through(sqlite_site)


def test_sqlite_file_is_upgraded_by_a_run(sqlite_site: Project) -> None:
    assert sqlite_site.mflow("run").run_id == 5
    done = sqlite_site.mflow("resume", str(older_tables.INTERRUPTED))
    assert done.code == 0, done
    with closing(sqlite3.connect(sqlite_site.folder / "mflow.db")) as conn:
        kept = conn.execute(
            "SELECT state, COUNT(*) FROM mflow_attempts JOIN mflow_tasks USING (run_id, task_no) "
            "WHERE run_id < 3 GROUP BY state ORDER BY state"
        ).fetchall()
    assert kept == [("FAILED", 1), ("SUCCESS", 4)]


@pytest.mark.oracle
def test_oracle_schema_is_upgraded_by_command(oracle_site: Project) -> None:
    refused = oracle_site.mflow("resume", str(older_tables.FAILED))
    assert refused.code == 4, refused
    assert "mflow db upgrade" in refused.err
    done = oracle_site.mflow("db", "upgrade")
    assert f"from 0001 to version {VERSIONS[-1]}" in done.out
    go_through(oracle_site)
