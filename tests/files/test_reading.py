"""Reading JSON strictly: whatever the file holds, the answer is an object or words with a place."""

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mflow.files import reading
from mflow.files.reading import parse_object, read_object
from mflow.files.report import Report


def problems(text: str) -> list[str]:
    report = Report("f.json")
    assert (parse_object(text, report) is None) is report.failed
    return [str(problem) for problem in report.problems]


def read(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    report = Report("f.json")
    return read_object(str(path), report), [str(problem) for problem in report.problems]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.json: is empty"),
        (" \n ", "f.json: is empty"),
        ("[]", "f.json: must hold an object: { ... }"),
        ("null", "f.json: must hold an object: { ... }"),
        ('{"a": 1', "f.json:1:8: a comma is missing"),
        ('{\n  "a": 1\n  "b": 2\n}', "f.json:3:3: a comma is missing"),
        ('{"a" 1}', "f.json:1:6: a colon is missing after a key"),
        ('{"a": }', "f.json:1:7: a value is missing"),
        ("{a: 1}", "f.json:1:2: a key in double quotes is missing"),
        ('{\n "a": 1,\n}', "f.json:2:8: a comma too many"),
        ('{"a": [1,\n]}', "f.json:1:9: a comma too many"),
        ('{"a": 1} x', "f.json:1:10: something stands behind the end"),
        ('{"a": "x}', "f.json:1:7: a string that begins here does not end"),
        (
            '{"a": "x\ny"}',
            "f.json:1:9: a line break or control character stands inside a string",
        ),
        ('{"a": "\\d"}', "f.json:1:8: a backslash inside a string must be doubled"),
        ("{'a': 1}", "f.json:1:2: a key in double quotes is missing"),
        ('{"a": True}', "f.json:1:7: a value is missing"),
        ('{"a": [{}, {"b": NaN}]}', "f.json: a[1].b: NaN is not a number that can be used here"),
        ('{"a": -Infinity}', "f.json: a: -Infinity is not a number that can be used here"),
        ('{"a": 1e999}', "f.json: a: 1e999 is not a number that can be used here"),
        ('{"a": "x\\u0000y"}', "f.json: a: holds a NUL character"),
        ('{"a\\u0000b": 1}', "f.json: a\\x00b: the key holds a NUL character"),
        (
            '{"a": ["\\ud800"]}',
            "f.json: a[0]: holds one half of a surrogate pair (\\ud800 to \\udfff), which is no character",
        ),
        ('{"a": {"b": 1, "c": 2, "b": 3}}', "f.json: a.b: the same key twice in one object"),
    ],
)
def test_what_is_wrong_and_where(text: str, problem: str) -> None:
    assert problems(text) == [problem]


def test_a_number_of_a_thousand_digits() -> None:
    (problem,) = problems('{"a": ' + "9" * 5000 + "}")
    assert problem.startswith("f.json: a: 9999")
    assert len(problem) < 150


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_nested_too_deep(opening: str) -> None:
    assert problems('{"a": ' + opening * 200_000) == ["f.json: is nested too deep"]


def test_nested_too_deep_to_look_for_what_is_wrong() -> None:
    (problem,) = problems('{"a": ' + "[" * 150 + "NaN" + "]" * 150 + "}")
    assert problem.startswith("f.json: a[0][0]")
    assert problem.endswith(": is nested too deep")


def test_all_marks_of_a_document_are_reported_in_its_order() -> None:
    assert problems('{"b": [NaN, {"x": 1, "x": 2}], "a": "\\u0000"}') == [
        "f.json: b[0]: NaN is not a number that can be used here",
        "f.json: b[1].x: the same key twice in one object",
        "f.json: a: holds a NUL character",
    ]


def test_a_comment_may_stand_twice() -> None:
    assert problems('{"//": "one", "a": 1, "//": "two"}') == []


def test_a_whole_surrogate_pair_is_a_character() -> None:
    assert parse_object('{"a": "\\ud83d\\ude00"}', Report("f")) == {"a": "\N{GRINNING FACE}"}


class TestFiles:
    def test_utf8_with_and_without_mark(self, tmp_path: Path) -> None:
        file = tmp_path / "f"
        for encoding in ("utf-8", "utf-8-sig"):
            file.write_text('{"ñ": "tarea"}', encoding=encoding)
            assert read(file) == ({"ñ": "tarea"}, [])

    def test_another_encoding(self, tmp_path: Path) -> None:
        file = tmp_path / "f"
        file.write_bytes('{\n "año": 1}'.encode("latin-1"))
        assert read(file) == (None, ["f.json:2:4: byte 0xf1 is not UTF-8"])

    def test_missing(self, tmp_path: Path) -> None:
        assert read(tmp_path / "no") == (None, ["f.json: does not exist"])

    def test_behind_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "f").write_text("")
        assert read(tmp_path / "f/x") == (None, ["f.json: does not exist"])

    def test_a_link_to_itself(self, tmp_path: Path) -> None:
        (tmp_path / "f").symlink_to(tmp_path / "f")
        assert read(tmp_path / "f") == (None, ["f.json: cannot be read: Too many levels of symbolic links"])

    def test_a_folder(self, tmp_path: Path) -> None:
        assert read(tmp_path) == (None, ["f.json: is a directory"])

    def test_not_permitted(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*args: object) -> int:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(os, "open", refuse)
        assert read(tmp_path / "f") == (None, ["f.json: cannot be read: permission denied"])

    def test_devices_pipes_and_sockets(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        assert read(tmp_path / "pipe") == (None, ["f.json: is not a regular file"])
        assert read(Path("/dev/zero")) == (None, ["f.json: is not a regular file"])
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(tmp_path / "s"))
            assert read(tmp_path / "s") == (None, ["f.json: cannot be read: No such device or address"])

    def test_what_fails_when_it_is_read(self) -> None:
        assert read(Path("/proc/self/mem")) == (None, ["f.json: cannot be read: Input/output error"])

    def test_too_large(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reading, "LARGEST_BYTES", 1000)
        file = tmp_path / "f"
        file.write_text("{}" + " " * 999)
        assert read(file) == (None, ["f.json: is larger than 1,000 bytes"])

    def test_a_name_that_is_none(self) -> None:
        assert read(Path("a\0b")) == (None, ["f.json: is not a file name"])


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.binary())
@example(b"\xef\xbb\xbf")
@example(b'{"a": "\xed\xa0\x80"}')
def test_any_bytes_are_an_object_or_have_problems(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "any"
    file.write_bytes(content)
    found, said = read(file)
    assert (found is None) is bool(said)


@given(st.text())
def test_any_text_is_an_object_or_has_problems(text: str) -> None:
    problems(text)


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
        st.integers(-(10**30), 10**30),
    )
)
def test_what_is_right_is_read_as_json_does(value: dict[str, int]) -> None:
    assert parse_object(json.dumps(value), Report("f")) == value


@given(_JSON)
def test_any_json(value: Any) -> None:
    problems(json.dumps(value))
