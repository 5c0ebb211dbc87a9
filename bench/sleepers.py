"""500 tasks that sleep, all at once: how soon all run, what a worker weighs, what the idle supervisor does."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import measure
from peers import MFLOW

COUNT = 500
PATIENCE_SECONDS = 60.0
WATCHED_SECONDS = 10


def sleepers(folder: Path) -> None:
    """Start them, watch, and stop them."""
    place = folder / "sleepers"
    place.mkdir()
    tasks = [{"id": f"t{number}", "type": "bash", "command": "exec sleep 600"} for number in range(COUNT)]
    (place / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    (place / "config.json").write_text(json.dumps({"max_process_concurrency": COUNT}))
    began = monotonic()
    process = subprocess.Popen(MFLOW, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    lines = (line for line in process.stdout if line.rstrip().endswith("started"))
    for _ in range(COUNT):
        if not next(lines, ""):
            sys.exit("sleepers: the run ended before all had started")
    while len(workers := _sleeping_parents()) < COUNT and monotonic() < began + PATIENCE_SECONDS:
        sleep(0.01)  # the last of them are still to become `sleep`
    took = monotonic() - began
    weights = _weights(workers)
    calls = _system_calls(process.pid)
    cpu = measure.cpu_of(process.pid)
    process.send_signal(signal.SIGTERM)
    process.communicate()
    print(f"\n{COUNT} sleeping tasks at once\n")
    print("| | |")
    print("|---|---|")
    print(f"| all run after | {took:.1f} s |")
    print(f"| workers | {len(weights)} |")
    print(f"| PSS of a worker, MiB: median, largest | {measure.median(weights):.1f}, {max(weights):.1f} |")
    print(f"| CPU of the supervisor until then | {cpu:.1f} s |")
    print(f"| system calls of the idle supervisor a second | {calls} |")


def _sleeping_parents() -> list[int]:
    """The workers: the parents of all processes that were started as `sleep 600`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (entry / "cmdline").read_bytes() == b"sleep\x00600\x00":
                found.append(int((entry / "stat").read_text().rpartition(")")[2].split()[1]))
        except OSError:
            continue  # it has just ended
    return found


def _weights(pids: list[int]) -> list[float]:
    """Proportional set sizes in MiB (proc(5), smaps_rollup)."""
    return [_weight(Path(f"/proc/{pid}/smaps_rollup").read_text()) for pid in pids]


def _weight(text: str) -> float:
    line = next(line for line in text.splitlines() if line.startswith("Pss:"))
    return int(line.split()[1]) / 1024


def _system_calls(pid: int) -> str:
    """How many system calls all its threads make a second while nothing happens."""
    if not shutil.which("strace"):
        return "not counted: strace is not here"
    watched = ("timeout", str(WATCHED_SECONDS), "strace", "-f", "-c", "-p", str(pid))
    counted = subprocess.run(watched, stderr=subprocess.PIPE, text=True, check=False).stderr
    total = next((line for line in counted.splitlines() if line.endswith("total")), "")
    if not total:
        return f"not counted: {counted.strip().splitlines()[-1:]}"
    return f"{int(total.split()[3]) / WATCHED_SECONDS:.1f}"
