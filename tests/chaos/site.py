"""A folder of a user with mflow at work in it: started, killed, resumed, and what the database says meanwhile."""

import os
import select
import signal
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from mflow.core.contracts import AttemptRow
from mflow.core.model import RunRow, TaskRow
from mflow.core.states import TaskState
from mflow.store.connect import open_store
from mflow.store.patience import patient
from mflow.store.repository import SqlStore
from tests.chaos import census
from tests.cli.project import Done, Project

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must come. It is no claim about speed."""

One = TypeVar("One")


def eventually(condition: Callable[[], One], what: str = "") -> One:
    """What a condition says as soon as it is true: only for what no event tells of."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not (said := condition()):
        assert time.monotonic() < until, f"never came true: {what or condition}"
        select.select([], [], [], 0.02)
    return said


class Gate:
    """A FIFO each way between a test and a task: `told` waits for the task's line, `open` lets it go on.

    Both ends are open all the time, so that neither side waits for the other to open.
    """

    def __init__(self, site: "Site", name: str) -> None:
        self._site = site
        self._begun, self._go = site.folder / f"{name}.begun", site.folder / f"{name}.go"
        for path in (self._begun, self._go):
            os.mkfifo(path)
        self._hears = os.open(self._begun, os.O_RDWR)
        self._says = os.open(self._go, os.O_RDWR)
        self._heard = b""

    def command(self, then: str = "true") -> str:
        """A bash command that tells its pid, waits, and does something then."""
        return f"echo $$ > {self._begun}; read -r word < {self._go}; {then}"

    def tell(self, words: str = "$$") -> str:
        """A bash command that tells something."""
        return f"echo {words} > {self._begun}"

    def is_told(self) -> bool:
        """Whether a task has told something that nobody has heard yet."""
        return b"\n" in self._heard or bool(select.select([self._hears], [], [], 0)[0])

    def told(self) -> str:
        """The next line that a task has told."""
        until = time.monotonic() + PATIENCE_SECONDS
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._hears], [], [], max(0.0, until - time.monotonic()))
            assert ready, f"{self._begun}: nothing was told; mflow says: {self._site.stderr()}"
            self._heard += os.read(self._hears, 4096)
        line, _, self._heard = self._heard.partition(b"\n")
        return line.decode()

    def pid(self) -> int:
        """The pid that a task has told."""
        return int(self.told())

    def open(self) -> None:
        """Let one task go on."""
        os.write(self._says, b"go\n")

    def close(self) -> None:
        """Nobody waits here any more."""
        os.close(self._hears)
        os.close(self._says)


