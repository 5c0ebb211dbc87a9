"""The last lines of a log that may hold anything."""

import os
from pathlib import Path

import pytest

from mflow.cli.tail import last_lines


def log(folder: Path, content: bytes) -> str:
    path = folder / "a.1.log"
    path.write_bytes(content)
    return str(path)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"\n\n", []),
        (b"one\ntwo\n\n", ["one", "two"]),
        (b"\x1b[31mred\x1b[0m \x1b]0;title\x07plain", ["red plain"]),
        (b"10%\r50%\r100%\r\n", ["100%"]),
        (b"a\tb\x00\xff", ["a       b\\x00\\xff"]),
    ],
)
def test_lines_are_made_harmless(tmp_path: Path, content: bytes, lines: list[str]) -> None:
    assert last_lines(log(tmp_path, content)) == lines


def test_only_the_last_lines_of_a_long_log(tmp_path: Path) -> None:
    path = log(tmp_path, b"".join(b"line %d\n" % number for number in range(100_000)))
    assert last_lines(path, 2) == ["line 99998", "line 99999"]


def test_a_line_without_end_is_cut(tmp_path: Path) -> None:
    [line] = last_lines(log(tmp_path, b"x" * 1_000_000))
    assert len(line) == 500


def test_a_missing_log_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        last_lines(str(tmp_path / "none"))


def test_a_pipe_in_its_place_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        last_lines(str(tmp_path / "pipe"))
