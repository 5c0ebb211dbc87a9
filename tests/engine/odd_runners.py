"""Task types that behave in ways that bash does not: some wrongly, some with work in threads."""

import errno
import os
import threading
from pathlib import Path

from mflow.core.contracts import Job, Running, StopStep, Workbench
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome


class StartFails:
    """Has a defect."""

    def start(self, job: Job, bench: Workbench) -> Running:
        raise RuntimeError("the start is broken")


class Exhausts:
    """Cannot start anything while there is a file `exhausted` in its folder: the machine has no process left."""

    def start(self, job: Job, bench: Workbench) -> Running:
        if job.options.get("facts"):
            bench.record({"tag": "x"})
        if (Path(job.cwd) / "exhausted").exists():
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return bench.spawn(("bash", "-c", job.options["command"]))


class NoThread:
    """Needs a thread, and there can be none."""

    def start(self, job: Job, bench: Workbench) -> Running:
        raise RuntimeError("can't start new thread")


class StartFailsLate:
    """Has started a process when it notices that it cannot."""

    def start(self, job: Job, bench: Workbench) -> Running:
        pid = bench.spawn(("bash", "-c", job.options["command"])).pid
        assert pid is not None
        os.waitid(os.P_PID, pid, os.WSTOPPED | os.WNOWAIT)  # until it has stopped itself
        raise OSError("changed its mind")


class Wrapped:
    """Runs bash, but for what a subclass does."""

    def start(self, job: Job, bench: Workbench) -> Running:
        self._process = bench.spawn(("bash", "-c", job.options["command"]))
        self.pid = self._process.pid
        return self

    def fileno(self) -> int:
        return self._process.fileno()

    def finish(self) -> AttemptEnd:
        return self._process.finish()

    def stop(self, step: StopStep) -> None:
        self._process.stop(step)


class FinishFails(Wrapped):
    def finish(self) -> AttemptEnd:
        raise KeyError("the finish is broken")


class StopFails(Wrapped):
    def stop(self, step: StopStep) -> None:
        raise RuntimeError(f"{step.name} is broken")


class StopForbidden(Wrapped):
    """Its leader runs as another user."""

    def stop(self, step: StopStep) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


class SaysUnknown(Wrapped):
    def finish(self) -> AttemptEnd:
        self._process.finish()
        return AttemptEnd(Outcome.UNKNOWN, message="the far side does not answer")


class Deaf:
    """Never ends. Its patience is a Remote's."""

    pid: int | None = None
    patience_seconds = 0.0
    sessions: frozenset[int] = frozenset()

    def start(self, job: Job, bench: Workbench) -> Running:
        self._read, self._write = os.pipe()
        return self

    def fileno(self) -> int:
        return self._read

    def finish(self) -> AttemptEnd:
        raise AssertionError("it has not ended")

    def stop(self, step: StopStep) -> None:
        """Does not listen."""


class Recorder(Deaf):
    """Records facts in its thread, waits until they are kept, and ends."""

    def start(self, job: Job, bench: Workbench) -> Running:
        super().start(job, bench)
        self._kept: list[bool] = []
        threading.Thread(target=self._work, args=(bench,), daemon=True).start()
        return self

    def _work(self, bench: Workbench) -> None:
        bench.record({"session": "1,2", "tries": 1})
        self._kept.append(bench.record({"tries": 2}, wait_seconds=60.0))
        os.write(self._write, b"\0")

    def finish(self) -> AttemptEnd:
        os.close(self._read)
        os.close(self._write)
        return AttemptEnd(Outcome.EXITED, exit_code=0, message=f"kept: {self._kept}")


class DoneAnyway(Deaf):
    """Is told to end when its work is done already."""

    def stop(self, step: StopStep) -> None:
        os.write(self._write, b"\0")

    def finish(self) -> AttemptEnd:
        os.close(self._read)
        os.close(self._write)
        return AttemptEnd(Outcome.EXITED, exit_code=0)


class StartRecorder(Deaf):
    """Does the same in the worker's own thread, before it returns."""

    def start(self, job: Job, bench: Workbench) -> Running:
        super().start(job, bench)
        self._kept = bench.record({"session": "3,4"}, wait_seconds=60.0)
        os.write(self._write, b"\0")
        return self

    def finish(self) -> AttemptEnd:
        os.close(self._read)
        os.close(self._write)
        return AttemptEnd(Outcome.EXITED, exit_code=0, message=f"kept: {self._kept}")


class Untellable:
    """Records what cannot be kept."""

    def start(self, job: Job, bench: Workbench) -> Running:
        bench.record({"connection": object()})
        raise AssertionError("not reached")
