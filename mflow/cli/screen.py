"""Where pages go: plain text for files and pipes, colours and fitted tables for a terminal.

Rich is loaded only for a terminal: a script that asks for a status every second should not wait for it.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from mflow.cli.status_page import HEADINGS, STATE_COLUMN, Page
from mflow.cli.wording import columns

if TYPE_CHECKING:
    from rich.console import RenderableType

STATE_STYLES = {
    "RUNNING": "bold cyan",
    "SUCCESS": "green",
    "FAILED": "bold red",
    "CANCELLED": "bold red",
    "INTERRUPTED": "bold yellow",
    "PENDING": "dim",
}

_LEAST_COLUMNS = 3
"""A cell that takes less than the width divided by this is never broken into lines."""


def is_terminal() -> bool:
    """Whether stdout is a terminal that understands colours."""
    return sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")


def print_json(value: Any) -> None:
    """Print a value for programs: on a terminal indented, for people looking at it."""
    import json

    print(json.dumps(value, indent=2 if sys.stdout.isatty() else None))


def show_status(page: Page) -> None:
    """Print the page of a run to stdout."""
    if is_terminal():
        _print_rich(_status_rich(page))
    else:
        print("\n".join(status_text(page)))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, state_column: int) -> None:
    """Print rows under headings to stdout."""
    if is_terminal():
        _print_rich([_table(headings, rows, state_column)])
    else:
        print("\n".join(columns([headings, *rows])))


def status_text(page: Page) -> Iterator[str]:
    """The page as lines without any control sequence."""
    yield f"{page.title}: {page.said}"
    yield from (f"  {line}" for line in columns(page.facts))
    if page.rows:
        yield ""
        yield from columns([HEADINGS, *page.rows])
    if page.left_out:
        yield page.left_out
    for block in page.failures:
        yield ""
        yield from block
    if page.advice:
        yield ""
        yield "next:"
        yield from (f"  {line}" for line in columns(page.advice))


# ------------------------------------------------------------------------------------------- on a terminal


def _print_rich(parts: Iterable["RenderableType"]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False)
    for part in parts:
        console.print(part)


def _status_rich(page: Page) -> Iterator["RenderableType"]:
    from rich.text import Text

    yield Text.assemble((page.title, "bold"), ": ", (page.said, STATE_STYLES[page.state]))
    yield _pairs(page.facts, "dim", "")
    if page.rows:
        yield _table(HEADINGS, page.rows, STATE_COLUMN)
    if page.left_out:
        yield Text(page.left_out, "dim")
    for block in page.failures:
        yield Text.assemble("\n", (block[0], "bold red"), *(f"\n{line}" for line in block[1:]))
    if page.advice:
        yield Text("\nnext:")
        yield _pairs(page.advice, "bold", "dim")


def _pairs(pairs: Iterable[tuple[str, str]], left: str, right: str) -> "RenderableType":
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2), pad_edge=True)
    grid.add_column(style=left, no_wrap=True)
    grid.add_column(style=right, overflow="fold")
    for key, value in pairs:
        grid.add_row(Text(key), Text(value))
    return grid


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], state_column: int) -> "RenderableType":
    """Only what is long is broken into lines: an id is to be read, and copied, whole."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, header_style="dim", padding=(0, 1), pad_edge=False)
    longest = [max(map(len, cells)) for cells in zip(headings, *rows, strict=True)]
    most = shutil.get_terminal_size().columns // _LEAST_COLUMNS
    for number, heading in enumerate(headings):
        table.add_column(heading, overflow="fold", no_wrap=number == state_column or longest[number] <= most)
    for row in rows:
        cells = [Text(cell) for cell in row]
        cells[state_column].stylize(STATE_STYLES.get(row[state_column], ""))
        table.add_row(*cells)
    return table
