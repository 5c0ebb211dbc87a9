"""Java properties: what is written reads back, and what Spark's users write is understood."""

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mflow.tasks.spark.properties import format_properties, parse_properties, write_private

KEYS = st.text(min_size=1).filter(lambda key: key == key.strip())
VALUES = st.text().filter(lambda value: value == value.strip())


@given(st.dictionaries(KEYS, VALUES))
def test_what_is_written_reads_back(pairs: dict[str, str]) -> None:
    written = format_properties(pairs.items())
    assert written.isascii()
    assert parse_properties(written) == pairs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spark.master            spark://5.6.7.8:7077", {"spark.master": "spark://5.6.7.8:7077"}),
        ("spark.a=4g\nspark.b : true\n", {"spark.a": "4g", "spark.b": "true"}),
        ("# comment = 1\n! another\n\n  a = b  \n", {"a": "b"}),
        ('spark.executor.extraJavaOptions  -Da=b -Dc="d e"', {"spark.executor.extraJavaOptions": '-Da=b -Dc="d e"'}),
        ("a = one \\\n    two", {"a": "one two"}),
        ("a = ends in a backslash\\\\\nb = 2", {"a": "ends in a backslash\\", "b": "2"}),
        ("a = 1\r\na = 2\r\n", {"a": "2"}),
        ("a\\ b\\=c = \\u00e9\\t.", {"a b=c": "é\t."}),
        ("alone", {"alone": ""}),
        ("a = \\", {"a": ""}),
    ],
)  # fmt: skip
def test_forms_of_the_format(text: str, expected: dict[str, str]) -> None:
    assert parse_properties(text) == expected


def test_the_private_file_is_the_owners_and_its_pairs_win(tmp_path: Path) -> None:
    base = tmp_path / "base.conf"
    base.write_bytes(b"spark.x.password=old\nspark.y \xff")
    path = write_private(base, [("spark.x.password", "n=e w")], str(tmp_path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    read = parse_properties(path.read_text("utf-8", "surrogateescape"))
    assert read == {"spark.x.password": "n=e w", "spark.y": "\udcff"}
