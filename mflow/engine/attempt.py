"""One attempt in a worker: started, watched, ended with its whole tree, and what is to be said of it.

::

    RUNS ──ended by itself, well──► LINGERS ──nothing left, or leftovers kept──────────────────► over
     │                                 └──leftovers to be killed──┐
     ├──ended by itself, not well, something is left──────────► SWEEPS ──nothing left, or─────► over
     └──told to end: ASK, INSIST, KILL──its leader has ended──────┘      patience at its end

The caller feeds what happens, each time with the monotonic time: `ready` (the leader has ended), `child_ended`,
`on_time` (when `next_at` has come) and `stop`. Nothing here waits.

Ending goes top down. ASK at once: TERM to the leader. When that is gone: TERM to the roots of what it left, and
again to those that become roots as these end. INSIST at half the grace: TERM to all that remains. KILL at its end,
again and again until nothing is left or `PATIENCE_SECONDS` are over.
"""

import os
import traceback
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from math import inf
from signal import SIGKILL, SIGTERM
from typing import TYPE_CHECKING

from mflow.core.contracts import Job, Remote, Runner, Running, StopStep
from mflow.core.disks import with_lost_output
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine import tree
from mflow.engine.bench import Bench
from mflow.engine.clock import boot_seconds
from mflow.engine.lacks import lack_in
from mflow.engine.messages import WorkerSettings
from mflow.engine.process import Launcher

if TYPE_CHECKING:
    import psutil

LINGER_SECONDS = 0.05
"""What is left by a successful attempt may still be ending by itself (a `tee` behind its output): so long."""

KILL_AGAIN_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
"""What has not ended so long after a KILL (a process in uninterruptible sleep) is reported, not waited for."""

_MOST_SCANS = 10
_MOST_VAIN_SHOTS = 100


class _Phase(Enum):
    RUNS = auto()
    LINGERS = auto()
    SWEEPS = auto()


