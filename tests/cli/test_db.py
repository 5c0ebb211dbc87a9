"""`mflow db` through the real entry point."""

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


def test_sql_is_what_the_checkout_holds(project: Project) -> None:
    for dialect in ("oracle", "sqlite"):
        shown = project.mflow("db", "sql", "--dialect", dialect)
        assert shown.code == 0
        assert "mflow_run" in shown.out.lower()


def test_sql_of_an_unknown_database(project: Project) -> None:
    shown = project.mflow("db", "sql", "--dialect", "dbase")
    assert shown.code == 2
    assert "--dialect" in shown.err
