"""Runs mflow and its peers over the same work, interleaved, and prints medians and ratios to xargs.

    tox -e bench                      everything
    tox -e bench -- --rounds 7 wide   one work only

Each figure is of a whole process tree: wall seconds, CPU seconds (user and system, the tasks' included), and the
largest resident set of a single process. A ratio is taken within its round, so that it holds while the machine's
speed drifts. An absolute time means nothing on a shared machine.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import work as w

WORKS = (
    w.Work("one", w.wide(1), 2),
    w.Work("wide", w.wide(1000), 2),
    w.Work("layered", w.layered(20, 100, 3), 2),
    w.Work("chain", w.chain(200), 1),
)


@dataclass(frozen=True)
class Runner:
    """A peer: how its files are written, and its command in their folder. `most`: larger works are left out."""

    name: str
    write: Callable[[w.Work, Path], None]
    command: Callable[[w.Work], Sequence[str]]
    most: int = 10**9


@dataclass(frozen=True)
class Figures:
    """One run, measured."""

    wall: float
    cpu: float
    peak_mib: float


def main() -> int:
    """Measure what is asked for; 1 if a runner failed."""
    arguments = _arguments()
    runners = _runners(arguments.peers)
    for work in WORKS:
        if not arguments.works or work.name in arguments.works:
            _measure(work, [runner for runner in runners if len(work.graph) <= runner.most], arguments.rounds)
    return 0


def _measure(work: w.Work, runners: Sequence[Runner], rounds: int) -> None:
    measured: dict[str, list[Figures]] = {runner.name: [] for runner in runners}
    for number in range(rounds + 1):
        for runner in runners:
            figures = _run(runner, work)
            if number:  # the first round warms caches and is not counted
                measured[runner.name].append(figures)
    _print_table(work, measured)


def _run(runner: Runner, work: w.Work) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder = Path(name)
        runner.write(work, folder)
        began = time.monotonic()
        process = subprocess.Popen(
            runner.command(work), cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        errors = process.stderr.read()
        _, status, used = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        if os.waitstatus_to_exitcode(status):
            sys.exit(f"{runner.name} failed at {work.name}: {errors.decode(errors='replace')[-2000:]}")
    return Figures(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _print_table(work: w.Work, measured: dict[str, list[Figures]]) -> None:
    reference = measured["xargs"]
    print(f"\n{work.name}: {len(work.graph):,} tasks, {work.concurrency} at once\n")
    print("| runner | wall / xargs | wall s | CPU s | largest process MiB |")
    print("|---|---|---|---|---|")
    for name, runs in measured.items():
        ratios = [one.wall / other.wall for one, other in zip(runs, reference, strict=True)]
        figures = (
            statistics.median(ratios),
            statistics.median(run.wall for run in runs),
            statistics.median(run.cpu for run in runs),
            statistics.median(run.peak_mib for run in runs),
        )
        print("| {} | {:.2f} | {:.2f} | {:.2f} | {:.0f} |".format(name, *figures))
    sys.stdout.flush()


def _runners(peers: Path | None) -> list[Runner]:
    """Those that are here; the others are named."""
    found = [
        Runner(
            "xargs",
            w.write_lines,
            lambda work: ("sh", "-c", f"xargs -a lines -P{work.concurrency} -n1 bash -c"),
        ),
        Runner("mflow", w.write_tasks_json, lambda _: (sys.executable, "-m", "mflow")),
    ]
    if shutil.which("make"):
        found.append(Runner("make", w.write_makefile, lambda work: ("make", "-s", f"-j{work.concurrency}")))
    if shutil.which("parallel"):
        found.append(
            Runner(
                "parallel --joblog",
                w.write_lines,
                lambda work: (
                    "parallel",
                    f"-j{work.concurrency}",
                    "--joblog",
                    "log",
                    "-a",
                    "lines",
                    "bash",
                    "-c",
                ),
                most=1000,
            )
        )
    python = peers / "bin" / "python" if peers else None
    if python and _has(python, "doit"):
        found.append(
            Runner(
                "doit", w.write_dodo, lambda work: (str(python), "-m", "doit", "-n", str(work.concurrency))
            )
        )
    if python and _has(python, "luigi"):
        command = ("-m", "luigi", "--module", "flow", "All", "--local-scheduler", "--workers")
        found.append(
            Runner(
                "luigi",
                w.write_luigi,
                lambda work: ("env", "PYTHONPATH=.", str(python), *command, str(work.concurrency)),
            )
        )
    here = {runner.name for runner in found}
    absent = [name for name in ("make", "parallel --joblog", "doit", "luigi") if name not in here]
    print(f"measured: {', '.join(sorted(here))}; not here: {', '.join(absent) or 'none'}")
    return found


def _has(python: Path, module: str) -> bool:
    if not python.exists():
        return False
    return (
        subprocess.run((python, "-c", f"import {module}"), stderr=subprocess.DEVNULL, check=False).returncode
        == 0
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "works", nargs="*", help=f"of {', '.join(work.name for work in WORKS)}; all by default"
    )
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--peers", type=Path, help="a virtual environment that has doit and luigi")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
