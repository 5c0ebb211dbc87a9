"""Whose files count: those of the run's own users, and nobody else's, whatever these put in their place."""

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from mflow.engine import provenance
from mflow.engine.provenance import Doubtful, Foreign, folders_like, make_folder_like, read_own, writers

OTHER = 65534
US = os.geteuid()
OURS = frozenset({0, US})

as_root = pytest.mark.skipif(US != 0, reason="only root can give files away")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of ours, in one where everybody may write."""
    with tempfile.TemporaryDirectory() as path:
        Path(path).chmod(0o755)
        yield Path(path)


def descriptors_open() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def planted(path: Path, content: str = "x", owner: int = OTHER) -> Path:
    path.write_text(content)
    os.chown(path, owner, owner)
    return path


# --------------------------------------------------------------------------------------------- reading


def test_a_file_of_ours_counts(folder: Path) -> None:
    file = folder / "a"
    file.write_text("x")
    file.chmod(0o644)
    assert read_own(str(file), OURS, 10) == b"x"
    with pytest.raises(ValueError, match="too large"):
        read_own(str(file), OURS, 0)
    with pytest.raises(FileNotFoundError):
        read_own(str(folder / "b"), OURS, 10)


@as_root
def test_a_file_of_another_user_counts_for_nothing_and_is_named(folder: Path) -> None:
    file = planted(folder / "a")
    with pytest.raises(
        Foreign, match=rf"{file} belongs to user \w+ \(uid {OTHER}\): it counts for nothing"
    ) as error:
        read_own(str(file), OURS, 10)
    assert not isinstance(error.value, Doubtful)


@as_root
def test_nothing_counts_in_a_folder_of_another_user(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()
    (inner / "a").write_text("x")
    os.chown(inner, OTHER, OTHER)
    with pytest.raises(Doubtful, match=f"the folder {inner} belongs to"):
        read_own(str(inner / "a"), OURS, 10)


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666, 0o777])
def test_what_others_may_write_to_proves_nothing(folder: Path, mode: int) -> None:
    file = folder / "a"
    file.write_text("x")
    file.chmod(mode)
    with pytest.raises(Doubtful, match="may be written to by others"):
        read_own(str(file), OURS, 10)


def test_what_has_another_name_proves_nothing(folder: Path) -> None:
    file = folder / "a"
    file.write_text("x")
    file.chmod(0o644)
    os.link(file, folder / "b")
    with pytest.raises(Doubtful, match="hard link"):
        read_own(str(file), OURS, 10)


@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "dangling", "socket"])
def test_nothing_is_followed_or_waited_for(folder: Path, kind: str) -> None:
    import socket

    file, target = folder / "a", folder / "target"
    target.write_text("x")
    target.chmod(0o644)
    before = descriptors_open()
    match kind:
        case "fifo":
            os.mkfifo(file)
        case "folder":
            file.mkdir()
        case "link":
            file.symlink_to(target)
        case "dangling":
            file.symlink_to(folder / "nowhere")
        case "socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(str(file))
    with pytest.raises(Foreign, match="is not a regular file"):
        read_own(str(file), OURS, 10)
    assert descriptors_open() == before


# ------------------------------------------------------------------------------------ who may have written


def test_root_and_we_ourselves(folder: Path) -> None:
    assert writers(str(folder)) == OURS
    assert writers(str(folder / "gone" / "too")) == OURS
    assert writers("/") == OURS


def test_a_worker_that_lives_is_who_it_runs_as(folder: Path) -> None:
    assert writers(str(folder), os.getpid()) == OURS


@as_root
def test_whoever_was_given_the_folder_by_those_who_count(folder: Path) -> None:
    """As root reads what a run of a batch user has left in his home."""
    folder.chmod(0o755)
    logs = folder / "home" / "logs" / "run-1"
    logs.mkdir(parents=True)
    for each in (folder / "home", folder / "home" / "logs", logs):
        os.chown(each, OTHER, OTHER)
        each.chmod(0o755)
    assert writers(str(logs)) == {0, OTHER}
    assert writers(str(logs / "run-2")) == {0, OTHER}
    (folder / "home" / "logs").chmod(0o775)
    assert writers(str(logs)) == OURS
    (folder / "home" / "logs").chmod(0o755)
    os.chown(folder / "home" / "logs", 65533, 65533)
    assert writers(str(logs)) == OURS


@as_root
@pytest.mark.parametrize("mode", [0o1777, 0o777, 0o775])
def test_not_who_took_a_name_where_everybody_may_write(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    mine = folder / "run-1"
    mine.mkdir(mode=0o700)
    os.chown(mine, OTHER, OTHER)
    assert writers(str(mine)) == OURS


# ------------------------------------------------------------------------------------- a folder of our own


def base(folder: Path) -> str:
    return str(folder / "mflow-abc")


def test_it_is_made_for_us_alone_and_found(folder: Path) -> None:
    made = make_folder_like(base(folder))
    assert made == base(folder) == make_folder_like(base(folder))
    assert stat.S_IMODE(Path(made).stat().st_mode) == 0o700
    assert folders_like(base(folder), OURS) == ([made], [])


@pytest.mark.parametrize("kind", ["foreign", "open", "file", "link", "dangling"])
def test_one_whose_name_is_taken_is_made_beside_it(folder: Path, kind: str) -> None:
    squatted = Path(base(folder))
    match kind:
        case "foreign":
            if US:
                pytest.skip("only root can give files away")
            squatted.mkdir(mode=0o700)
            os.chown(squatted, OTHER, OTHER)
        case "open":
            squatted.mkdir()
            squatted.chmod(0o777)
        case "file":
            squatted.touch()
        case "link":
            (folder / "elsewhere").mkdir(mode=0o700)
            squatted.symlink_to(folder / "elsewhere")
        case "dangling":
            squatted.symlink_to(folder / "nowhere")
    made = make_folder_like(base(folder))
    assert made != base(folder)
    assert make_folder_like(base(folder)) == made
    assert stat.S_IMODE(Path(made).stat().st_mode) == 0o700
    own, foreign = folders_like(base(folder), OURS)
    assert own == [made]
    [text] = foreign
    assert text.startswith(f"{squatted} ")
    assert not any(Path(folder, "elsewhere").glob("*"))


def test_where_nothing_can_be_made_that_is_said(folder: Path) -> None:
    (folder / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_folder_like(str(folder / "file" / "mflow-abc"))
    assert folders_like(str(folder / "file" / "mflow-abc"), OURS) == ([], [])


@as_root
def test_of_thousands_planted_a_few_are_named(folder: Path) -> None:
    for number in range(20):
        path = folder / f"mflow-abc-{number}"
        path.mkdir()
        os.chown(path, OTHER, OTHER)
    own, foreign = folders_like(base(folder), OURS)
    assert own == []
    assert len(foreign) == 3


def test_a_user_without_a_name() -> None:
    assert provenance.user(4_000_000_000) == "uid 4000000000"
    with suppress(KeyError):
        assert provenance.user(0) == "user root (uid 0)"
