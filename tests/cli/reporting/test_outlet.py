"""A stream that can never hold up or end a run."""

import os
import pty
from collections.abc import Iterator
from pathlib import Path

import pytest

from mflow.cli.reporting.outlet import Outlet


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    for descriptor in (reader, writer):
        try:
            os.close(descriptor)
        except OSError:
            continue


def read_all(reader: int) -> bytes:
    pieces = []
    try:
        while piece := os.read(reader, 1 << 16):
            pieces.append(piece)
    except BlockingIOError:
        pass
    return b"".join(pieces)


def test_text_goes_out_at_once(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1]).write("año\n")
    assert read_all(pipe[0]) == "año\n".encode()


def test_what_the_encoding_lacks_is_written_out(pipe: tuple[int, int]) -> None:
    Outlet(pipe[1], "ascii").write("año \udc80\n")
    assert read_all(pipe[0]) == b"a\\xf1o \\udc80\n"


def test_a_reader_that_does_not_read_holds_nothing_up_and_misses_nothing(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    lines = [f"line {number} {'x' * 80}\n" for number in range(3000)]
    for line in lines:
        outlet.write(line)
    got = b""
    while piece := read_all(pipe[0]):
        got += piece
        outlet.flush()
    assert got.decode() == "".join(lines)


def test_what_nobody_reads_for_long_is_left_out_and_that_is_said(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    for number in range(30_000):
        outlet.write(f"line {number} {'x' * 80}\n")
    got = b""
    while piece := read_all(pipe[0]):
        got += piece
        outlet.flush()
    outlet.write("after\n")
    last = (got + read_all(pipe[0])).decode().splitlines()[-3:]
    assert last[0].startswith("line ")
    assert last[1:] == ["mflow: (lines left out here: nobody had read those before)", "after"]


def test_a_reader_that_has_gone_is_no_error(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    os.close(pipe[0])
    outlet.write("lost\n")
    outlet.write("lost too\n")


def test_a_terminal_that_has_gone_is_no_error() -> None:
    main, terminal = pty.openpty()
    outlet = Outlet(terminal)
    os.close(main)
    outlet.write("lost\n")
    outlet.flush(0.0)
    os.close(terminal)


def test_a_full_disk_loses_lines_but_not_the_stream(tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full)
    outlet.write("lost\n")
    path = tmp_path / "out"
    os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), full)
    outlet.write("kept\n")
    assert path.read_text() == "kept\n"
    os.close(full)


def test_a_file_takes_everything(tmp_path: Path) -> None:
    with open(tmp_path / "out", "wb") as file:
        Outlet(file.fileno()).write("x" * 5_000_000)
    assert (tmp_path / "out").stat().st_size == 5_000_000
