"""Where pages go: plain text for files and pipes, colours and fitted tables for a terminal.

Rich is loaded only for a terminal: a script that asks for a status every second should not wait for it.
"""

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mflow.cli.failure import PRINTED, WHOLE_LOG
from mflow.cli.status_page import HEADINGS, STATE_COLUMN, Page
from mflow.cli.wording import columns

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

STATE_STYLES = {
    "RUNNING": "bold cyan",
    "SUCCESS": "green",
    "FAILED": "bold red",
    "CANCELLED": "bold red",
    "INTERRUPTED": "bold yellow",
    "PENDING": "dim",
}

CUT_IN_THE_MIDDLE = "m"
"""Ids and paths: both their ends tell something."""

CUT_AT_THE_END = "e"


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


@dataclass(frozen=True, slots=True)
class Columns:
    """What becomes of the columns of a table on a terminal that is too narrow for it; all are named by number."""

    state: int
    cut: Mapping[int, str]  # how the cells of a column are cut
    leave: tuple[int, ...]  # which may be left out, the least important first


STATUS_COLUMNS = Columns(STATE_COLUMN, {0: CUT_IN_THE_MIDDLE, 5: CUT_AT_THE_END}, leave=(2, 3, 4))


def show_table(headings: Sequence[str], rows: Sequence[Sequence[str]], fit: Columns) -> None:
    """Print rows under headings to stdout: on a terminal one line each, elsewhere whole."""
    if is_terminal():
        table = _Table(headings, rows, fit, _terminal_width())
        _print_rich([table.lines(), *_said_of_cuts(table.was_cut)])
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


def _terminal_width() -> int:
    """As the terminal itself says: COLUMNS may be of another one, or of this one before it was resized."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(10, columns or shutil.get_terminal_size().columns)


def _print_rich(parts: Iterable["RenderableType"]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False, emoji=False, width=_terminal_width())
    for part in parts:
        console.print(part)


def _status_rich(page: Page) -> Iterator["RenderableType"]:
    from rich.text import Text

    width = _terminal_width()
    facts = _Facts(page.facts, width)
    table = _Table(HEADINGS, page.rows, STATUS_COLUMNS, width)
    yield Text.assemble((page.title, "bold"), ": ", (page.said, STATE_STYLES[page.state]))
    yield facts.lines()
    if page.rows:
        yield table.lines()
    yield from _said_of_cuts(table.was_cut or facts.was_cut)
    if page.left_out:
        yield Text(page.left_out, "dim")
    for block in page.failures:
        yield _block(block, width)
    if page.advice:
        yield Text("\nnext:")
        yield _advice(page.advice, width)


def _said_of_cuts(was_cut: bool) -> Iterator["RenderableType"]:
    from rich.text import Text

    if was_cut:
        yield Text("… what was cut is whole with --json, or behind a pipe: | cat", "dim")


class _Facts:
    """Lines of a name and a value; a path loses its middle, other values go on in the next line."""

    def __init__(self, facts: Sequence[tuple[str, str]], width: int) -> None:
        from mflow.cli.fitting import GAP, without_middle

        room = width - 2 * GAP - max((len(name) for name, _ in facts), default=0)
        self._facts = [
            (name, without_middle(value, room) if value.startswith("/") else value) for name, value in facts
        ]
        self.was_cut = self._facts != list(facts)

    def lines(self) -> "RenderableType":
        """They, as rich prints them."""
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2), pad_edge=True)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(overflow="fold")
        for name, value in self._facts:
            grid.add_row(Text(name), Text(value))
        return grid


class _Table:
    """Rows under headings, each row one line: what does not fit is cut, or its column left out."""

    def __init__(
        self, headings: Sequence[str], rows: Sequence[Sequence[str]], fit: Columns, width: int
    ) -> None:
        from rich.cells import cell_len

        from mflow.cli.fitting import widths

        longest = [max(map(cell_len, cells)) for cells in zip(headings, *rows, strict=True)]
        self._headings, self._rows, self._fit = headings, rows, fit
        self._widths = widths(
            longest, [number in fit.cut for number in range(len(headings))], fit.leave, width - 2
        )
        self.was_cut = any(
            self._widths.get(number, 0) < longest[number]
            for number in fit.cut
            if fit.cut[number] == CUT_IN_THE_MIDDLE
        )

    def lines(self) -> "RenderableType":
        """They, as rich prints them."""
        from rich.text import Text

        rule = "─" * (sum(self._widths.values()) + 2 * (len(self._widths) - 1))
        lines = [
            Text(self._line(self._headings), "dim"),
            Text(f" {rule}", "dim"),
            *map(self._row, self._rows),
        ]
        return Text("\n").join([Text(""), *lines, Text("")])

    def _row(self, cells: Sequence[str]) -> "Text":
        from rich.text import Text

        style = STATE_STYLES.get(cells[self._fit.state], "")
        shown = [(cell, style if number == self._fit.state else "") for number, cell in self._shown(cells)]
        return Text.assemble(" ", *(part for one in shown for part in (one, "  ")))

    def _line(self, cells: Sequence[str]) -> str:
        return f" {'  '.join(cell for _, cell in self._shown(cells))}"

    def _shown(self, cells: Sequence[str]) -> Iterator[tuple[int, str]]:
        """Number and text of each cell there is room for, as wide as its column; the last one as it is."""
        from rich.cells import cell_len

        from mflow.cli.fitting import without_end, without_middle

        last = max(self._widths)
        for number, width in self._widths.items():
            cut = without_middle if self._fit.cut.get(number) == CUT_IN_THE_MIDDLE else without_end
            cell = cut(cells[number], width)
            yield number, cell if number == last else cell + " " * (width - cell_len(cell))


def _block(block: Sequence[str], width: int) -> "RenderableType":
    """What is said of a failure: a command is whole, what a task printed goes on in the next line, all else is cut."""
    from rich.text import Text

    from mflow.cli.fitting import pieces, without_middle

    lines: list[Text] = []
    for number, line in enumerate(block):
        if line.startswith(PRINTED):
            lines.append(Text(line))
        elif line.startswith(WHOLE_LOG):
            lines += map(Text, pieces(line, width))
        else:
            lines.append(Text(without_middle(line, width), "" if number else "bold red"))
    return Text("\n").join([Text(""), *lines])


def _advice(advice: Sequence[tuple[str, str]], width: int) -> "RenderableType":
    """Commands and what they are for, side by side if there is room for all."""
    from rich.text import Text

    from mflow.cli.fitting import pieces

    beside = max(len(command) + len(what) for command, what in advice) + 4 <= width
    wide = max(len(command) for command, _ in advice) + 2
    lines: list[Text] = []
    for command, what in advice:
        if beside:
            lines.append(Text.assemble("  ", (command.ljust(wide), "bold"), (what, "dim")))
        else:
            lines += [Text(f"  {piece}", "bold") for piece in pieces(command, width - 2)]
            lines.append(Text(f"    {what}", "dim"))
    return Text("\n").join(lines)
