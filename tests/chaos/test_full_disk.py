"""A disk that is full, under the logs or under the database: what a person is told, and that a run can be looked at."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mflow.core.errors import StoreUnavailable
from mflow.store.connect import open_store
from tests.cli.project import Project


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Project]:
    """A folder on a disk of its own, of 1 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield Project(folder)
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Take all the room there is."""
    ballast = folder / "ballast"
    with open(ballast, "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            return ballast
    raise AssertionError("it was not full")


def test_a_log_that_could_not_be_written_is_not_called_silence(tmp_path: Path, small: Project) -> None:
    project = Project(tmp_path).file("config.json", {"log_directory": str(small.folder / "logs")})
    command = f"cat /dev/zero > {small.folder}/ballast; echo why; exit 3"
    done = project.tasks(a={"command": command}).mflow("run")
    assert done.code == 1, done
    said = (
        f"its log is empty, and the disk of {small.folder}/logs/run-1 is full, so what it printed may be lost"
    )
    shown = project.mflow("status").out
    assert said in done.err.replace("\n", " ") or "what came last may be missing" in done.err
    assert "it printed nothing" not in done.err + shown
    (small.folder / "ballast").unlink()
    shown = project.mflow("status").out
    assert f"its log is empty, and the disk of {small.folder}/logs/run-1 was full when it ended" in shown


@pytest.mark.parametrize("first", ["", "echo early; "])
def test_room_that_is_made_later_does_not_make_a_lost_log_whole(
    tmp_path: Path, small: Project, first: str
) -> None:
    project = Project(tmp_path).file("config.json", {"log_directory": str(small.folder / "logs")})
    fill_up = f"cat /dev/zero > {small.folder}/ballast 2> /dev/null; head -c 9000 /dev/zero | tr '\\0' x"
    done = project.tasks(a=f"{first}{fill_up}; exit 3").mflow("run")
    (small.folder / "ballast").unlink()
    shown, said = project.mflow("status", "1"), "the disk of its log was full: what it printed may be lost"
    assert "it printed nothing" not in done.err + shown.out
    assert said in done.err.replace("\n", " ")
    assert said in shown.out
    kind = "what came last may be missing" if first else "so what it printed may be lost"
    assert kind in shown.out
    assert project.tasks(a=f"{fill_up}; exit 0").mflow("run").code == 0
    assert said not in project.mflow("status", "--json").out, "nobody looks for the log of what went well"


def test_a_run_can_be_looked_at_though_the_disk_of_its_database_is_full(small: Project) -> None:
    small.tasks(a="echo boom; exit 3", b={"command": "true", "depends": ["a"]}).mflow("run")
    ballast = fill(small.folder)
    shown, listed = small.mflow("status"), small.mflow("runs")
    assert (shown.code, listed.code) == (0, 0), (shown, listed)
    assert "a FAILED: exit code 3" in shown.out
    assert " FAILED " in listed.out
    ballast.unlink()
    assert small.tasks(a="true", b="true").mflow("resume", "1", "--taskfile", "tasks.json").code == 0


@pytest.mark.parametrize("words", [("resume", "1"), ("cancel", "2")])
def test_who_waits_for_a_full_disk_is_told_so(small: Project, words: tuple[str, ...]) -> None:
    small.file("config.json", {"log_directory": str(small.folder.parent / "logs")})
    assert small.tasks(a="test -e there").mflow("run").code == 1
    (small.folder / "there").touch()
    if words[0] == "cancel":
        small.finish(small.new_run(), None)
    ballast = fill(small.folder)
    waiting = small.start(*words)
    assert waiting.stderr is not None
    said = next((line for line in waiting.stderr if "s more at most" in line), "it said nothing")
    print(said)
    assert f"the disk of {small.folder} is full (" in said
    assert ": tried again, for 2" in said
    assert f"Make room there (df {small.folder})" in said
    ballast.unlink()
    assert "s more at most" not in waiting.communicate(timeout=60)[1]
    assert waiting.returncode == 0


def test_what_cannot_be_written_names_the_disk_that_is_full(small: Project) -> None:
    run_id = small.new_run()
    small.finish(run_id, None)
    ballast = fill(small.folder)
    store = open_store(f"sqlite:///{small.folder}/mflow.db")
    assert store.read_run(run_id).id == run_id
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=f"mflow.db: the disk of {small.folder} is full") as caught:
            store.request_cancel(run_id, "ana@alpha")
        assert f"Make room there (df {small.folder})" in caught.value.hint
    ballast.unlink()
    store.request_cancel(run_id, "ana@alpha")
    assert store.read_run(run_id).cancelled_by == "ana@alpha"
    store.close()
