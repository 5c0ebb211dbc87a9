"""Short-lived commands of the cluster's own (yarn, kinit, spark-class), with a limit to their time."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Errands:
    """Runs one command after another in sessions of their own, which the worker spares while it ends the attempt."""

    def __init__(self, cwd: str) -> None:
        self._cwd = cwd
        self._lock = threading.Lock()
        self._sessions: frozenset[int] = frozenset()

    @property
    def sessions(self) -> frozenset[int]:
        """Of the commands under way."""
        return self._sessions

    def run(self, command: Sequence[str], environ: Mapping[str, str], seconds: float) -> str | None:
        """What it said on stdout and stderr; None if it could not start or took too long.

        Its exit code says nothing: the worker waits for all its children and may have been quicker.
        """
        try:
            process = subprocess.Popen(
                command,
                env=dict(environ),
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError:
            return None
        self._note(add=process.pid)
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            return None
        finally:
            self._note(remove=process.pid)
        return said.decode("utf-8", "replace")

    def _note(self, *, add: int | None = None, remove: int | None = None) -> None:
        with self._lock:
            self._sessions = (self._sessions | {add} if add else self._sessions) - {remove or 0}
