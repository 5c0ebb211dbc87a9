"""Render db/sqlite.sql and db/oracle.sql from the migrations: `python -m mflow.store.render`."""

import re

from mflow.store import migrations, scripts

_HEADS = {
    "sqlite": """\
-- The tables of mflow for SQLite. Rendered from db/versions by `python -m mflow.store.render`: do not edit.
-- `mflow run` makes a new file from this; to make one by hand: sqlite3 mflow.db < sqlite.sql

""",
}


def rendered(dialect: str) -> str:
    """The whole file."""
    return _HEADS.get(dialect, "") + tidy(migrations.render(dialect))


def tidy(script: str) -> str:
    """Without blanks at line ends and runs of empty lines, and for SQLite before 3.35, which knows no RETURNING."""
    script = script.replace(" RETURNING version_num", "").replace("\n WITHOUT ROWID", " WITHOUT ROWID")
    script = re.sub(r"[ \t]+$", "", script, flags=re.MULTILINE)
    return re.sub(r"\n{3,}", "\n\n", script).strip() + "\n"


def main() -> None:
    """Write both files."""
    for dialect in scripts.SQL_DIALECTS:
        (scripts.folder() / f"{dialect}.sql").write_text(rendered(dialect), encoding="utf-8")


if __name__ == "__main__":
    main()
