"""A database as mflow of version 0001 left it: its own script, and the rows of four runs of one task file.

Run 1 was finished, run 2 failed, run 3 was interrupted with task b under way, run 4 is owned by the process that
calls `make`. Host, boot and folder are those of here and now.
"""

import json
import re
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from mflow.engine.identity import own_identity
from mflow.store.connect import connect
from tests.store.databases import Database

_HERE = Path(__file__).parent / "version_0001"

TASKS = {
    "a": "echo a >> ran",
    "b": "echo b >> ran; test -e go || { test ! -e hold || sleep 1000; exit 3; }",
    "c": "echo c >> ran",
}
FINISHED, FAILED, INTERRUPTED, RUNNING = 1, 2, 3, 4


def write_files(folder: Path) -> None:
    """The task file, the config and the logs that go with the rows."""
    chain = [{"id": id_, "type": "bash", "command": command} for id_, command in TASKS.items()]
    chain[1]["depends"], chain[2]["depends"] = ["a"], ["b"]  # type: ignore[assignment]
    (folder / "tasks.json").write_text(json.dumps({"tasks": chain}))
    (folder / "config.json").write_text(json.dumps({"log_directory": "logs"}))
    for row in _rows(folder)["mflow_attempts"]:
        log = Path(row["log_path"])
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()


def make_sqlite(folder: Path) -> Path:
    """`mflow.db` in the folder."""
    path = folder / "mflow.db"
    with closing(sqlite3.connect(path)) as conn:
        conn.execute("PRAGMA journal_mode = WAL")
        conn.executescript((_HERE / "sqlite.sql").read_text())
        for table, rows in _rows(folder).items():
            for row in rows:
                conn.execute(_insert(table, row), row)
        conn.commit()
    return path


def make_oracle(oracle: Database, folder: Path) -> None:
    """In a schema that holds nothing of mflow."""
    script = re.sub(r"^--.*$", "", (_HERE / "oracle.sql").read_text(), flags=re.MULTILINE)
    oracle.execute(*(text for text in re.split(r";\n", script) if text.strip()))
    store = connect(oracle.where, create=False)
    with store.engine.begin() as conn:
        for table, rows in _rows(folder).items():
            for row in rows:
                stamped = {
                    name: datetime.fromisoformat(value) if name.endswith("_at") else value
                    for name, value in row.items()
                }
                conn.exec_driver_sql(_insert(table, row), stamped)
        for _ in _rows(folder)["mflow_runs"]:
            conn.exec_driver_sql("SELECT mflow_runs_seq.NEXTVAL FROM dual")
    store.close()


def _insert(table: str, row: dict[str, Any]) -> str:
    return f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(f':{name}' for name in row)})"


def _rows(folder: Path) -> dict[str, list[dict[str, Any]]]:
    me = own_identity()
    known: dict[str, Any] = {
        "{host}": me.host,
        "{boot_id}": me.boot_id,
        "{pid_ns}": me.pid_ns,
        "{live_pid}": me.pid,
        "{live_ticks}": me.start_ticks,
    }

    def here(value: Any) -> Any:
        return known.get(value, value.replace("{folder}", str(folder)) if isinstance(value, str) else value)

    tables = json.loads((_HERE / "rows.json").read_text())
    return {
        table: [{name: here(value) for name, value in row.items()} for row in rows]
        for table, rows in tables.items()
    }
