"""A folder with the files of a user, and mflow called in it through its real entry point."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mflow.core.contracts import NewRun
from mflow.core.model import Batch, Claim, Definition, Ending, Identity, Owner, Task
from mflow.core.states import RunState, TaskState
from mflow.engine.identity import own_identity
from mflow.store.connect import open_store
from mflow.store.repository import SqlStore
from tests.cli.rows import NOON, exited

CHECKOUT = Path(__file__).resolve().parents[2]
TIMEOUT_SECONDS = 60


class Done:
    """What a call of mflow left: exit code, stdout and stderr."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}--- stderr\n{self.err}"

    @property
    def run_id(self) -> int:
        """The number in the first line of a run's stdout."""
        first = self.out.splitlines()[0]
        assert first.startswith("run "), self
        return int(first.removeprefix("run "))

    @property
    def json(self) -> Any:
        """The stdout of a command called with --json."""
        return json.loads(self.out)


class Project:
    """`project.tasks(a="true").mflow("run")`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env: dict[str, str] = {}

    def tasks(self, **tasks: str | dict[str, Any]) -> "Project":
        """Write tasks.json: a task is its command, or its keys beside the id."""
        entries = [
            {"id": id_, "type": "bash"} | ({"command": task} if isinstance(task, str) else task)
            for id_, task in tasks.items()
        ]
        return self.file("tasks.json", {"tasks": entries})

    def file(self, name: str, content: Any) -> "Project":
        """Write a file: text as it is, anything else as JSON."""
        text = content if isinstance(content, str) else json.dumps(content)
        (self.folder / name).write_text(text, encoding="utf-8")
        return self

    def environ(self) -> dict[str, str]:
        """What mflow sees: nothing of this session that it could take for its own."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("MFLOW_")}
        kept |= {"PYTHONPATH": str(CHECKOUT), "TZ": "UTC", "LC_ALL": "C.UTF-8", "TERM": "dumb"}
        return kept | self.env

    def command(self, *words: str) -> list[str]:
        """The command line of mflow."""
        return [sys.executable, "-m", "mflow", *words]

    def start(self, *words: str, **options: Any) -> "subprocess.Popen[str]":
        """Start mflow and leave it running."""
        pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(
            self.command(*words), cwd=self.folder, env=self.environ(), **(pipes | options)
        )

    def mflow(self, *words: str, cwd: Path | None = None) -> Done:
        """Call mflow and wait for its end."""
        done = subprocess.run(
            self.command(*words),
            cwd=cwd or self.folder,
            env=self.environ(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    # ------------------------------------------------------------------------- a database filled by hand

    def store(self) -> SqlStore:
        """The state database of this folder, made if need be."""
        return open_store(f"sqlite:///{self.folder}/mflow.db", create=True)

    def new_run(self, *tasks: Task, owner: Identity | None = None, parent: int | None = None) -> int:
        """A run that is RUNNING under an owner (by default: this process), nothing of it started."""
        definition = Definition(tasks, str(self.folder / "tasks.json"), str(self.folder))
        new = NewRun(os.urandom(16).hex(), definition, Owner(owner or own_identity(), "ana", NOON), parent)
        store = self.store()
        run = store.create_run(new, log_directory=str(self.folder / "logs"))
        Path(run.folder).mkdir(parents=True)
        store.apply(run.id, 1, Batch(1, run_state=RunState.RUNNING))
        store.close()
        return run.id

    def begin(self, run_id: int, *task_nos: int, attempt: int = 1, printed: str = "") -> None:
        """These tasks run; their logs hold `printed`."""
        claims = [Claim(no, attempt, own_identity(), self.log(run_id, no, attempt), NOON) for no in task_nos]
        for claim in claims:
            Path(claim.log).write_text(printed, encoding="utf-8")
        self._apply(run_id, Batch(self._number(run_id), claims=tuple(claims)))

    def end(
        self, run_id: int, task_no: int, to: TaskState, code: int, *, attempt: int = 1, **more: Any
    ) -> None:
        """An attempt of this task has ended."""
        ending = Ending(task_no, attempt, to, attempt, exited(code), **more)
        self._apply(run_id, Batch(self._number(run_id), endings=(ending,)))

    def finish(self, run_id: int, state: RunState | None) -> None:
        """The run has ended, or (None) was left by its owner."""
        self._apply(run_id, Batch(self._number(run_id), run_state=state, release=True))

    def log(self, run_id: int, task_no: int, attempt: int = 1) -> str:
        """Where `begin` puts a log."""
        return str(self.folder / "logs" / f"run-{run_id}" / f"{task_no}.{attempt}.log")

    def _number(self, run_id: int) -> int:
        self._batches = getattr(self, "_batches", 1) + 1
        return self._batches

    def _apply(self, run_id: int, batch: Batch) -> None:
        store = self.store()
        store.apply(run_id, 1, batch)
        store.close()


def wait_for(running: "subprocess.Popen[str]", path: Path) -> None:
    """Until a task of a running mflow has made the file."""
    while not path.exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)


def bash_tasks(**depends: Sequence[str]) -> list[Task]:
    """Tasks by id and what they depend on."""
    return [Task(id_, "bash", tuple(needs), options={"command": "true"}) for id_, needs in depends.items()]
