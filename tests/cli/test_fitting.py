"""What is left of a text for which there is no room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from mflow.cli.fitting import pieces, widths, without_end, without_middle


@pytest.mark.parametrize(
    ("width", "shown"),
    [(20, "load_customers_daily"), (19, "load_cust…ers_daily"), (5, "lo…ly"), (2, "l…"), (0, "")],
)
def test_the_middle_goes_first(width: int, shown: str) -> None:
    assert without_middle("load_customers_daily", width) == shown


@given(st.text("abc_7é漢"), st.integers(0, 30))
def test_whatever_is_cut_fits(text: str, width: int) -> None:
    for cut in (without_middle, without_end):
        assert cell_len(cut(text, width)) <= max(width, 0)
        assert cut(text, cell_len(text)) == text
    assert "".join(pieces(text, max(2, width))) == text


@given(st.lists(st.tuples(st.integers(1, 300), st.booleans()), min_size=1, max_size=6), st.integers(40, 200))
def test_columns_fit_if_those_that_must_be_whole_do(columns: list[tuple[int, bool]], room: int) -> None:
    longest, cut = [one for one, _ in columns], [may for _, may in columns]
    found = widths(longest, cut, [], room)
    fixed = sum(one for one, may in columns if not may)
    gaps = 2 * (len(columns) - 1)
    assert sum(found.values()) + gaps <= max(room, fixed + gaps + sum(cut))
    assert all(found[number] <= one for number, one in enumerate(longest))
    if sum(longest) + gaps <= room:
        assert list(found.values()) == longest


def test_the_least_important_column_leaves_first() -> None:
    assert list(widths([30, 7, 6, 8, 5, 20], [True, False, False, False, False, True], [2, 3, 4], 50)) == [
        0,
        1,
        4,
        5,
    ]
