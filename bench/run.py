"""Measures mflow: beside its peers, and by itself.

    tox -e bench                        everything but `drive`
    tox -e bench -- --rounds 7 wide     one part only

Ratios are taken within a round, so that they hold while the machine's speed drifts: an absolute time means nothing
on a shared machine. What the rounds leave behind is removed at the end only: where many files were just removed,
some file systems (ext4) are slow to make new ones, and only those who make files would pay for it.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

import measure
from large import drive, large
from overhead import overhead
from peers import runners
from sleepers import sleepers
from startup import start_up
from throughput import WORKS, compare

PARTS = ("startup", *(work.name for work in WORKS), "overhead", "large", "sleepers", "drive")


def main() -> int:
    """Measure what is asked for."""
    arguments = _arguments()
    parts = arguments.parts or PARTS[:-1]
    sys.stdout.reconfigure(line_buffering=True)
    measure.adopt_orphans()
    print(f"load of the machine before: {os.getloadavg()[0]:.2f}; processors: {os.cpu_count()}")
    with tempfile.TemporaryDirectory(prefix="bench-", dir=os.environ.get("BENCH_FOLDER")) as name:
        folder, rounds = Path(name), arguments.rounds
        everybody = runners(arguments.peers)
        if "startup" in parts:
            start_up(rounds, folder)
        for work in WORKS:
            if work.name in parts:
                compare(work, everybody, rounds, folder)
        if "overhead" in parts:
            overhead(rounds, folder)
        if "large" in parts:
            large(rounds, folder)
        if "sleepers" in parts:
            sleepers(folder)
        if "drive" in parts:
            drive(everybody[1], everybody[0], folder)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], help=f"of {', '.join(PARTS)}")
    parser.add_argument("--rounds", type=int, default=5, help="counted rounds (default 5)")
    parser.add_argument("--peers", type=Path, help="a virtual environment that has doit and luigi")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
