"""The runners that are compared, and which of them are here."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import work as w

MFLOW = (sys.executable, "-m", "mflow")


@dataclass(frozen=True)
class Runner:
    """A peer: how its files are written, and its command in their folder. `most`: larger works are left out."""

    name: str
    write: Callable[[w.Work, Path], None]
    command: Callable[[w.Work], Sequence[str]]
    most: int = 10**9


def runners(peers: Path | None) -> list[Runner]:
    """Those that are here, xargs first; the others are named. `peers`: an environment that has doit and luigi."""
    found = [
        Runner("xargs", w.write_lines, _xargs),
        Runner("mflow", w.write_tasks_json, lambda _: MFLOW),
    ]
    if shutil.which("make"):
        found.append(Runner("make", w.write_makefile, _make))
    if shutil.which("parallel"):
        found.append(Runner("parallel --joblog", w.write_lines, _parallel, most=2000))
    python = peers / "bin" / "python" if peers else None
    if python and _has(python, "doit"):
        found.append(Runner("doit", w.write_dodo, lambda work: _doit(python, work), most=2000))
    if python and _has(python, "luigi"):
        found.append(Runner("luigi", w.write_luigi, lambda work: _luigi(python, work), most=2000))
    here = [runner.name for runner in found]
    absent = [name for name in ("make", "parallel --joblog", "doit", "luigi") if name not in here]
    print(f"runners: {', '.join(here)}; not here: {', '.join(absent) or 'none'}")
    return found


def _xargs(work: w.Work) -> Sequence[str]:
    return ("xargs", "-a", "lines", f"-P{work.concurrency}", "-n1", "bash", "-c")


def _make(work: w.Work) -> Sequence[str]:
    return ("make", "-s", f"-j{work.concurrency}")


def _parallel(work: w.Work) -> Sequence[str]:
    return (
        "parallel",
        "--will-cite",
        f"-j{work.concurrency}",
        "--joblog",
        "log",
        "-a",
        "lines",
        "bash",
        "-c",
    )


def _doit(python: Path, work: w.Work) -> Sequence[str]:
    return (str(python), "-m", "doit", "-n", str(work.concurrency))


def _luigi(python: Path, work: w.Work) -> Sequence[str]:
    command = ("-m", "luigi", "--module", "flow", "All", "--local-scheduler", "--workers")
    return ("env", "PYTHONPATH=.", str(python), *command, str(work.concurrency))


def _has(python: Path, module: str) -> bool:
    if not python.exists():
        return False
    asked = subprocess.run((python, "-c", f"import {module}"), stderr=subprocess.DEVNULL, check=False)
    return asked.returncode == 0
