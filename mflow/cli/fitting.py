"""Making things fit into a terminal: an id or a path too long for its place loses its middle, and no row is folded.

Widths are of cells: some characters take two.
"""

from collections.abc import Sequence

from rich.cells import cell_len, chop_cells, set_cell_size

GAP = 2
"""Blanks between two columns."""

_LEAST = 16
"""A column that may be cut keeps so much, as long as others can be left out instead."""

_ELLIPSIS = "…"


def without_middle(text: str, width: int) -> str:
    """The text if it fits, else its beginning and its end: `load_cust…_daily`."""
    if cell_len(text) <= width:
        return text
    if width < 3:
        return without_end(text, width)
    behind = (width - 1) // 2
    end = _last(text, behind)
    return without_end(text, width - cell_len(end)) + end


def without_end(text: str, width: int) -> str:
    """The text if it fits, else its beginning."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, width - 1).rstrip() + _ELLIPSIS if width > 0 else ""


def pieces(text: str, width: int) -> list[str]:
    """The whole text on as many lines as it takes: a command is to be typed, so nothing of it may be missing."""
    return chop_cells(text, max(1, width))


def _last(text: str, width: int) -> str:
    start = max(0, len(text) - width)
    while cell_len(text[start:]) > width:
        start += 1
    return text[start:]


def widths(longest: Sequence[int], cut: Sequence[bool], leave: Sequence[int], room: int) -> dict[int, int]:
    """The widths of those columns that there is room for, by their numbers.

    `longest`: of each what it would take. `cut`: whether its cells may be cut. `leave`: which columns may be left
    out, the least important first.
    """
    columns, leaving = list(range(len(longest))), list(leave)
    least = [min(one, _LEAST) if may else one for one, may in zip(longest, cut, strict=True)]
    while leaving and sum(least[one] for one in columns) + GAP * (len(columns) - 1) > room:
        columns.remove(leaving.pop(0))
    spare = room - GAP * (len(columns) - 1) - sum(longest[one] for one in columns if not cut[one])
    found = {one: longest[one] for one in columns}
    flexible = sorted((one for one in columns if cut[one]), key=lambda one: longest[one])
    for position, one in enumerate(flexible):  # the short ones first: what they do not need is the others'
        found[one] = min(longest[one], max(1, spare // (len(flexible) - position)))
        spare -= found[one]
    return found
