"""One attempt without a supervisor: the task type on a bench of its own, with the worker's real processes."""

import os
import select
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mflow.core.contracts import Job, Running, StopStep
from mflow.core.model import AttemptEnd
from mflow.engine.process import Launcher, Process
from mflow.tasks.spark.runner import SparkRunner

UID = "0123456789abcdef0123456789abcdef"


class OwnBench:
    """A `Workbench` that keeps facts in memory."""

    def __init__(self, environ: Mapping[str, str], log: Path, cwd: Path) -> None:
        self.log_fd = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.run_id, self.run_uid = 1, UID
        self.environ = environ
        self.facts: dict[str, Any] = {}
        self.at_spawn: dict[str, Any] = {}
        self._launcher, self._cwd = Launcher(), cwd

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
        """Start a process; what was recorded before is kept apart."""
        self.at_spawn = dict(self.facts)
        environ = self.environ if env is None else env
        return self._launcher.launch(
            argv, environ, path=environ["PATH"], cwd=str(self._cwd), log_fd=self.log_fd
        )

    def record(self, facts: Mapping[str, Any], *, wait_seconds: float = 0.0) -> bool:
        """Kept at once."""
        self.facts.update(facts)
        return True


class Trial:
    """One attempt, from its start to its end."""

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any],
        environ: Mapping[str, str],
        *,
        attempt: int = 1,
        previous: Mapping[str, Any] | None = None,
    ) -> None:
        self.log = folder / f"task.{attempt}.log"
        self.bench = OwnBench(environ, self.log, folder)
        job = Job(
            0,
            attempt,
            "task",
            "spark",
            options,
            {},
            str(folder),
            None,
            str(self.log),
            private={},
            previous=previous or {},
        )
        self.running: Running = SparkRunner().start(job, self.bench)

    def ended(self, seconds: float = 90.0) -> bool:
        """Wait for its end."""
        return bool(select.select([self.running], [], [], seconds)[0])

    def end(self) -> AttemptEnd:
        """How it ended."""
        if not self.ended():
            raise AssertionError(f"no end in time: {self.said()}")
        end = self.running.finish()
        os.close(self.bench.log_fd)
        return end

    def stop(self, step: StopStep = StopStep.ASK) -> None:
        """End it."""
        self.running.stop(step)

    def said(self) -> str:
        """Its log."""
        return self.log.read_text("utf-8", "replace")

    def wait_until(self, is_so: Callable[[], Any], seconds: float = 60.0) -> None:
        """Until something is so, or the attempt has ended too early."""
        until = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > until or self.ended(0.1):
                raise AssertionError(f"not so before the end: {self.said()}")
