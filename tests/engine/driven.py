"""A supervisor driven over a store in memory, in this process: for scenarios in processes of their own.

A scenario is a function of a `Drive`; `run_scenario` calls it in a fresh interpreter, since a supervisor takes
signals, becomes a sub-reaper and starts a fork server.
"""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mflow.core.model import AttemptEnd, Config, Definition, Owner, RunRow, Task, TaskRow
from mflow.core.states import RunState, TaskState
from mflow.engine.assignment import Assignment, Verdict
from mflow.engine.identity import own_identity
from mflow.engine.supervisor import supervise
from tests.engine.memory_store import MemoryStore


class Listener:
    """Remembers what a supervisor tells."""

    refresh_seconds: float | None = None

    def __init__(self) -> None:
        self.began_attempts: list[tuple[int, int]] = []
        self.ends: list[tuple[int, int, str, str]] = []
        self.notes: list[str] = []

    def began(self, run: RunRow, definition: Definition, rows: Sequence[TaskRow]) -> None:
        pass

    def attempt_began(self, task_no: int, attempt: int, at: datetime) -> None:
        self.began_attempts.append((task_no, attempt))

    def attempt_ended(
        self,
        task_no: int,
        attempt: int,
        to: TaskState,
        end: AttemptEnd,
        not_before: datetime | None,
        log: str,
    ) -> None:
        self.ends.append((task_no, attempt, str(to), str(end.outcome)))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def flush(self) -> None:
        pass

    def refresh(self) -> None:
        pass

    def finished(self, verdict: Verdict) -> None:
        pass


class Drive:
    """One run in a folder, to be driven as often as a scenario likes."""

    def __init__(self, folder: Path, tasks: Sequence[Task], **config: Any) -> None:
        (folder / "run-1").mkdir()
        self.folder = folder
        self.definition = Definition(tuple(tasks), str(folder / "tasks.json"), str(folder))
        self.config = Config(**{"max_process_concurrency": 2, "log_directory": str(folder), **config})
        self.rows = [TaskRow(no, task.id, task.type, TaskState.PENDING) for no, task in enumerate(tasks)]
        self.store = MemoryStore(self.rows)
        self.listener = Listener()
        self.run = RunRow(
            id=1,
            uid=uuid.uuid4().hex,
            state=RunState.PENDING,
            taskfile=self.definition.taskfile,
            cwd=str(folder),
            config=None,
            datasources=None,
            oneshot=None,
            folder=str(folder / "run-1"),
            created_at=datetime.now(UTC),
            started_at=None,
            ended_at=None,
            fence=1,
            owner=Owner(own_identity(), "somebody", datetime.now(UTC)),
            lease_expired=False,
        )

    def supervise(self, **changes: Any) -> Verdict:
        """Drive it to a verdict."""
        values: dict[str, Any] = {
            "run": self.run,
            "fence": 1,
            "definition": self.definition,
            "rows": self.rows,
            "config": self.config,
            "reload_config": None,
            "environ": dict(os.environ),
            "runners": {"bash": "mflow.tasks.bash:BashRunner"},
            "private": lambda task: {},
            "task_env": lambda task: dict(task.env),
            **changes,
        }
        return supervise(Assignment(**values), lambda: self.store, self.listener)

    def told(self) -> dict[str, Any]:
        """What a test wants to know, as JSON values."""
        return {
            "states": [str(self.store.states[no]) for no in sorted(self.store.states)],
            "ends": self.listener.ends,
            "notes": self.listener.notes,
            "batches": len(self.store.batches),
            "claims": sum(len(batch.claims) for batch in self.store.batches),
        }


def bash(name: str, command: str, *depends: str, **values: Any) -> Task:
    """A bash task in one line."""
    return Task(name, "bash", depends, options={"command": command}, **values)


def run_scenario(module: str, scenario: str, folder: Path) -> Mapping[str, Any]:
    """Call `module.scenario(folder)` in a process of its own; the JSON value it returns."""
    code = (
        f"import json, {module} as m, pathlib; print(json.dumps(m.{scenario}(pathlib.Path({str(folder)!r}))))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told
