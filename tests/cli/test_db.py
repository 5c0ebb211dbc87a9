"""`mflow db` through the real entry point."""

import pytest

from mflow.cli import db
from mflow.core.errors import StoreOutdated
from mflow.store import admin
from mflow.store.scripts import VERSIONS
from tests.cli.project import Project

DATABASE = ("--database", "sqlite:///other.db")


def test_upgrade_makes_the_tables_and_says_so(project: Project) -> None:
    made = project.mflow("db", "upgrade", *DATABASE)
    assert (made.code, made.err) == (0, "")
    assert "from no tables to version" in made.out or "up to date" in made.out
    assert (project.folder / "other.db").exists()
    again = project.mflow("db", "upgrade", *DATABASE)
    assert f"up to date (version {VERSIONS[-1]})" in again.out


def test_check_of_what_is_up_to_date(project: Project) -> None:
    project.mflow("db", "upgrade", *DATABASE)
    shown = project.mflow("db", "check", *DATABASE)
    assert (shown.code, shown.err) == (0, "")
    assert shown.out.endswith(f": up to date (version {VERSIONS[-1]})\n")


def test_check_without_a_database_is_exit_4_and_makes_none(project: Project) -> None:
    shown = project.mflow("db", "check", *DATABASE)
    assert shown.code == 4
    assert "other.db" in shown.err
    assert list(project.folder.iterdir()) == []


def test_check_of_oracle_names_the_command_and_the_file_for_the_dba(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    how = "Run `mflow db upgrade`, or hand over what `mflow db sql --dialect oracle` prints."
    report = admin.VersionReport("oracle mflow@h/s", None, VERSIONS[-1], how)
    monkeypatch.setattr(admin, "check", lambda _: report)
    with pytest.raises(StoreOutdated, match="the tables of mflow are missing") as caught:
        db.check("oracle+oracledb://mflow@h/?service_name=s")
    assert caught.value.hint == how
    assert capsys.readouterr().out == ""


def test_sql_is_what_the_checkout_holds(project: Project) -> None:
    for dialect in ("oracle", "sqlite"):
        shown = project.mflow("db", "sql", "--dialect", dialect)
        assert shown.code == 0
        assert "mflow_run" in shown.out.lower()


def test_sql_of_an_upgrade(project: Project) -> None:
    for dialect in ("oracle", "sqlite"):
        shown = project.mflow("db", "sql", "--dialect", dialect, "--from", "0001")
        assert shown.code == 0, shown
        assert "ALTER TABLE mflow_runs ADD" in shown.out
        assert "CREATE TABLE mflow_runs" not in shown.out
    refused = project.mflow("db", "sql", "--dialect", "oracle", "--from", VERSIONS[-1])
    assert refused.code == 2
    assert "no migration leads from version" in refused.err
    assert refused.out == ""


def test_sql_of_an_unknown_database(project: Project) -> None:
    shown = project.mflow("db", "sql", "--dialect", "dbase")
    assert shown.code == 2
    assert "--dialect" in shown.err
