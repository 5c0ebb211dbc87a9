"""`mflow db`: the tables of the state database."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated

import typer

from mflow.cli.options import ConfigOption, DatabaseOption, DatasourcesOption

app = typer.Typer(help="Make, upgrade and check the tables of the state database.", rich_markup_mode=None)


class SqlDialect(StrEnum):
    """Databases whose SQL is kept."""

    ORACLE = "oracle"
    SQLITE = "sqlite"


@app.command()
def upgrade(
    database: DatabaseOption = None, datasources: DatasourcesOption = None, config: ConfigOption = None
) -> None:
    """Make the tables, or bring older ones up to date; no run is lost."""
    from mflow.cli.database import locate_database
    from mflow.store.admin import upgrade as upgrade_tables

    chosen = locate_database(database, datasources, config)
    before, after = upgrade_tables(chosen.where)
    _warn_of(after.warnings)
    if before.up_to_date:
        print(f"{chosen.shown}: up to date (version {after.found})")
    else:
        print(f"{chosen.shown}: from {before.found or 'no tables'} to version {after.found}")


@app.command()
def check(
    database: DatabaseOption = None, datasources: DatasourcesOption = None, config: ConfigOption = None
) -> None:
    """Say whether the tables are the ones that this mflow needs; exit code 4 if they are not."""
    from mflow.cli.database import locate_database
    from mflow.store.admin import check as check_tables
    from mflow.store.scripts import require_version

    chosen = locate_database(database, datasources, config)
    report = check_tables(chosen.where)
    _warn_of(report.warnings)
    require_version(report.found, f"{chosen.shown} ({chosen.source})", how=report.cure)
    print(f"{chosen.shown} ({chosen.source}): up to date (version {report.found})")


def _warn_of(texts: Sequence[str]) -> None:
    from mflow.cli.boundary import warn

    for text in texts:
        warn(text)


@app.command()
def sql(
    dialect: Annotated[SqlDialect, typer.Option("--dialect", help="Which database.", show_default=False)],
    start: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="VERSION", help="Upgrade tables of this version instead.", show_default=False
        ),
    ] = None,
) -> None:
    """Print the SQL that makes the tables, or upgrades them, for a DBA to read and run."""
    from mflow.store.scripts import render_sql

    print(render_sql(dialect.value, start), end="")
