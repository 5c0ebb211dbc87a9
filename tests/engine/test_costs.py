"""What a task costs, counted where a clock would tell little: messages, transactions, turns, system calls.

The limits leave room for what a slow machine adds: an attempt that lasts a moment is also announced (`Started`).
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.engine.driven import run_scenario

MODULE = "tests.engine.cost_scenarios"

_STARTED = re.compile(r"^clone3?\(.*CLONE_VFORK", re.MULTILINE)


@pytest.mark.parametrize(("scenario", "tasks"), [("chain", 30), ("wide", 200)])
def test_messages_and_transactions_of_a_task(scenario: str, tasks: int, tmp_path: Path) -> None:
    counts = run_scenario(MODULE, scenario, tmp_path)
    assert counts["said"] <= 2 * tasks + 10, "a Run and an Ack, and what a worker is told at its end"
    assert counts["sendings"] <= 2 * counts["batches"] + 10, "what follows from a batch, once to each worker"
    assert counts["received"] <= 2 * tasks + 10, "an Ended, and a Started if it lasts"
    assert counts["batches"] <= 2 * tasks + 5, "an end with the next claim, and a Started if it lasts"
    assert counts["turns"] <= 6 * tasks + 20


def test_nothing_is_polled_while_tasks_run(tmp_path: Path) -> None:
    assert run_scenario(MODULE, "patient", tmp_path)["turns"] <= 60


def traced(folder: Path, length: int) -> dict[str, int]:
    """System calls of a chain: of the supervisor (its writer too) in all, of its one worker for the cheapest task.

    What announces a slow one is left out there: in a traced worker on a busy machine all may be slow.
    """
    folder.mkdir()
    chain = [
        {"id": f"t{no}", "type": "bash", "command": "true", "depends": [f"t{no - 1}"] if no else []}
        for no in range(length)
    ]
    (folder / "tasks.json").write_text(json.dumps({"tasks": chain}))
    (folder / "config.json").write_text('{"max_process_concurrency": 1, "check_new_config_interval": 3600}')
    command = ["strace", "-ff", "-o", str(folder / "trace"), sys.executable, "-m", "mflow"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if "ptrace" in done.stderr or "PTRACE" in done.stderr:
        pytest.skip("tracing is not allowed here")
    assert done.returncode == 0, done.stderr
    traces = {int(path.suffix[1:]): path.read_text() for path in folder.glob("trace.*")}
    counts = {"supervisor": 0, "worker": 0}
    for pid, text in traces.items():
        if pid == min(traces) or "fdatasync(" in text:
            counts["supervisor"] += text.count("\n")
        elif "mflow_" not in text and len(tasks := _STARTED.split(text)) > 2:
            counts["worker"] = min(task.count("\n") - 8 * ("/stat" in task) for task in tasks[1:-1])
    return counts


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not here")
def test_system_calls_of_a_task(tmp_path: Path) -> None:
    few, many = traced(tmp_path / "few", 10), traced(tmp_path / "many", 110)
    assert 0 < many["worker"] <= 32, many
    assert 0 < (many["supervisor"] - few["supervisor"]) / 100 <= 45, (few, many)
