"""A stand-in for the supervisor of one real worker, in the test's own process or (`doomed`) in one to be killed."""

import json
import os
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd, Identity
from mflow.engine.identity import identity_of, own_identity, signal_pidfd
from mflow.engine.messages import Ack, Ended, Hello, Report, Request, Run, WorkerSettings
from mflow.engine.outcome_file import KeptOutcome, read_outcome
from mflow.engine.pool import prestart, start_worker

PATIENCE_SECONDS = 60.0
"""A guard against a test that hangs, never what is waited for."""

RUN_UID = uuid.uuid4().hex

R = TypeVar("R", bound=Report)


def settings(folder: Path, **changes: Any) -> WorkerSettings:
    """Settings for a worker whose supervisor is this process."""
    base = WorkerSettings(
        run_id=7,
        run_uid=RUN_UID,
        supervisor=own_identity(),
        environ=dict(os.environ),
        grace_seconds=30.0,
        runners={"bash": "mflow.tasks.bash:BashRunner"},
        fallback_folder=str(folder / "fallback"),
    )
    return replace(base, **changes)


def job(folder: Path, command: str, *, task_no: int = 1, attempt: int = 1, **changes: Any) -> Job:
    """A bash attempt whose log is in `folder`."""
    base = Job(
        task_no=task_no,
        attempt=attempt,
        task_id=f"task-{task_no}",
        type="bash",
        options={"command": command},
        env={},
        cwd=str(folder),
        timeout_seconds=None,
        log=str(folder / "logs" / f"task-{task_no}.{attempt}.log"),
        private={},
        previous={},
    )
    return base._replace(**changes)


class Boss:
    """Speaks to one worker, and waits for what it says."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        self.folder = folder
        self.settings = settings(folder, **changes)
        prestart()
        self.worker = start_worker(1, self.settings)
        self.heard: list[Report] = []
        self.expect(Hello)

    def say(self, *requests: Request) -> None:
        """Send requests."""
        for request in requests:
            self.worker.channel.send(request)

    def run(self, command: str, **changes: Any) -> Job:
        """Hand over an attempt."""
        given = job(self.folder, command, **changes)
        self.say(Run(given))
        return given

    def end_of(self, command: str, **changes: Any) -> AttemptEnd:
        """Run an attempt, acknowledge its end, and return it."""
        given = self.run(command, **changes)
        ended = self.expect(Ended)
        assert (ended.task_no, ended.attempt) == (given.task_no, given.attempt)
        self.say(Ack(((ended.task_no, ended.attempt),)))
        return ended.end

    def expect(self, kind: type[R]) -> R:
        """The next report of this kind; others stay in `heard`."""
        while True:
            for report in self.heard:
                if isinstance(report, kind):
                    self.heard.remove(report)
                    return report
            self.heard += self._listen()

    def _listen(self) -> list[Report]:
        ready, _, _ = select.select([self.worker.channel], [], [], PATIENCE_SECONDS)
        assert ready, f"the worker says nothing; so far: {self.heard}"
        return self.worker.channel.receive()

    def wait_for_exit(self) -> None:
        """Until the worker is over."""
        wait_for_end(self.worker.pidfd)

    def log(self, given: Job) -> str:
        """What the attempt wrote."""
        return Path(given.log).read_text()

    def close(self) -> None:
        """End the worker, and what it runs."""
        self.worker.channel.close()  # it takes this for the supervisor's death
        for _ in range(2):
            signal_pidfd(self.worker.pidfd, signal.SIGUSR1)
        self.wait_for_exit()
        self.worker.close()


def wait_for_end(pidfd: int) -> None:
    """Until the process of a pidfd is over."""
    ready, _, _ = select.select([pidfd], [], [], PATIENCE_SECONDS)
    assert ready, "the process does not end"


def await_exit(pid: int) -> None:
    """Until the process with this number is over."""
    with suppress(ProcessLookupError):
        pidfd = os.pidfd_open(pid)
        try:
            wait_for_end(pidfd)
        finally:
            os.close(pidfd)


class Fifo:
    """A named pipe between a test and a task: opening it for one direction waits for the other side."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR)  # so that neither side ever waits to open it
        self._rest = b""

    def __str__(self) -> str:
        return str(self.path)

    def line(self) -> str:
        """The next line that a task wrote."""
        while b"\n" not in self._rest:
            ready, _, _ = select.select([self._descriptor], [], [], PATIENCE_SECONDS)
            assert ready, f"nothing comes through {self.path}"
            self._rest += os.read(self._descriptor, 4096)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def pid(self) -> Identity:
        """The next line as the number of a living process."""
        identity = identity_of(int(self.line()))
        assert identity is not None
        return identity

    def write(self, line: str) -> None:
        """Let a task read a line."""
        os.write(self._descriptor, f"{line}\n".encode())

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def is_over(identity: Identity) -> bool:
    """Whether exactly this process is no more, or only waits to be waited for."""
    try:
        state = Path(f"/proc/{identity.pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z" or identity_of(identity.pid) != identity


# ------------------------------------------------------------------------------- a supervisor to be killed


@contextmanager
def doomed(
    folder: Path, *commands: str, timeout_seconds: float | None = None, **changes: Any
) -> Iterator["Doomed"]:
    """A supervisor in a process of its own that has given these attempts to one worker."""
    plan = json.dumps(
        {
            "folder": str(folder),
            "commands": commands,
            "timeout": timeout_seconds,
            "settings": {"run_uid": RUN_UID, **changes},
        }
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.boss", plan], stdout=subprocess.PIPE, text=True
    )
    try:
        yield Doomed(folder, process)
    finally:
        process.kill()
        process.wait()
        assert process.stdout
        process.stdout.close()


class Doomed:
    """A supervisor to be killed, and the worker that it leaves."""

    def __init__(self, folder: Path, process: subprocess.Popen[str]) -> None:
        assert process.stdout
        worker = identity_of(int(process.stdout.readline()))
        assert worker is not None
        self.worker = worker
        self.process, self._folder = process, folder
        self._pidfd = os.pidfd_open(worker.pid)

    def kill(self) -> None:
        """kill -9, and wait until that is done."""
        self.process.kill()
        self.process.wait()

    def ask_worker_to_end(self, signum: int = signal.SIGUSR1) -> None:
        """As an adopter does."""
        signal_pidfd(self._pidfd, signum)

    def ask_worker_until_it_exits(self) -> None:
        """As an impatient adopter does."""
        while not select.select([self._pidfd], [], [], 0.05)[0]:
            self.ask_worker_to_end()
        self.worker_exits()

    def worker_exits(self) -> None:
        """Until the worker is over."""
        wait_for_end(self._pidfd)
        os.close(self._pidfd)

    def outcome(self, task_no: int = 1) -> KeptOutcome | None:
        """What an adopter reads."""
        given = job(self._folder, "", task_no=task_no)
        kept, _ = read_outcome(
            given.log,
            fallback_folder=str(self._folder / "fallback"),
            run_uid=RUN_UID,
            task_no=task_no,
            attempt=1,
            worker=self.worker,
        )
        return kept


def _be_doomed(plan: dict[str, Any]) -> None:
    boss = Boss(Path(plan["folder"]), **plan["settings"])
    for number, command in enumerate(plan["commands"], start=1):
        boss.run(command, task_no=number, timeout_seconds=plan["timeout"])
    print(boss.worker.identity.pid, flush=True)
    while True:
        time.sleep(PATIENCE_SECONDS)


if __name__ == "__main__":
    _be_doomed(json.loads(sys.argv[1]))
