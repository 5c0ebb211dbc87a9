"""Another user of the machine puts files where a run keeps its own: they count for nothing, and are named."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from mflow.engine.evidence import fallback_folder
from tests.chaos.site import Site, eventually

OTHER = 65534

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def fallback(site: Site) -> Iterator[list[Path]]:
    """The folders outside the site that a test has used: gone afterwards."""
    used: list[Path] = []
    yield used
    for path in used:
        for each in path.parent.glob(f"{path.name}*"):
            shutil.rmtree(each)


def victory(site: Site, run_id: int, task: str) -> str:
    """What a worker would write of a task that has succeeded: all of it can be known by others."""
    row = site.rows(run_id)[task]
    assert row.worker is not None
    end = dict.fromkeys(
        ("signal", "error", "message", "started_at", "ended_at", "cpu_seconds", "max_rss_bytes", "retry_safe")
    )
    return json.dumps(
        {
            "run_uid": site.row(run_id).uid,
            "task_no": row.task_no,
            "attempt": row.attempts,
            "worker": asdict(row.worker),
            "end": {**end, "outcome": "EXITED", "exit_code": 0, "survivors": [], "leftovers": []},
            "facts": {},
        }
    )


def plant(path: Path, text: str) -> None:
    path.write_text(text)
    os.chown(path, OTHER, OTHER)


def squat(folder: Path, mode: int) -> None:
    folder.mkdir()
    os.chown(folder, OTHER, OTHER)
    folder.chmod(mode)


@pytest.mark.parametrize("place", ["fallback", "log folder"])
def test_a_planted_outcome_makes_no_running_task_a_success(
    site: Site, fallback: list[Path], place: str
) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("exit 4"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    row = site.row(run.id)
    if place == "fallback":
        folder = Path(fallback_folder(row.uid))
        fallback.append(folder)
        squat(folder, 0o755)
    else:
        folder = Path(row.folder)
        folder.chmod(0o777)
    plant(folder / "a.1.outcome", victory(site, run.id, "a"))
    run.kill()
    second = site.resume(run.id)
    said = second.says("adopted")
    assert f"{folder}" in said
    assert f"user nobody (uid {OTHER})" in said
    gate.open()
    assert second.end().code == 1
    [attempt] = site.attempts(run.id, "a")
    assert attempt.end is not None
    assert attempt.end.exit_code == 4


def test_a_planted_outcome_of_a_dead_worker_is_named_and_proves_nothing(site: Site) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command("echo again"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    folder = Path(site.row(run.id).folder)
    folder.chmod(0o777)
    plant(folder / "a.1.outcome", victory(site, run.id, "a"))
    worker = site.rows(run.id)["a"].worker
    assert worker is not None
    run.kill()
    os.kill(worker.pid, 9)
    second = site.resume(run.id)
    gate.pid()
    gate.open()
    done = second.end()
    assert done.code == 0
    assert f"{folder}/a.1.outcome belongs to user nobody" in done.err
    assert [one.end.outcome for one in site.attempts(run.id, "a") if one.end] == [
        Outcome.LOST,
        Outcome.EXITED,
    ]
    assert site.printed(run.id, "a") == "again\n"


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_an_outcome_is_not_hidden_by_who_takes_the_name_of_its_folder(
    site: Site, fallback: list[Path], mode: int
) -> None:
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    row = site.row(run.id)
    folder = Path(fallback_folder(row.uid))
    fallback.append(folder)
    squat(folder, mode)
    shutil.rmtree(row.folder)
    Path(row.folder).write_text("in the way")
    run.kill()
    gate.open()
    site.assert_nobody_left()
    Path(row.folder).unlink()
    done = site.resume(run.id).end()
    assert done.code == 0, done
    assert f"{folder} belongs to user nobody (uid {OTHER})" in done.err
    assert len(site.attempts(run.id, "a")) == 1


def test_a_planted_link_does_not_have_a_running_task_run_again(site: Site) -> None:
    """It looks as if an adopter had seen to it that the attempt never begins."""
    gate = site.gate("a")
    site.tasks(a=gate.command("echo once"))
    run = site.run()
    gate.pid()
    eventually(lambda: site.is_running(run.id, "a"))
    log = Path(site.row(run.id).folder) / "a.1.log"
    log.rename(log.with_suffix(".away"))
    log.symlink_to("mflow-not-begun")
    os.chown(log, OTHER, OTHER, follow_symlinks=False)
    run.kill()
    second = site.resume(run.id)
    second.says("adopted")
    gate.open()
    assert second.end().code == 0
    assert len(site.attempts(run.id, "a")) == 1
