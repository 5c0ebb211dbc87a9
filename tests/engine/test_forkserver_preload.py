"""What the fork server imports once for all workers."""

import importlib
import signal
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("psutil", "pydantic", "sqlalchemy", "typer", "rich", "oracledb", "alembic", "tenacity", "asyncio")


def test_a_worker_loads_nothing_heavy() -> None:
    imports = "import sys, mflow.engine.forkserver_preload, mflow.tasks.bash"
    code = f"{imports}; print([name for name in {HEAVY} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert done.stdout == "[]\n"


def test_imported_elsewhere_it_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.delitem(sys.modules, "mflow.engine.forkserver_preload", raising=False)
    importlib.import_module("mflow.engine.forkserver_preload")
    assert signal.getsignal(signal.SIGTERM) == before
