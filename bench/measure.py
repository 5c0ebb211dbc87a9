"""Runs a command and measures its whole process tree, orphans included."""

import ctypes
import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Figures:
    """One run, measured."""

    wall: float  # seconds until the process that was started had ended
    cpu: float  # seconds of the whole tree, user and system
    own_cpu: float  # the same of that process alone
    peak_mib: (
        float  # the largest process of the tree; never below this program's own size (exec carries it over)
    )


def adopt_orphans() -> None:
    """Let what outlives its parent become a child of this process (prctl(2)), so that its CPU time is counted."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def run(command: Sequence[str], folder: Path, environ: Mapping[str, str] | None = None) -> Figures:
    """Run a command in a folder, and wait for all that comes of it. Exits if it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = monotonic()
    process = subprocess.Popen(
        command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    wall = monotonic() - began
    own_cpu = cpu_of(process.pid)
    _, status, used = os.wait4(process.pid, 0)
    peak = max([used.ru_maxrss, *_reap_orphans()])
    if os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} failed: {errors.decode(errors='replace')[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return Figures(wall, cpu, own_cpu, peak / 1024)


def cpu_of(pid: int) -> float:
    """CPU seconds of one process, its children's not included (proc(5): utime, stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def median(values: Iterable[float]) -> float:
    """The median of what the rounds gave."""
    return statistics.median(values)


def _reap_orphans() -> list[int]:
    """Wait for all that is left below this process; the peak memory of each, in KiB."""
    peaks = []
    with suppress(ChildProcessError):
        while True:
            peaks.append(os.wait4(-1, 0)[2].ru_maxrss)
    return peaks
