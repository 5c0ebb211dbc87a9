"""mflow and its peers over the same work, interleaved: medians, and ratios to xargs in the same round."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import measure
import work as w
from measure import Figures
from peers import Runner

ONE = w.Work("one", w.wide(1), 2)
WORKS = (
    w.Work("wide", w.wide(1000), 2),
    w.Work("wide10k", w.wide(10_000), 2),
    w.Work("layered", w.layered(20, 100, 3), 2),
    w.Work("chain", w.chain(200), 1),
)

Round = Mapping[str, tuple[Figures, Figures]]
"""For each runner: the figures of one task, and those of the work."""


def compare(work: w.Work, runners: Sequence[Runner], rounds: int, folder: Path) -> None:
    """Run it by everybody in turn, so many rounds and one before that is not counted; print a table."""
    able = [runner for runner in runners if len(work.graph) <= runner.most]
    measured = list(_rounds(work, able, rounds + 1, folder))[1:]
    print(f"\n{work.name}: {len(work.graph):,} tasks, {work.concurrency} at once, {rounds} rounds\n")
    print("| runner | wall / xargs | beyond one task / xargs | wall s | CPU s | largest process MiB |")
    print("|---|---|---|---|---|---|")
    for runner in able:
        print(_line(runner.name, measured))


def _rounds(work: w.Work, runners: Sequence[Runner], count: int, folder: Path) -> Iterator[Round]:
    for number in range(count):
        yield {
            runner.name: (
                _run(runner, ONE, folder / f"{work.name}-{number}-{place}-one"),
                _run(runner, work, folder / f"{work.name}-{number}-{place}"),
            )
            for place, runner in enumerate(runners)
        }


def _run(runner: Runner, work: w.Work, folder: Path) -> Figures:
    folder.mkdir()
    runner.write(work, folder)
    return measure.run(runner.command(work), folder)


def _line(name: str, rounds: Sequence[Round]) -> str:
    whole = measure.median(each[name][1].wall / each["xargs"][1].wall for each in rounds)
    beyond = measure.median(_beyond(each[name]) / _beyond(each["xargs"]) for each in rounds)
    runs = [each[name][1] for each in rounds]
    wall, cpu = measure.median(run.wall for run in runs), measure.median(run.cpu for run in runs)
    peak = measure.median(run.peak_mib for run in runs)
    return f"| {name} | {whole:.2f} | {beyond:.2f} | {wall:.2f} | {cpu:.2f} | {peak:.0f} |"


def _beyond(both: tuple[Figures, Figures]) -> float:
    one, all_of_it = both
    return all_of_it.wall - one.wall
