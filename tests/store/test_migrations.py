"""Migrations, tables and rendered files are three views of one thing, and nothing may tell them apart."""

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from mflow.core.errors import StoreOutdated, StoreRefused, UsageError
from mflow.store import admin, migrations, render, scripts
from mflow.store.connect import open_store
from mflow.store.repository import SqlStore
from mflow.store.tables import VERSION_TABLE, metadata, run_ids
from tests.store import older_tables
from tests.store.databases import Control, Database
from tests.store.samples import create

TABLES = metadata.sorted_tables


def drop_everything(store: SqlStore) -> None:
    """All of mflow's tables, as if it had never been there."""
    with store.engine.begin() as conn:
        for name in (*(table.name for table in reversed(TABLES)), VERSION_TABLE):
            conn.exec_driver_sql(f"DROP TABLE {name}")
        if conn.dialect.supports_sequences:
            conn.execute(sa.schema.DropSequence(run_ids))


@pytest.fixture
def migrated(database: Database) -> SqlStore:
    """A store whose tables were made by the migrations, from nothing, and by nothing else."""
    store = database.open()
    drop_everything(store)
    assert store.schema_version() is None
    store.upgrade()
    return store


def test_migrations_make_the_tables(migrated: SqlStore) -> None:
    def ours(name: str | None, kind: str, _: object) -> bool:
        return kind != "table" or (name or "").startswith("mflow_")

    with migrated.engine.connect() as conn:
        options = {"version_table": VERSION_TABLE, "include_name": ours, "compare_type": True}
        context = MigrationContext.configure(conn, opts=options)
        differences = compare_metadata(context, metadata)
        assert [
            each for each in differences if "comment" not in str(each) or conn.dialect.supports_comments
        ] == []


def test_constraints_have_the_names_of_the_tables(migrated: SqlStore) -> None:
    with migrated.engine.connect() as conn:
        inspector = sa.inspect(conn)
        for table in TABLES:
            there = {each["name"] for each in inspector.get_check_constraints(table.name)}
            there |= {each["name"] for each in inspector.get_foreign_keys(table.name)}
            there |= {each["name"] for each in inspector.get_unique_constraints(table.name)}
            wanted = {
                each.name for each in table.constraints if not isinstance(each, sa.PrimaryKeyConstraint)
            }
            assert {name for name in there if name and not name.startswith("sys_c")} == wanted


def test_store_works_on_migrated_tables(migrated: SqlStore) -> None:
    assert migrated.schema_version() == scripts.VERSIONS[-1]
    assert len(migrated.read_tasks(create(migrated).id)) == 4


def test_upgrade_leaves_what_is_up_to_date_alone(database: Database) -> None:
    store = database.open()
    run = create(store)
    before, after = admin.upgrade(database.where)
    assert before == after
    assert after.up_to_date
    assert store.read_run(run.id) == run
    assert admin.check(database.where) == after


def test_missing_tables(database: Database) -> None:
    drop_everything(database.open())
    with pytest.raises(StoreOutdated, match="tables") as caught:
        open_store(database.where)
    assert "mflow db upgrade" in caught.value.hint
    assert admin.upgrade(database.where)[1].up_to_date
    assert admin.check(database.where).up_to_date


def test_newer_tables_are_not_touched(database: Database) -> None:
    database.open()
    database.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    try:
        for call in (admin.upgrade, open_store):
            with pytest.raises(StoreOutdated, match="version 9999, newer than this mflow"):
                call(database.where)
        assert admin.check(database.where).found == "9999"
    finally:
        database.execute(f"UPDATE {VERSION_TABLE} SET version_num = '{scripts.VERSIONS[-1]}'")


# ---------------------------------------------------------------------------------------- an older version


