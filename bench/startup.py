"""What a command costs before it does anything, beside the bare imports of the libraries it stands on."""

import sys
from pathlib import Path

import measure
import work as w
from peers import MFLOW

ONE = w.Work("one", w.wide(1), 2)
BARE = (sys.executable, "-c", "import sqlalchemy, typer, pydantic")
BARE_HELP = (sys.executable, "-c", "import typer, rich")


def start_up(rounds: int, folder: Path) -> None:
    """Print medians of what each command takes beyond the bare imports of the same round."""
    beyond: dict[str, list[float]] = {"run of one task": [], "status": []}
    bare, ratios = [], []
    for number in range(rounds + 1):
        place = folder / f"start-{number}"
        place.mkdir()
        w.write_tasks_json(ONE, place)
        imports = measure.run(BARE, place).wall
        taken = {"run of one task": measure.run(MFLOW, place).wall}
        taken["status"] = measure.run((*MFLOW, "status"), place).wall
        help_ratio = measure.run((*MFLOW, "--help"), place).wall / measure.run(BARE_HELP, place).wall
        if number:  # the first round warms caches
            bare.append(imports)
            ratios.append(help_ratio)
            for name, wall in taken.items():
                beyond[name].append(wall - imports)
    print(
        f"\nstart-up, {rounds} rounds; `import sqlalchemy, typer, pydantic` takes {measure.median(bare):.2f} s\n"
    )
    print("| command | |")
    print("|---|---|")
    for name, walls in beyond.items():
        print(f"| {name} | {measure.median(walls):+.2f} s beyond that |")
    print(f"| --help | {measure.median(ratios):.2f} x `import typer, rich` |")
