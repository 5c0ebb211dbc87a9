"""A graph of 100,000 tasks with 3 dependencies each: loaded, driven, looked at, resumed."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

import measure
import work as w
from peers import MFLOW, Runner

WORK = w.Work("large", w.layered(100, 1000, 3), 2)
SMALL = w.Work("wide10k", w.wide(10_000), 2)


def large(rounds: int, folder: Path) -> None:
    """Load it; start it; look at it; resume it until the first task is dispatched."""
    place = folder / "large"
    place.mkdir()
    w.write_tasks_json(WORK, place)
    loads = [measure.run((*MFLOW, "validate"), place) for _ in range(rounds)]
    first = _until_dispatch(MFLOW, place)
    looks = [measure.run((*MFLOW, "status"), place) for _ in range(rounds)]
    programs = [measure.run((*MFLOW, "status", "--json"), place) for _ in range(rounds)]
    resumes = [_until_dispatch((*MFLOW, "resume", "1"), place) for _ in range(rounds)]
    print(f"\nlarge: {len(WORK.graph):,} tasks, 3 dependencies each; whole processes, {rounds} rounds\n")
    print("| | wall s | largest process MiB |")
    print("|---|---|---|")
    for name, runs in (("load and validate", loads), ("status", looks), ("status --json", programs)):
        wall, peak = (measure.median(run.wall for run in runs), measure.median(run.peak_mib for run in runs))
        print(f"| {name} | {wall:.2f} | {peak:.0f} |")
    print(f"| run, to its first dispatch | {first:.2f} | |")
    print(f"| resume, to its first dispatch | {measure.median(resumes):.2f} | |")


def drive(runner: Runner, reference: Runner, folder: Path) -> None:
    """Drive all of it, once: minutes. The ratio to xargs must be that of the small one."""
    print("\ndriven to the end, once each\n")
    print("| tasks | xargs tasks / s | mflow tasks / s | mflow / xargs wall | largest process MiB |")
    print("|---|---|---|---|---|")
    for work in (SMALL, WORK):
        figures = []
        for each in (reference, runner):
            place = folder / f"drive-{work.name}-{each.name}"
            place.mkdir()
            each.write(work, place)
            figures.append(measure.run(each.command(work), place))
        shell, ours = figures
        count = len(work.graph)
        print(
            f"| {count:,} | {count / shell.wall:.0f} | {count / ours.wall:.0f} "
            f"| {ours.wall / shell.wall:.2f} | {ours.peak_mib:.0f} |"
        )


def _until_dispatch(command: Sequence[str], place: Path) -> float:
    """Seconds from the start of a run to the line that says a task has started; the run is then stopped."""
    began = monotonic()
    process = subprocess.Popen(
        command, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    took = 0.0
    for line in process.stdout:
        if line.rstrip().endswith("started"):
            took = monotonic() - began
            break
    os.kill(process.pid, signal.SIGTERM)
    process.communicate()
    return took