@pytest.fixture
def next_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An mflow of tomorrow, with one migration more."""
    folder = tmp_path / "db"
    shutil.copytree(scripts.folder(), folder)
    (folder / "versions" / "0003_tomorrow.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n\n"
        f"revision = '0003'\ndown_revision = '{scripts.VERSIONS[-1]}'\n\n"
        "def upgrade():\n    op.add_column('mflow_runs', sa.Column('tomorrow', sa.Integer))\n"
    )
    monkeypatch.setattr(scripts, "folder", lambda: folder)
    monkeypatch.setattr(scripts, "VERSIONS", (*scripts.VERSIONS, "0003"))


def test_older_sqlite_file_is_upgraded_by_a_run_alone(
    sqlite: Database, request: pytest.FixtureRequest
) -> None:
    store = sqlite.open()
    run = create(store)
    request.getfixturevalue("next_version")
    with pytest.raises(StoreOutdated, match="of version 0002; this mflow needs 0003") as caught:
        open_store(sqlite.where)
    assert "mflow db upgrade" in caught.value.hint
    with closing(open_store(sqlite.where, create=True)) as new:
        assert new.schema_version() == "0003"
        assert new.read_run(run.id) == run
    assert sqlite.select("SELECT tomorrow FROM mflow_runs") == [(None,)]


def test_migration_that_fails_leaves_a_sqlite_file_as_it_was(
    sqlite: Database, request: pytest.FixtureRequest
) -> None:
    store = sqlite.open()
    create(store)
    request.getfixturevalue("next_version")
    with (scripts.folder() / "versions" / "0003_tomorrow.py").open("a") as file:
        file.write("    op.execute('NONSENSE')\n")
    with pytest.raises(Exception, match="NONSENSE"):
        admin.upgrade(sqlite.where)
    assert admin.check(sqlite.where).found == "0002"
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        _raw(sqlite, "SELECT tomorrow FROM mflow_runs")


def _raw(database: Database, query: str) -> list[Any]:
    with closing(sqlite3.connect(str(database.where).removeprefix("sqlite:///"))) as conn:
        return conn.execute(query).fetchall()


@pytest.mark.oracle
def test_oracle_is_upgraded_only_when_told(oracle: Database, request: pytest.FixtureRequest) -> None:
    store = oracle.open()
    create(store)
    request.getfixturevalue("next_version")
    try:
        with pytest.raises(StoreOutdated, match="of version 0002; this mflow needs 0003"):
            open_store(oracle.where, create=True)
        before, after = admin.upgrade(oracle.where)
        assert (before.found, after.found) == ("0002", "0003")
        open_store(oracle.where).close()
    finally:
        drop_everything(store)


@pytest.mark.oracle
@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mflow_version",
        "CREATE SEQUENCE",
        "CREATE TABLE mflow_tasks",
        "COMMENT ON TABLE mflow_attempts",
        "INSERT INTO mflow_version",
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_upgrade_of_oracle_goes_on_where_it_was_interrupted(
    oracle: Database, control: Control, statement: str, when: str
) -> None:
    drop_everything(oracle.open())
    control("fail", regex=f"(?i){statement}", code=1031, when=when)
    with pytest.raises(StoreRefused, match="ORA-01031"):
        admin.upgrade(oracle.where)
    assert admin.check(oracle.where).found is None
    _, after = admin.upgrade(oracle.where)
    assert after.up_to_date
    create(oracle.open())


@pytest.mark.oracle
@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE mflow_runs ADD idle_seconds",
        "COMMENT ON COLUMN mflow_attempts.leader_start_ticks",
        "CREATE TABLE mflow_environments",
        "CREATE INDEX mflow_tasks_id_ix",
        "ALTER SEQUENCE",
        "ALTER TABLE mflow_attempts NOPARALLEL PCTFREE",
        "UPDATE mflow_version",
    ],
)
@pytest.mark.parametrize("when", ["before", "after"])
def test_upgrade_from_0001_goes_on_where_it_was_interrupted(
    oracle: Database, control: Control, tmp_path: Path, statement: str, when: str
) -> None:
    drop_everything(oracle.open())
    older_tables.make_oracle(oracle, tmp_path)
    control("fail", regex=f"(?i){statement}", code=1031, when=when)
    with pytest.raises(StoreRefused, match="ORA-01031"):
        admin.upgrade(oracle.where)
    assert admin.check(oracle.where).found == "0001"
    _, after = admin.upgrade(oracle.where)
    assert after.up_to_date
    assert [each.run.id for each in oracle.open().list_runs()] == [4, 3, 2, 1]
    create(oracle.open())


@pytest.mark.oracle
def test_runs_are_numbered_in_their_order_by_all_instances(
    oracle: Database, control: Control, tmp_path: Path
) -> None:
    """A cache of numbers in each instance of a cluster would give newer runs lower ones."""
    drop_everything(oracle.open())
    admin.upgrade(oracle.where)
    assert control("transcript", regex="^CREATE SEQUENCE mflow_runs_seq NOCACHE ORDER$")
    drop_everything(oracle.open())
    older_tables.make_oracle(oracle, tmp_path)
    control("clear_transcript")
    admin.upgrade(oracle.where)
    assert control("transcript", regex="^ALTER SEQUENCE mflow_runs_seq NOCACHE ORDER ")
    assert control("transcript", regex="^ALTER TABLE mflow_attempts .*PCTFREE 60$")


# -------------------------------------------------------------------------------------------------- rendered


@pytest.mark.parametrize("dialect", scripts.SQL_DIALECTS)
def test_rendered_files_are_those_of_the_migrations(dialect: str) -> None:
    assert render.rendered(dialect) == scripts.render_sql(dialect)


def schema(path: Path) -> dict[str, str]:
    """The statements that a SQLite file keeps of what was made in it."""
    with closing(sqlite3.connect(path)) as conn:
        found = conn.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
        return {name: re.sub(r"\s+", " ", sql).replace(" ,", ",").strip() for name, sql in found}


def test_shipped_sqlite_script_and_migrations_make_the_same_file(tmp_path: Path) -> None:
    with closing(open_store(f"sqlite:///{tmp_path}/a.db", create=True)):
        pass
    engine = sa.create_engine(f"sqlite:///{tmp_path}/b.db", poolclass=sa.NullPool)
    with engine.connect() as conn:
        migrations.upgrade(conn)
    assert schema(tmp_path / "a.db") == schema(tmp_path / "b.db")


def test_sqlite_script_upgrades_what_an_older_version_made(tmp_path: Path) -> None:
    path = older_tables.make_sqlite(tmp_path)
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript(scripts.render_sql("sqlite", "0001"))
    with closing(open_store(f"sqlite:///{tmp_path}/new.db", create=True)):
        pass
    assert schema(path) == schema(tmp_path / "new.db")
    with closing(open_store(f"sqlite:///{path}")) as store:
        assert [each.run.id for each in store.list_runs()] == [4, 3, 2, 1]


@pytest.mark.parametrize("start", ["0002", "9999", "", "base"])
def test_there_is_no_script_from_what_is_not_older(start: str) -> None:
    with pytest.raises(UsageError, match="no migration leads from"):
        scripts.render_sql("sqlite", start)


def test_versions_are_those_of_the_folder() -> None:
    config = Config()
    config.set_main_option("script_location", str(scripts.folder()))
    revisions = [each.revision for each in ScriptDirectory.from_config(config).walk_revisions()]
    assert tuple(reversed(revisions)) == scripts.VERSIONS


def test_unknown_dialect_has_no_script() -> None:
    with pytest.raises(ValueError, match="no SQL is kept for mysql"):
        scripts.render_sql("mysql")


# --------------------------------------------------------------------------------------------- Oracle's rules


def test_names_are_short_ours_and_plain() -> None:
    names = [run_ids.name, VERSION_TABLE]
    for table in TABLES:
        names += [
            table.name,
            *(str(each.name) for each in table.constraints),
            *(str(i.name) for i in table.indexes),
        ]
    assert all(re.fullmatch(r"mflow_[a-z_]{1,24}", name) for name in names), names
    columns = [column.name for table in TABLES for column in table.columns]
    assert all(re.fullmatch(r"[a-z][a-z_]{0,29}", name) for name in columns), columns


def test_nothing_in_the_oracle_script_needs_quotes() -> None:
    """A name in quotes would be a reserved word, and in lower case for ever."""
    body = scripts.render_sql("oracle").partition("ALTER SESSION SET CURRENT_SCHEMA")[2]
    assert '"' not in re.sub(r"'[^']*'", "", body)


def test_every_table_and_column_has_a_comment() -> None:
    for table in TABLES:
        assert table.comment
        assert [column.name for column in table.columns if not column.comment] == []


def test_every_text_has_a_length_and_none_is_too_long() -> None:
    for table in TABLES:
        for column in table.columns:
            if isinstance(column.type, sa.String) and not isinstance(column.type, sa.Text):
                assert column.type.length is not None
                assert column.type.length <= 4000
