"""The work that is measured: the same graphs, made from fixed seeds, written for every runner."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

Graph = Sequence[Sequence[int]]
"""For each task, by number, the numbers of those it depends on: smaller ones."""


@dataclass(frozen=True)
class Work:
    """A graph of tasks that all run `true` in bash, and how many may run at once."""

    name: str
    graph: Graph
    concurrency: int


def wide(count: int) -> Graph:
    """Tasks that depend on nothing."""
    return [()] * count


def chain(count: int) -> Graph:
    """Each task depends on the one before."""
    return [() if number == 0 else (number - 1,) for number in range(count)]


def layered(layers: int, width: int, dependencies: int) -> Graph:
    """Layers of tasks, each depending on some of the layer before."""
    draw = random.Random(4711)
    graph: list[tuple[int, ...]] = [()] * width
    for layer in range(1, layers):
        before = range((layer - 1) * width, layer * width)
        graph += [tuple(sorted(draw.sample(before, dependencies))) for _ in range(width)]
    return graph


def write_tasks_json(work: Work, folder: Path) -> None:
    """For mflow."""
    tasks = [
        {"id": f"t{number}", "type": "bash", "command": "true", "depends": [f"t{one}" for one in before]}
        for number, before in enumerate(work.graph)
    ]
    (folder / "tasks.json").write_text(json.dumps({"tasks": tasks}))
    (folder / "config.json").write_text(json.dumps({"max_process_concurrency": work.concurrency}))


def write_lines(work: Work, folder: Path) -> None:
    """For xargs and GNU parallel: one line a task."""
    (folder / "lines").write_text("true\n" * len(work.graph))


def write_makefile(work: Work, folder: Path) -> None:
    """For make, which runs each by `bash -c`; it keeps no state, as its targets are phony."""
    names = " ".join(f"t{number}" for number in range(len(work.graph)))
    rules = [f"SHELL = /bin/bash\n.PHONY: all {names}\nall: {names}"]
    for number, before in enumerate(work.graph):
        rules.append(f"t{number}: {' '.join(f't{one}' for one in before)}\n\t@true")
    (folder / "Makefile").write_text("\n".join(rules) + "\n")


def write_dodo(work: Work, folder: Path) -> None:
    """For doit."""
    (folder / "dodo.py").write_text(
        f"GRAPH = {[list(before) for before in work.graph]!r}\n"
        "def task_t():\n"
        "    for number, before in enumerate(GRAPH):\n"
        "        yield {'name': str(number), 'actions': [['bash', '-c', 'true']],\n"
        "               'task_dep': [f't:{one}' for one in before]}\n"
    )


def write_luigi(work: Work, folder: Path) -> None:
    """For luigi: a task is done when its file is there."""
    (folder / "flow.py").write_text(
        "import subprocess, pathlib, luigi\n"
        f"GRAPH = {[list(before) for before in work.graph]!r}\n"
        "class T(luigi.Task):\n"
        "    n = luigi.IntParameter()\n"
        "    def requires(self): return [T(n=one) for one in GRAPH[self.n]]\n"
        "    def output(self): return luigi.LocalTarget(f'done/{self.n}')\n"
        "    def run(self):\n"
        "        subprocess.run(['bash', '-c', 'true'], check=True)\n"
        "        pathlib.Path(f'done/{self.n}').touch()\n"
        "class All(luigi.WrapperTask):\n"
        "    def requires(self): return [T(n=n) for n in range(len(GRAPH))]\n"
    )
    (folder / "done").mkdir()
