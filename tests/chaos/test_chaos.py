"""The real program, killed at random moments and resumed, until all is done; then ledger, database and logs agree."""

import os
import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.chaos.ledger import Figures
from tests.chaos.monkey import CRUEL, GENTLE, Life, seed_of_environment
from tests.chaos.site import Site


def live(folder: Path, seed: int, tasks: int, deaths: Sequence[Sequence[str]]) -> Figures:
    """One life in a folder of its own. A failure names the seed."""
    folder.mkdir()
    site = Site(folder)
    try:
        figures = Life(site, seed, tasks=tasks, deaths=deaths).live()
    except BaseException:
        print(f"replay with MFLOW_TEST_CHAOS_SEED={seed}")
        raise
    finally:
        site.close()
    print(f"seed {seed}: {figures}")
    return figures


def test_deaths_of_supervisors_and_servers_cost_nothing(tmp_path: Path) -> None:
    figures = live(tmp_path / "life", seed_of_environment(), 40, GENTLE)
    assert figures.kills["supervisor"] > 0
    assert (figures.lost, figures.repeated) == (0, 0)


def test_deaths_of_anybody_leave_every_task_done_once_and_nobody_behind(tmp_path: Path) -> None:
    figures = live(tmp_path / "life", seed_of_environment(), 40, CRUEL)
    assert figures.kills.total() > 0


@pytest.mark.chaos_long
@pytest.mark.parametrize("deaths", [GENTLE, CRUEL], ids=["gentle", "cruel"])
def test_many_lives(
    tmp_path: Path, deaths: Sequence[Sequence[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    """For MFLOW_TEST_CHAOS_SECONDS (300): lives of 300 tasks, one after the other."""
    until = time.monotonic() + float(os.environ.get("MFLOW_TEST_CHAOS_SECONDS", "300"))
    seeds = random.Random(seed_of_environment())
    total, lives = Figures(), 0
    while time.monotonic() < until:
        total.add(live(tmp_path / f"life{lives}", seeds.randrange(1 << 32), 300, deaths))
        lives += 1
    assert set(total.kills) == {role for roles in deaths for role in roles}, "some were never found"
    if deaths is GENTLE:
        assert (total.lost, total.repeated) == (0, 0)
    with capsys.disabled():
        print(f"\n{lives} lives: {total}")
