"""What tasks write down about themselves, and whether it agrees with the database and the logs.

Every attempt appends one line to the ledger when it starts and one when it ends, and holds a lock on a file of its
task meanwhile, which all its descendants inherit. So whoever runs beside another attempt of the same task is told
so by the kernel, and writes it down.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mflow.core.contracts import AttemptRow
from mflow.core.model import TaskRow
from mflow.core.states import Outcome, TaskState

TASK = """\
# usage: task.sh SECONDS [first]      `first`: the first attempt fails
here=$(dirname "$0")
note() { echo "$1 $MFLOW_RUN_ID $MFLOW_TASK_ID $MFLOW_ATTEMPT" >> "$here/ledger"; }
exec 9> "$here/locks/$MFLOW_RUN_ID.$MFLOW_TASK_ID"
flock -n 9 || note overlap
note start
echo "attempt $MFLOW_ATTEMPT begins"
[ "$1" = 0 ] || sleep "$1"
if [ "$2" = first ] && [ "$MFLOW_ATTEMPT" = 1 ]; then code=7; else code=0; fi
echo "attempt $MFLOW_ATTEMPT ends with $code"
note "end:$code"
exit $code
"""
"""The script that a task runs."""

Key = tuple[int, str, int]
"""Run, task and attempt."""


@dataclass(slots=True)
class Ledger:
    """The lines in the order in which they were appended."""

    overlaps: list[Key] = field(default_factory=list)
    started: dict[Key, list[int]] = field(
        default_factory=dict
    )  # the places of its lines; one, if all is well
    ended: dict[Key, tuple[int, int]] = field(default_factory=dict)  # place and exit code

    @classmethod
    def read(cls, path: Path) -> "Ledger":
        """Of the file that tasks append to."""
        ledger = cls()
        for place, line in enumerate(path.read_text().splitlines() if path.exists() else ()):
            what, run, task, attempt = line.split()
            key = (int(run), task, int(attempt))
            if what == "overlap":
                ledger.overlaps.append(key)
            elif what == "start":
                ledger.started.setdefault(key, []).append(place)
            else:
                ledger.ended[key] = (place, int(what.removeprefix("end:")))
        return ledger


@dataclass(slots=True)
class Figures:
    """What happened to the tasks of one or more runs."""

    tasks: int = 0
    attempts: int = 0
    lost: int = 0  # attempts that ended as LOST: they began, their end was not seen by anybody
    repeated: int = 0  # tasks that had done their work and did it again, since nobody had seen it
    adopted: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    resumes: int = 0

    def add(self, other: "Figures") -> None:
        """Sum up."""
        for name in ("tasks", "attempts", "lost", "repeated", "adopted", "resumes"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.kills += other.kills

    def __str__(self) -> str:
        killed = ", ".join(f"{number} {role}" for role, number in sorted(self.kills.items())) or "none"
        return (
            f"{self.tasks} tasks, {self.attempts} attempts, killed: {killed}; resumes: {self.resumes}, "
            f"attempts adopted: {self.adopted}, lost: {self.lost}, tasks repeated: {self.repeated}"
        )


def compare(
    ledger: Ledger,
    run_id: int,
    rows: Mapping[str, TaskRow],
    attempts: Mapping[str, Sequence[AttemptRow]],
    depends: Mapping[str, Sequence[str]],
) -> Figures:
    """Hold one run's tasks against the ledger and the logs. Raises AssertionError at the first promise broken."""
    figures = Figures()
    assert ledger.overlaps == [], "two attempts of a task ran at the same time"
    for name, row in rows.items():
        assert row.state is TaskState.SUCCESS, row
        _attempts_agree(ledger, run_id, name, attempts[name], figures)
        for upstream in depends.get(name, ()):
            _follows(ledger, run_id, name, upstream, attempts)
    known = {(run_id, name, one.attempt) for name in rows for one in attempts[name]}
    strangers = [key for key in ledger.started if key[0] == run_id and key not in known]
    assert strangers == [], "these ran although the database knows nothing of them"
    return figures


def _attempts_agree(
    ledger: Ledger, run_id: int, name: str, attempts: Sequence[AttemptRow], figures: Figures
) -> None:
    figures.tasks += 1
    well_done = 0
    for one in attempts:
        assert one.end is not None, one
        key = (run_id, name, one.attempt)
        begun = ledger.started.get(key, [])
        code = ledger.ended[key][1] if key in ledger.ended else None
        assert len(begun) <= 1, f"{key} began {len(begun)} times"
        figures.attempts += len(begun)
        figures.lost += one.end.outcome is Outcome.LOST
        well_done += code == 0
        if one.end.outcome is Outcome.NOT_STARTED:
            assert not begun, f"{key} began, the database says that it did not"
        if one.end.outcome is Outcome.EXITED:
            assert (len(begun), code) == (1, one.end.exit_code), f"{key}: {one}"
            _log_agrees(one)
    assert [one.end.ok for one in attempts if one.end] == [False] * (len(attempts) - 1) + [True], attempts
    figures.repeated += well_done > 1


def _log_agrees(attempt: AttemptRow) -> None:
    assert attempt.end is not None
    said = Path(attempt.log).read_text().splitlines()
    number, code = attempt.attempt, attempt.end.exit_code
    assert said == [f"attempt {number} begins", f"attempt {number} ends with {code}"], (attempt, said)


def _follows(
    ledger: Ledger, run_id: int, name: str, upstream: str, attempts: Mapping[str, Sequence[AttemptRow]]
) -> None:
    """Every attempt of a task begins after its upstream's good end."""
    [good] = [one.attempt for one in attempts[upstream] if one.end and one.end.ok]
    after, _ = ledger.ended[(run_id, upstream, good)]
    for one in attempts[name]:
        for place in ledger.started.get((run_id, name, one.attempt), []):
            assert place > after, f"attempt {one.attempt} of {name} began before {upstream} had succeeded"
