"""A user's folder with oracle tasks, and what is done to the program that runs them."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from mflow.core.model import Datasource
from mflow.tasks.oracle.script import split
from mflow.tasks.oracle.statement import Statement
from tests.cli.project import Project
from tests.tasks.oracle_bench import PATIENCE_SECONDS, Database

KILL_SQL = Path(__file__).parents[2] / "db" / "oracle_kill.sql"

Start = Callable[..., "subprocess.Popen[str]"]
"""Starts mflow; what a failed test leaves running is stopped."""


def with_connections(project: Project, *sources: Datasource, **more: object) -> Project:
    """An oracle.json that names these, each with these further keys."""
    names = ("name", "connection_string", "user", "password", "schema")
    connections = [
        {**{name: getattr(each, name) for name in names if getattr(each, name)}, **more} for each in sources
    ]
    project.file("oracle.json", {"connections": connections})
    (project.folder / "oracle.json").chmod(0o600)
    return project


def install_kill(database: Database) -> None:
    """The two procedures of db/oracle_kill.sql, in the user's own schema."""
    for step in split(KILL_SQL.read_text("utf-8")).steps:
        if isinstance(step, Statement) and step.is_block:
            database.execute(
                step.text.replace("mflow_sessions.", "").replace("sys.gv_$session", "gv$session")
            )


def wait_until(condition: Callable[[], object]) -> None:
    """Poll until it holds."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def holder_of(log: str) -> int:
    """The process that writes to an attempt's log."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.path.realpath(each) == log for each in process.glob("fd/*")):
                return int(process.name)
        except OSError:
            continue
    raise AssertionError(f"nobody writes to {log}")