class Attempt:
    """An attempt from its log's creation to its end. `over` is None until then."""

    def __init__(
        self, job: Job, bench: Bench, launcher: Launcher, settings: WorkerSettings, log: str
    ) -> None:
        self.key = (job.task_no, job.attempt)
        self.log = log
        self.bench = bench
        self.over: AttemptEnd | None = None
        self.unfit = False  # something is left that makes this worker no good for another attempt
        self.lack = ""  # it did not begin since the machine lacks this for now, in words
        self.started_at: datetime | None = None
        self._started_boot = 0.0  # the same, by a clock that nobody sets
        self._job, self._launcher, self._settings = job, launcher, settings
        self._running: Running | None = None
        self._end: AttemptEnd | None = None  # the task type's word
        self._phase = _Phase.RUNS
        self._why: Outcome | None = None  # it was told to end
        self._reason = ""
        self._deadline = self._linger_at = self._insist_at = self._kill_at = self._give_up_at = inf
        self._killing = False
        self._asked: set[int] = set()

    @property
    def pid(self) -> int | None:
        """Leader of the attempt's processes."""
        return self._running.pid if self._running else None

    def fileno(self) -> int:
        """What becomes readable when the leader has ended."""
        assert self._running is not None
        return self._running.fileno()

    @property
    def log_fd(self) -> int | None:
        """The log's descriptor, to be closed when the end is kept; None while somebody may still write to it."""
        return None if self._end is None else self.bench.log_fd

    def close_log(self) -> None:
        """There is no end to be kept."""
        if self.log_fd is not None:
            os.close(self.log_fd)

    @property
    def next_at(self) -> float:
        """When `on_time` wants to be called; infinite if never."""
        return min(self._deadline, self._linger_at, self._insist_at, self._kill_at, self._give_up_at)

    # ---------------------------------------------------------------------------------------- what happens

    def start(self, runner: Runner, now: float) -> bool:
        """Begin; false if there is no `fileno` to watch: it ended at once, or is being swept."""
        self.started_at, self._started_boot = datetime.now(UTC), boot_seconds()
        try:
            self._running = runner.start(self._job, self.bench)
        except Exception as error:  # noqa: BLE001  (a task type's defect ends its attempt, not the worker)
            self._not_started(error, now)
        else:
            if self._why:  # told to end while it was starting
                self._tell(StopStep.ASK)
            elif self._job.timeout_seconds is not None:
                self._deadline = now + self._job.timeout_seconds
            return True
        return False

    def fail(self, message: str, now: float) -> None:
        """It cannot even be given to its task type."""
        self._leader_ended(AttemptEnd(Outcome.ERROR, message=message), now)

    def ready(self, now: float) -> None:
        """The leader has ended."""
        assert self._running is not None
        try:
            end = self._running.finish()
        except Exception as error:  # noqa: BLE001  (see `start`)
            end = self._defect("finish", error)
        self._leader_ended(end, now)

    def child_ended(self) -> None:
        """A child of the worker has ended: the leader perhaps (`ready` will tell), or an orphan."""
        left = self._launcher.anything_left()
        if self._phase is _Phase.RUNS or self.over:
            return
        if not left:
            self._conclude()
        elif self._phase is _Phase.SWEEPS and not self._killing:
            self._ask_roots()

    def stop(self, why: Outcome, reason: str, grace_seconds: float, now: float) -> None:
        """End it as TIMED_OUT or CANCELLED. Said again, the shorter grace holds.

        One that has ended by itself meanwhile keeps its own end.
        """
        if self.over or self._phase is _Phase.LINGERS:
            return
        if self._phase is _Phase.RUNS and self._why is None:
            self._why, self._reason = why, reason
            self._deadline = inf
            self._tell(StopStep.ASK)
        self._hasten(grace_seconds, now)

    def on_time(self, now: float) -> None:
        """Do what is due."""
        if now >= self._deadline:
            limit = f"timed out after {self._job.timeout_seconds:g} s"
            self.stop(Outcome.TIMED_OUT, limit, self._settings.grace_seconds, now)
        if now >= self._linger_at:
            self._linger_at = inf
            self._keep_or_sweep(now)
        if now >= self._give_up_at:
            self._give_up()
        elif now >= self._kill_at:
            self._kill(now)
        elif now >= self._insist_at:
            self._insist()

    # -------------------------------------------------------------------------------------------- its end

    def _not_started(self, error: Exception, now: float) -> None:
        """Nothing of it ran, unless the task type had started a process before it failed."""
        outcome = Outcome.ERROR if self._launcher.has_started else Outcome.NOT_STARTED
        if outcome is Outcome.NOT_STARTED:
            self.lack = lack_in(error)
        if self.lack or isinstance(error, OSError | ValueError):
            self._leader_ended(AttemptEnd(outcome, message=f"cannot start: {_said_by(error)}"), now)
        else:
            self._leader_ended(self._defect("start", error), now)

    def _leader_ended(self, end: AttemptEnd, now: float) -> None:
        self._end = end
        self._deadline = inf
        if not self._launcher.anything_left():
            self._conclude()
        elif end.ok and self._why is None:
            self._phase = _Phase.LINGERS
            self._linger_at = now + LINGER_SECONDS
        else:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """End what the leader left behind."""
        self._phase = _Phase.SWEEPS
        self._hasten(self._settings.grace_seconds, now)
        if not self._killing:
            self._ask_roots()

    def _keep_or_sweep(self, now: float) -> None:
        left = tree.descendants()
        if self._settings.leftovers == "kill":
            self._sweep(now)
        elif left:
            self._conclude(leftovers=left)
        else:
            self._linger_at = now + LINGER_SECONDS  # the dead are still to be waited for

    def _conclude(
        self,
        *,
        survivors: "Sequence[psutil.Process]" = (),
        leftovers: "Sequence[psutil.Process]" = (),
    ) -> None:
        end = self._end or AttemptEnd(Outcome.UNKNOWN)
        outcome, message = self._verdict(end, survivors, leftovers)
        if not end.ok and outcome is not Outcome.NOT_STARTED and self.bench.log_disk_is_full():
            message = with_lost_output(message)
        self.over = AttemptEnd(
            outcome,
            end.exit_code,
            end.signal,
            end.error,
            message,
            None if outcome is Outcome.NOT_STARTED else self.started_at,
            self._ended_at(),
            end.cpu_seconds,
            end.max_rss_bytes,
            tree.pids(survivors),
            tree.pids(leftovers),
            end.retry_safe,
        )
        self.unfit = bool(self._end is None or survivors or leftovers)
        self._linger_at = self._insist_at = self._kill_at = self._give_up_at = inf
        self.bench.nobody_listens()
        self._launcher.forget()

    def _ended_at(self) -> datetime:
        """By how long it took, so that this is true also if the wall clock was set meanwhile."""
        if self.started_at is None:
            return datetime.now(UTC)
        return self.started_at + timedelta(seconds=boot_seconds() - self._started_boot)

    def _verdict(
        self, end: AttemptEnd, survivors: "Sequence[psutil.Process]", leftovers: "Sequence[psutil.Process]"
    ) -> tuple[Outcome, str | None]:
        """The one word, and the line for a person. What was told to end and survives is not proven over."""
        if not (self._why or survivors or leftovers) and self._end is not None:
            return end.outcome, end.message or None
        # Work elsewhere is proven done or not: a commit that a stop came too late for must not be made twice.
        ended_well = end.ok and (self._why is None or isinstance(self._running, Remote))
        parts = [self._reason]
        if not self._why or end.outcome is Outcome.UNKNOWN:
            parts.append(end.message or "")
        if survivors:
            parts.append(f"could not be ended: {tree.describe(survivors)}")
        elif self._end is None:
            parts.append("it did not end when told to")
        if leftovers:
            parts.append(f"left running: {tree.describe(leftovers)}")
        message = "; ".join(filter(None, parts)) or None
        if end.outcome is Outcome.UNKNOWN or (survivors and not ended_well):
            return Outcome.UNKNOWN, message
        if ended_well:
            return end.outcome, message
        return self._why or end.outcome, message

    def _defect(self, call: str, error: Exception) -> AttemptEnd:
        """A task type has failed in a way that it does not foresee: said in short, and in full in the log."""
        with suppress(OSError):
            os.write(self.bench.log_fd, "".join(traceback.format_exception(error)).encode(errors="replace"))
        said = f"{type(error).__name__}: {_said_by(error)}"
        return AttemptEnd(
            Outcome.ERROR, message=f"defect of task type {self._job.type!r} ({call}): {said}"[:500]
        )

    # --------------------------------------------------------------------------------------- the three steps

    def _hasten(self, grace_seconds: float, now: float) -> None:
        if not self._killing:
            self._kill_at = min(self._kill_at, now + grace_seconds)
            self._insist_at = min(self._insist_at, now + grace_seconds / 2)

    def _ask_roots(self) -> None:
        """TERM to what has no parent left but the worker, once to each."""
        roots = set(tree.child_pids()) - self._asked
        self._asked |= roots
        tree.signal_children(roots, SIGTERM)

    def _insist(self) -> None:
        self._insist_at = inf
        self._tell(StopStep.INSIST)
        if self._launcher.anything_left():
            tree.signal_all(self._to_sweep(), SIGTERM)

    def _kill(self, now: float) -> None:
        """KILL to all, as often as a further look finds somebody new; then hunt for who forks faster than we look."""
        if not self._killing:
            self._killing = True
            self._give_up_at = now + self._patience()
        self._insist_at = inf
        self._kill_at = now + KILL_AGAIN_SECONDS
        self._tell(StopStep.KILL)
        killed: set[psutil.Process] = set()
        for _ in range(_MOST_SCANS):
            if not self._launcher.anything_left():
                break
            new = [process for process in self._to_sweep() if process not in killed]
            if not new:
                break
            killed.update(new)
            tree.signal_all(new, SIGKILL)
        self._hunt()
        self.child_ended()

    def _hunt(self) -> None:
        """KILL to direct children, over and over: what they leave is ours at once, also if it lives but a moment.

        A process that forks and exits in a circle is somebody else before a look at the whole tree is over; among
        our children it is met in the end.
        """
        helping, before, vain = self._helping(), [0], 0
        while vain < _MOST_VAIN_SHOTS and self._launcher.anything_left():
            prey = [pid for pid in tree.child_pids() if not helping or tree.session(pid) not in helping]
            tree.signal_children(prey, SIGKILL)
            before, vain = prey, vain + 1 if prey == before else 0

    def _to_sweep(self) -> "list[psutil.Process]":
        """All that is left, but for what is just ending the attempt's work elsewhere."""
        helping, left = self._helping(), tree.descendants()
        return [each for each in left if tree.session(each.pid) not in helping] if helping else left

    def _helping(self) -> frozenset[int]:
        if self._end is None and isinstance(self._running, Remote):
            return self._running.sessions
        return frozenset()

    def _patience(self) -> float:
        return self._running.patience_seconds if isinstance(self._running, Remote) else PATIENCE_SECONDS

    def _give_up(self) -> None:
        left = tree.descendants() if self._launcher.anything_left() else []
        self._conclude(survivors=left)

    def _tell(self, step: StopStep) -> None:
        """The task type's own part in the ending, while its leader has not ended."""
        if self._running is None or self._end is not None:
            return
        try:
            self._running.stop(step)
        except PermissionError:
            pass  # it runs as another user by now (sudo): it will be named among the survivors
        except Exception as error:  # noqa: BLE001  (see `start`; the next step comes all the same)
            self._defect("stop", error)


def _said_by(error: Exception) -> str:
    """The text of an error without the number that Python puts before it."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error)