class Run:
    """mflow driving a run, as a process of ours. Its stdout is a pipe, its stderr a file."""

    def __init__(self, site: "Site", words: Sequence[str], **options: Any) -> None:
        self.site = site
        self._stderr = site.elsewhere / f"stderr.{uuid.uuid4().hex[:8]}"
        self._first, self._rest = "", ""
        with self._stderr.open("wb") as stderr:
            values = {"stdout": subprocess.PIPE, "stderr": stderr, "start_new_session": True, **options}
            self.process = site.start(*words, stdin=subprocess.DEVNULL, text=True, **values)
        self.pid = self.process.pid

    @property
    def id(self) -> int:
        """The number in the first line of its stdout."""
        self.wait_for_id()
        first = (self._first + self._rest).partition("\n")[0]
        assert first.startswith("run "), self.end()
        return int(first.removeprefix("run "))

    def wait_for_id(self) -> None:
        """Until the first line of its stdout has come, or it has ended without one."""
        if not self._first and self.process.stdout and not self.process.stdout.closed:
            self._first = self.process.stdout.readline()

    def end(self) -> Done:
        """Wait for its end."""
        if self.process.stdout and not self.process.stdout.closed:
            self._rest, _ = self.process.communicate(timeout=PATIENCE_SECONDS)
        return Done(self.process.wait(PATIENCE_SECONDS), self._first + self._rest, self.stderr)

    @property
    def stderr(self) -> str:
        """What it has said on stderr so far."""
        return self._stderr.read_text(errors="replace")

    def says(self, text: str) -> str:
        """Wait until its stderr holds a text; all of stderr."""
        eventually(lambda: text in self.stderr, f"{text!r} on stderr")
        return self.stderr

    def kill(self, signum: int = signal.SIGKILL) -> "Run":
        """Send it a signal; after SIGKILL also wait for its end."""
        self.process.send_signal(signum)
        if signum == signal.SIGKILL:
            self.end()
        return self

    def close(self) -> None:
        """It has ended: let go of it."""
        self.process.wait(PATIENCE_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()


class Site(Project):
    """A project whose processes can all be found."""

    def __init__(self, folder: Path, elsewhere: Path | None = None) -> None:
        """`elsewhere`: where the stderr of runs goes, if the folder is not to hold it."""
        super().__init__(folder)
        folder.mkdir(exist_ok=True)
        self.elsewhere = elsewhere or folder
        self.mark = uuid.uuid4().hex
        self.env = {census.MARK: self.mark}
        self._gates: dict[str, Gate] = {}
        self._runs: list[Run] = []
        self.config()

    def config(self, **values: Any) -> "Site":
        """Write config.json."""
        usual = {"max_process_concurrency": 4, "log_directory": "logs", "kill_grace_seconds": 2}
        self.file("config.json", usual | values)
        return self

    def gate(self, name: str) -> Gate:
        """A gate for a task of this name."""
        self._gates[name] = Gate(self, name)
        return self._gates[name]

    def gate_of(self, name: str) -> Gate:
        """The gate that was made under this name."""
        return self._gates[name]

    def close(self) -> None:
        """End what a failed test has left, and let go of the gates."""
        census.end_all(self.mark)
        for run in self._runs:
            run.close()
        for gate in self._gates.values():
            gate.close()

    # ----------------------------------------------------------------------------------- mflow in this folder

    def run(self, *words: str, **options: Any) -> Run:
        """Start a run and leave it running."""
        return self._keep(Run(self, ["run", *words], **options))

    def resume(self, run_id: int, *words: str, **options: Any) -> Run:
        """Resume a run and leave it running."""
        return self._keep(Run(self, ["resume", str(run_id), *words], **options))

    def _keep(self, run: Run) -> Run:
        self._runs.append(run)
        return run

    def change(self, *statements: str) -> None:
        """Change the database behind mflow's back, in one transaction."""
        with closing(sqlite3.connect(self.folder / "mflow.db")) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    # ------------------------------------------------------------------------------------ what can be known

    def rows(self, run_id: int) -> dict[str, TaskRow]:
        """The tasks of a run by id."""
        return {row.id: row for row in self._read(lambda store: store.read_tasks(run_id))}

    def states(self, run_id: int) -> dict[str, str]:
        """The state of each task."""
        return {name: str(row.state) for name, row in self.rows(run_id).items()}

    def row(self, run_id: int) -> RunRow:
        """The run's own row."""
        return self._read(lambda store: store.read_run(run_id))

    def attempts(self, run_id: int, task: str) -> list[AttemptRow]:
        """All attempts of a task, oldest first."""
        number = self.rows(run_id)[task].task_no
        return self._read(lambda store: list(store.read_attempts(run_id, number)))

    def printed(self, run_id: int, task: str) -> str:
        """What the last attempt of a task has printed."""
        path = self.rows(run_id)[task].log
        assert path is not None
        return Path(path).read_text()

    def is_running(self, run_id: int, task: str) -> bool:
        """Whether the database says that a task runs and since when."""
        row = self.rows(run_id)[task]
        return row.state is TaskState.RUNNING and row.started_at is not None

    def master_log(self) -> str:
        """All lines of the master log."""
        return (self.folder / "logs" / "mflow.log").read_text()

    def stderr(self) -> str:
        """What all runs of this folder have said on stderr."""
        return "\n".join(path.read_text(errors="replace") for path in self.elsewhere.glob("stderr.*"))

    def assert_nobody_left(self) -> None:
        """No process that was started here lives on, after a moment for workers to leave."""
        left = census.census(self.mark)
        census.wait_gone([process.pid for process in left])
        assert census.census(self.mark) == []

    def _read(self, read: Callable[[SqlStore], One]) -> One:
        def once() -> One:
            store = open_store(f"sqlite:///{self.folder}/mflow.db")
            try:
                return read(store)
            finally:
                store.close()

        return patient(once)
