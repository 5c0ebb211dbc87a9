"""A life of a run: random tasks, random deaths, resumed until it is done, and then held against what it promised."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Sequence
from typing import Any

from tests.chaos import census
from tests.chaos.ledger import TASK, Figures, Ledger, compare
from tests.chaos.site import Run, Site

MOST_RESUMES = 200
"""A run that is not done after so many does not get on."""

FAIR_CODES = (1, 143, -signal.SIGKILL, -signal.SIGTERM)
"""How a supervisor may leave a run that is not done yet."""

GENTLE = (
    ("supervisor",),
    ("forkserver",),
    ("tracker",),
    ("supervisor", "forkserver"),
    ("supervisor", "tracker"),
)
"""Deaths that must cost nothing at all: no attempt is lost, no work is done twice."""

CRUEL = (
    *GENTLE,
    ("worker",),
    ("worker", "worker"),
    ("worker", "supervisor"),
    ("inner",),
    ("inner", "supervisor"),
    ("stop",),
    ("stop", "worker"),
    ("supervisor", "forkserver", "tracker", "worker", "worker", "worker", "worker"),
)
"""Also those that take attempts with them, and stops by SIGTERM."""

INNER = """\
cd "$(dirname "$0")/$MFLOW_TASK_ID" || exit
id=$(sed -n 's/^run \\([0-9]*\\)$/\\1/p' said.* 2> /dev/null | tail -n 1)
exec %s ${id:+resume} ${id:-run} > "said.$MFLOW_ATTEMPT"
"""
"""A task that is a run of its own: begun once, resumed by every further attempt."""


class Life:
    """One run under random kills. The seed decides the tasks, who is killed, and after how long."""

    def __init__(self, site: Site, seed: int, *, tasks: int, deaths: Sequence[Sequence[str]]) -> None:
        self._site, self._random = site, random.Random(seed)
        self._seed, self._deaths = seed, deaths
        self._depends: dict[str, list[str]] = {}
        self._inner_depends: dict[str, dict[str, list[str]]] = {}
        self.figures = Figures()
        site.env["MFLOW_DATABASE"] = f"sqlite:///{site.folder}/mflow.db"
        site.config(max_process_concurrency=self._random.choice([3, 4, 8]), kill_grace_seconds=1)
        (site.folder / "locks").mkdir()
        (site.folder / "task.sh").write_text(TASK)
        self._write_tasks(tasks)

    # --------------------------------------------------------------------------------------- what there is to do

    def _write_tasks(self, count: int) -> None:
        entries = [self._entry(f"t{no}", self._depends) for no in range(count)]
        for no in range(2 if count > 20 else 1):
            entries.insert(self._random.randrange(len(entries)), self._inner(f"inner{no}"))
        self._site.file("tasks.json", {"tasks": entries})

    def _entry(self, name: str, depends: dict[str, list[str]]) -> dict[str, Any]:
        draw = self._random
        before = draw.sample(sorted(depends), min(len(depends), draw.choice([0, 0, 1, 2])))
        depends[name] = before
        seconds = draw.choice(["0", "0", "0.01", "0.05", "0.1", f"{draw.uniform(0.05, 0.3):.3f}"])
        if draw.random() < 0.05:
            seconds = (
                f"{draw.uniform(1, 3):.3f}"  # long enough to outlive a supervisor and be adopted by the next
            )
        first = "first" if draw.random() < 0.1 else ""
        command = f"exec bash {self._site.folder}/task.sh {seconds} {first}"
        retry = {"attempts": 3, "wait_seconds": draw.choice([0, 0.05])}
        return {"id": name, "type": "bash", "command": command, "depends": before, "retry": retry}

    def _inner(self, name: str) -> dict[str, Any]:
        """A task that is a run of some tasks."""
        folder = self._site.folder / name
        folder.mkdir()
        depends = self._inner_depends[name] = {}
        entries = [self._entry(f"{name}.{no}", depends) for no in range(6)]
        (folder / "tasks.json").write_text(json.dumps({"tasks": entries}))
        shutil.copy(self._site.folder / "config.json", folder)
        script = self._site.folder / "inner.sh"
        script.write_text(INNER % " ".join(self._site.command()))
        return {"id": name, "type": "bash", "command": f"exec bash {script}", "retry": {"attempts": 3}}

    # ---------------------------------------------------------------------------------------------- living it

    def live(self) -> Figures:
        """From the first start to the comparison at the end."""
        run = self._site.run()
        run_id = run.id
        self._pause(run, 0.3)
        self._kill(("supervisor",))  # at least one
        while (code := self._disturb(run)) != 0:
            assert code in FAIR_CODES, f"seed {self._seed}: {run.end()}"
            self.figures.resumes += 1
            assert self.figures.resumes < MOST_RESUMES, f"seed {self._seed} does not get on"
            run = self._site.resume(run_id)
        self._site.assert_nobody_left()
        self._compare(run_id)
        return self.figures

    def _disturb(self, run: Run) -> int:
        """Kill somebody at a random moment, again and again, until the supervisor has ended; its exit code.

        Mostly it is given the time to begin something: else little but its start would be tried.
        """
        if self._random.random() < 0.8:
            run.wait_for_id()
        while not self._pause(run, self._random.choice([0.05, 0.3, 1.0, 2.0])):
            self._kill(self._random.choice(self._deaths))
        return run.end().code

    def _pause(self, run: Run, most_seconds: float) -> bool:
        """Wait for a random time; whether the supervisor has ended meanwhile."""
        try:
            run.process.wait(timeout=most_seconds * self._random.random())
        except subprocess.TimeoutExpired:
            return False
        return True

    def _kill(self, roles: Sequence[str]) -> None:
        """SIGKILL to one process of each of these roles, as far as there are any; "stop": SIGTERM to a supervisor."""
        living = census.census(self._site.mark)
        self._random.shuffle(living)
        for role in roles:
            wanted, signum = ("supervisor", signal.SIGTERM) if role == "stop" else (role, signal.SIGKILL)
            victim = next((process for process in living if process.role == wanted), None)
            if victim is not None:
                living.remove(victim)
                self.figures.kills[role] += census.kill(victim.pid, signum)

    # -------------------------------------------------------------------------------------------- the reckoning

    def _compare(self, run_id: int) -> None:
        site = self._site
        ledger = Ledger.read(site.folder / "ledger")
        rows = site.rows(run_id)
        outer = {name: row for name, row in rows.items() if name in self._depends}
        assert len(outer) == len(self._depends)
        self._compare_run(ledger, run_id, outer, self._depends)
        known = {run_id}
        for name, depends in self._inner_depends.items():
            inner = self._inner_run(name)
            known.add(inner)
            self._compare_run(ledger, inner, site.rows(inner), depends)
            codes = {one.end.exit_code for one in site.attempts(run_id, name) if one.end}
            assert codes <= {None, 0, *FAIR_CODES}, f"{name} has left with {codes}"
        assert {key[0] for key in ledger.started} == known, "something ran for a run that nobody was told of"
        self.figures.adopted = sum(
            line.rstrip().endswith("adopted") for line in site.master_log().splitlines()
        )

    def _inner_run(self, name: str) -> int:
        """The one run that the attempts of this task were."""
        said = [path.read_text() for path in (self._site.folder / name).glob("said.*")]
        ids = {int(text.split()[1]) for text in said if text.startswith("run ")}
        assert len(ids) == 1, f"{name} was begun anew as runs {ids}"
        return ids.pop()

    def _compare_run(self, ledger: Ledger, run_id: int, rows: Any, depends: dict[str, list[str]]) -> None:
        attempts = {name: self._site.attempts(run_id, name) for name in rows}
        self.figures.add(compare(ledger, run_id, rows, attempts, depends))


def seed_of_environment() -> int:
    """MFLOW_TEST_CHAOS_SEED replays a life; without it every call draws another."""
    given = os.environ.get("MFLOW_TEST_CHAOS_SEED")
    return int(given) if given else random.SystemRandom().randrange(1 << 32)
