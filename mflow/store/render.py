"""Render db/sqlite.sql and db/oracle.sql from the migrations: `python -m mflow.store.render`."""

import re

from mflow.store import migrations, scripts
from mflow.store.tables import VERSION_TABLE, metadata, run_ids

_SQLITE = """\
-- The tables of mflow for SQLite. Rendered from db/versions by `python -m mflow.store.render`: do not edit.
-- `mflow run` makes a new file from this; to make one by hand: sqlite3 mflow.db < sqlite.sql

{tables}"""

_ORACLE = """\
-- The tables of mflow for Oracle 12.1 and later, for a database administrator to read and run with SQL*Plus or SQLcl:
--
--     sqlplus system@//host:1521/service @oracle.sql
--
-- Rendered from db/versions by `python -m mflow.store.render`: do not edit. No password is in this file: it asks.
--
-- Part 1 makes the user that owns the tables, part 2 the tables, part 3 (optional, commented out) lets another user
-- work with them. Where the owner exists already, such as the user of the tool that mflow takes the place of, leave
-- out part 1. That tool's own tables, TASKS and TASKS_MASTER, may be in the same schema: nothing here touches them, and
-- mflow numbers its runs above those in TASKS_MASTER by itself. All objects made here begin with MFLOW_.

WHENEVER SQLERROR EXIT FAILURE ROLLBACK
SET DEFINE ON
SET VERIFY OFF

ACCEPT mflow_owner CHAR DEFAULT 'MFLOW' PROMPT 'Owner of the tables [MFLOW]: '

-- ------------------------------------------------------------------------------------------------------------------
-- Part 1, as an administrator: the owner. Least privilege: it may log in, and make tables and a sequence of its own.
-- Adapt the quota. With IDENTIFIED EXTERNALLY instead of a password, none exists that could be lost.

ACCEPT mflow_tablespace CHAR DEFAULT 'USERS' PROMPT 'Its tablespace [USERS]: '
ACCEPT mflow_password CHAR PROMPT 'Its password: ' HIDE

CREATE USER &&mflow_owner IDENTIFIED BY "&&mflow_password" DEFAULT TABLESPACE &&mflow_tablespace;

ALTER USER &&mflow_owner QUOTA 1G ON &&mflow_tablespace;

GRANT CREATE SESSION TO &&mflow_owner;

GRANT CREATE TABLE TO &&mflow_owner;

GRANT CREATE SEQUENCE TO &&mflow_owner;

UNDEFINE mflow_password

-- ------------------------------------------------------------------------------------------------------------------
-- Part 2, as an administrator or as the owner: the tables. `mflow db upgrade`, run as the owner, does the same.
-- A row for each task of each run, another for each of its attempts; mflow deletes none.

ALTER SESSION SET CURRENT_SCHEMA = &&mflow_owner;

{tables}
-- ------------------------------------------------------------------------------------------------------------------
-- Part 3, optional: mflow may also log in as another user, which can neither drop nor alter anything. Name the owner
-- as `schema` of the connection `mflow` in oracle.json then. Only the owner or an administrator upgrades the tables.
--
-- CREATE USER mflow_app IDENTIFIED BY ...;
-- GRANT CREATE SESSION TO mflow_app;
{grants}

UNDEFINE mflow_owner
UNDEFINE mflow_tablespace
"""


_SQLITE_UPGRADE = """\
-- Brings the tables of mflow in a SQLite file from version {start} to {needed}; `mflow run` does so by itself.
-- To do it by hand, while no run is active: sqlite3 -bail mflow.db < upgrade.sql

BEGIN IMMEDIATE;

{statements}
COMMIT;
"""

_ORACLE_UPGRADE = """\
-- Brings the tables of mflow from version {start} to {needed}, for a database administrator to read and run with
-- SQL*Plus or SQLcl; `mflow db upgrade`, run as the owner of the tables, does the same, and goes on where either of
-- them was interrupted. Rows are kept. Stop the runs of an older mflow first; a statement that finds a table in use
-- waits for a minute.

WHENEVER SQLERROR EXIT FAILURE ROLLBACK
SET DEFINE ON
SET VERIFY OFF

ACCEPT mflow_owner CHAR DEFAULT 'MFLOW' PROMPT 'Owner of the tables [MFLOW]: '

ALTER SESSION SET CURRENT_SCHEMA = &&mflow_owner;

ALTER SESSION SET DDL_LOCK_TIMEOUT = {seconds};

{statements}
COMMIT;

-- Where mflow logs in as another user than the owner, all that it needs (a grant may be repeated):
--
{grants}

UNDEFINE mflow_owner
"""


def upgrade_script(dialect: str, start: str) -> str:
    """What brings tables of version `start`, an older one, to the version needed."""
    given = {"start": start, "needed": scripts.VERSIONS[-1]}
    statements = migrations.render(dialect, start)
    if dialect == "sqlite":
        return _SQLITE_UPGRADE.format(statements=_tidy(statements), **given)
    made = _tidy(_ended_by_semicolons(statements))
    return _ORACLE_UPGRADE.format(
        statements=made, grants=_grants(), seconds=scripts.DDL_LOCK_SECONDS, **given
    )


def rendered(dialect: str) -> str:
    """The whole file of a database."""
    statements = migrations.render(dialect)
    if dialect == "sqlite":
        return _SQLITE.format(tables=_tidy(statements.replace("\n WITHOUT ROWID", " WITHOUT ROWID")))
    return _ORACLE.format(tables=_tidy(_ended_by_semicolons(statements)) + "\nCOMMIT;\n", grants=_grants())


def _ended_by_semicolons(script: str) -> str:
    """Alembic ends each statement by a slash on a line of its own."""
    return re.sub(r"\s*\n/\n", ";\n", script)


def _tidy(script: str) -> str:
    """Without blanks at line ends and runs of empty lines, and nothing returned into nowhere."""
    script = re.sub(r" RETURNING .*?(?=;)", "", script)
    script = re.sub(r"[ \t]+$", "", script, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", script).strip() + "\n"


def _grants() -> str:
    lines = [
        f"-- GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO mflow_app;"
        for table in sorted(metadata.tables)
    ]
    lines.append(f"-- GRANT SELECT ON {VERSION_TABLE} TO mflow_app;")
    lines.append(f"-- GRANT SELECT ON {run_ids.name} TO mflow_app;")
    return "\n".join(lines)


def main() -> None:
    """Write both files."""
    for dialect in scripts.SQL_DIALECTS:
        (scripts.folder() / f"{dialect}.sql").write_text(rendered(dialect), encoding="utf-8")


if __name__ == "__main__":
    main()
