"""Spark tasks through mflow's own entry point: the example, and a run whose supervisor and worker die."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.census import is_forked
from tests.spark.installation import Master, spark_environ
from tests.spark.test_standalone import SMALL, by_rest, in_cluster

pytestmark = pytest.mark.spark

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120.0


class Project:
    """A folder in which mflow runs."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.folder = folder
        self._environ = {**spark_environ(home), "PYTHONPATH": str(ROOT)}
        self._started: list[subprocess.Popen[str]] = []

    def tasks(self, *tasks: Mapping[str, Any]) -> None:
        """Write the task file."""
        (self.folder / "tasks.json").write_text(json.dumps({"tasks": tasks}))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """mflow in the background, what it says in a file."""
        with (self.folder / "said").open("a") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "mflow", *words],
                cwd=self.folder,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                text=True,
            )
        self._started.append(process)
        return process

    def end(self) -> None:
        """Leave nothing running behind a test that failed."""
        for process in self._started:
            process.terminate()
            process.wait(PATIENCE_SECONDS)

    def said(self) -> str:
        """All it said."""
        return (self.folder / "said").read_text()

    def log(self, name: str) -> str:
        """An attempt's log, as far as it is there."""
        path = self.folder / "logs" / "run-1" / name
        return path.read_text("utf-8", "replace") if path.exists() else ""

    def status(self) -> Any:
        """What `mflow status --json` tells."""
        said = subprocess.run(
            [sys.executable, "-m", "mflow", "status", "--json"],
            cwd=self.folder,
            env=self._environ,
            check=True,
            capture_output=True,
        )
        return json.loads(said.stdout)

    def wait_until(self, is_so: Callable[[], Any]) -> Any:
        """What it returns once that is true."""
        until = time.monotonic() + PATIENCE_SECONDS
        while not (found := is_so()):
            assert time.monotonic() < until, self.said()
            time.sleep(0.2)
        return found


@pytest.fixture
def project(tmp_path: Path, home: Path) -> Iterator[Project]:
    """An empty one."""
    made = Project(tmp_path, home)
    yield made
    made.end()


def test_the_example_on_a_standalone_master_as_the_origin_writes_it(project: Project, master: Master) -> None:
    tasks = json.loads((ROOT / "examples" / "spark.json").read_text())["tasks"]
    for task in tasks:
        if task["type"] == "spark":
            task.update({**SMALL, **master.keys, "ingestor-file": str(ROOT / task["ingestor-file"])})
    project.tasks(*tasks)
    assert project.start("run").wait(PATIENCE_SECONDS) == 0, project.said()
    assert project.status()["counts"]["SUCCESS"] == 3
    assert "|waiting| 1000|" in project.log("sp1_tickets.1.log")
    assert any(name.startswith("sp1_tickets (mflow-") for name in master.applications())


def test_supervisor_and_worker_die_and_the_driver_runs_once(
    project: Project, master: Master, driver_jar: Path
) -> None:
    gate, before = project.folder / "gate", master.drivers()
    task = by_rest(master, in_cluster(master, driver_jar, "wait", str(gate)))
    project.tasks({"id": "drive", "type": "spark", "retries": 1, **task})
    first = project.start("run")
    project.wait_until(master.active_applications)
    supervisor_and_worker = _below(first.pid, project)
    first.send_signal(signal.SIGKILL)
    first.wait()
    second = project.start("resume", "1")
    project.wait_until(lambda: "adopted" in project.said())
    for worker in supervisor_and_worker:
        os.kill(worker, signal.SIGKILL)
    project.wait_until(lambda: "instead of submitting again" in project.log("drive.2.log"))
    gate.touch()
    assert second.wait(PATIENCE_SECONDS) == 0, project.said()
    (told,) = project.status()["tasks"]
    assert (told["state"], told["attempts"]) == ("SUCCESS", 2)
    (driver,) = master.drivers().keys() - before.keys()
    assert master.drivers()[driver] == "FINISHED"


def _below(supervisor: int, project: Project) -> list[int]:
    """The workers that were started for this project's supervisor."""
    found = project.wait_until(lambda: [pid for pid in _descendants(supervisor) if _is_worker(pid)])
    assert isinstance(found, list)
    return found


def _descendants(pid: int) -> list[int]:
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [each for child in children for each in (child, *_descendants(child))]


def _is_worker(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        return b"forkserver" in b" ".join(words) and is_forked(pid)
    except OSError:
        return False
