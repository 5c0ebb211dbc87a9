"""What a worker offers to the task type of one attempt: processes, the log, and facts that are kept."""

import itertools
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from mflow.core.contracts import Job
from mflow.core.disks import is_full
from mflow.core.model import LOG_FACT
from mflow.core.names import TOKENS_VARIABLE, attempt_token
from mflow.engine.attempt_log import note_leader
from mflow.engine.messages import Facts, WorkerSettings
from mflow.engine.process import Launcher, Process

_ENCODING, _ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # as os.fsencode does


class Environment:
    """What every task's environment is made from; encoded once, since a worker starts thousands of processes."""

    def __init__(self, settings: WorkerSettings) -> None:
        self._settings = settings
        self._encoded = _encode(settings.environ)

    def of(self, job: Job) -> dict[str, str]:
        """The whole environment of an attempt."""
        return {**self._settings.environ, **self._own(job)}

    def encoded(self, job: Job) -> dict[bytes, bytes]:
        """The same, as bytes."""
        return {**self._encoded, **_encode(self._own(job))}

    def path(self, job: Job) -> str:
        """The attempt's PATH."""
        return job.env.get("PATH") or self._settings.environ.get("PATH") or os.defpath

    def _own(self, job: Job) -> dict[str, str]:
        """What differs from attempt to attempt. The token is added to those of an outer mflow."""
        outer = self._settings.environ.get(TOKENS_VARIABLE, "")
        token = attempt_token(self._settings.run_uid, job.task_no, job.attempt)
        return {
            **job.env,
            "MFLOW_RUN_ID": str(self._settings.run_id),
            "MFLOW_TASK_ID": job.task_id,
            "MFLOW_ATTEMPT": str(job.attempt),
            TOKENS_VARIABLE: f"{outer} {token}" if outer else token,
        }


class Equipment:
    """What the benches of a worker share.

    `post` sends facts to the supervisor from any thread; `pump` lets messages in while the worker's own thread
    waits for facts to be kept.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        post: Callable[[Facts], None],
        pump: Callable[[Callable[[], bool], float], None],
    ) -> None:
        self.run_id, self.run_uid = settings.run_id, settings.run_uid
        self.environment, self.launcher = Environment(settings), Launcher()
        self.post, self.pump = post, pump
        self.serials = itertools.count(1)
        self.lock = threading.Lock()
        self.changed = threading.Condition(self.lock)


class Bench:
    """A `Workbench` of `core.contracts`, for one attempt."""

    def __init__(self, job: Job, log_fd: int, equipment: Equipment) -> None:
        self.log_fd = log_fd
        self.run_id, self.run_uid = equipment.run_id, equipment.run_uid
        self._job, self._equipment, self._lock = job, equipment, equipment.lock
        self._facts: dict[str, Any] = {}
        self._serial = 0  # of what was recorded last
        self._kept = 0
        self._led = False  # its first process was started
        self._log = job.log
        self._deaf = False  # nobody will say any more that facts are kept

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment that the attempt's processes get."""
        return self._equipment.environment.of(self._job)

    def spawn(self, argv: Sequence[str], *, env: Mapping[str, str] | None = None) -> Process:
        """Start a process; see the contract. A command is looked up in the PATH that it will get."""
        job, launch, environment = self._job, self._equipment.launcher.launch, self._equipment.environment
        if env is not None:
            path = env.get("PATH") or os.defpath
            process = launch(argv, env, path=path, cwd=job.cwd, log_fd=self.log_fd)
        else:
            encoded, path = environment.encoded(job), environment.path(job)
            process = launch(argv, encoded, path=path, cwd=job.cwd, log_fd=self.log_fd)
        if not self._led and process.pid is not None:
            self._led = True
            token = attempt_token(self.run_uid, job.task_no, job.attempt)
            note_leader(self.log_fd, self._log, process.pid, token)
        return process

    def record(self, facts: Mapping[str, Any], *, wait_seconds: float = 0.0) -> bool:
        """Keep facts; see the contract. Raises TypeError or ValueError for what JSON cannot hold."""
        json.dumps(facts, allow_nan=False)
        with self._lock:
            serial = self._serial = next(self._equipment.serials)
            self._facts.update(facts)
            deaf = self._deaf
        if deaf:
            return False
        self._equipment.post(Facts(self._job.task_no, self._job.attempt, dict(facts), serial))
        return wait_seconds > 0 and self._wait_kept(serial, wait_seconds)

    def _wait_kept(self, serial: int, wait_seconds: float) -> bool:
        def settled() -> bool:
            return self._deaf or self._kept >= serial

        if threading.current_thread() is threading.main_thread():
            self._equipment.pump(settled, wait_seconds)
        else:
            with self._lock:
                self._equipment.changed.wait_for(settled, wait_seconds)
        return self._kept >= serial

    # ------------------------------------------------------------------------------------ the worker's side

    def log_is_at(self, path: str) -> None:
        """The log is not where the job said: told and kept like any fact."""
        self._log = path
        self.record({LOG_FACT: path})

    def log_disk_is_full(self) -> bool:
        """Whether what is printed now may be lost. One system call."""
        try:
            return is_full(os.fstatvfs(self.log_fd), as_root=os.geteuid() == 0)
        except OSError:
            return False

    def kept(self, serial: int) -> None:
        """Facts up to this serial number are committed."""
        with self._lock:
            self._kept = max(self._kept, serial)
            self._equipment.changed.notify_all()

    def nobody_listens(self) -> None:
        """The supervisor is gone, or the attempt is over: whoever waits is told that nothing more is kept."""
        with self._lock:
            self._deaf = True
            if self._serial:
                self._equipment.changed.notify_all()

    def facts(self) -> dict[str, Any]:
        """All that was recorded, the latest of each."""
        with self._lock:
            return dict(self._facts)


def _encode(environ: Mapping[str, str]) -> dict[bytes, bytes]:
    return {
        name.encode(_ENCODING, _ERRORS): value.encode(_ENCODING, _ERRORS) for name, value in environ.items()
    }
