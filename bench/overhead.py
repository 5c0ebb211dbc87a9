"""The CPU time that mflow itself spends on a task: in the supervisor, and in workers beyond the task's own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import measure
import work as w
from bare import bare_cpu
from peers import MFLOW

ONE = w.Work("one", w.wide(1), 2)
MANY = w.Work("wide", w.wide(5000), 2)


def overhead(rounds: int, folder: Path) -> None:
    """Print CPU milliseconds a task, those of a run of one task taken off."""
    supervisor, workers, bare = [], [], []
    for number in range(rounds + 1):
        small, large = (_run(work, folder / f"cpu-{number}-{work.name}") for work in (ONE, MANY))
        if number:
            beyond = len(MANY.graph) - len(ONE.graph)
            supervisor.append((large[0] - small[0]) / beyond)
            workers.append((large[1] - small[1]) / beyond)
            bare.append(bare_cpu(folder / f"bare-{number}"))
    print(f"\nCPU time a task, {len(MANY.graph):,} tasks, {rounds} rounds\n")
    print("| | ms |")
    print("|---|---|")
    print(f"| supervisor | {measure.median(supervisor) * 1000:.3f} |")
    print(f"| worker, beyond the task's own | {measure.median(workers) * 1000:.3f} |")
    print(f"| (a worker's system calls alone, in a bare loop) | {measure.median(bare) * 1000:.3f} |")


def _run(work: w.Work, place: Path) -> tuple[float, float]:
    """CPU seconds of the supervisor, and of all else that was not the tasks' own."""
    place.mkdir()
    w.write_tasks_json(work, place)
    figures = measure.run(MFLOW, place)
    return figures.own_cpu, figures.cpu - figures.own_cpu - _of_tasks(place)


def _of_tasks(place: Path) -> float:
    """What the kernel charged to the tasks themselves, as mflow has recorded it."""
    with closing(sqlite3.connect(place / "mflow.db")) as database:
        return float(database.execute("SELECT sum(cpu_seconds) FROM mflow_attempts").fetchone()[0])
