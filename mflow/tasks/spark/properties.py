"""Files of Java properties, as Spark reads them, and the private one that keeps secrets off the command line.

The format is that of java.util.Properties.load: comments begin with # or !, a backslash continues a line or
escapes, the first unescaped =, : or blank ends a key, and the last of equal keys counts. With `--properties-file`
spark-submit no longer reads conf/spark-defaults.conf, so the private file begins with whichever of the two would
have been read (https://spark.apache.org/docs/latest/configuration.html#dynamically-loading-spark-properties).
"""

import re
import tempfile
from collections.abc import Iterable
from pathlib import Path

_KEY = re.compile(r"(?:\\.|[^\\=:\s])*", re.DOTALL)
_SEPARATOR = re.compile(r"[ \t\f]*[=:]?[ \t\f]*")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CONTROLS = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}


def parse_properties(text: str) -> dict[str, str]:
    """The properties of a file's text."""
    found: dict[str, str] = {}
    for line in _logical_lines(text):
        key_match = _KEY.match(line)
        assert key_match is not None  # it matches nothing, too
        rest = line[key_match.end() :]
        separator = _SEPARATOR.match(rest)
        assert separator is not None
        # Spark trims values (Utils.getPropertiesFromFile); Java alone would keep the blanks at the end.
        found[_unescaped(key_match[0])] = _unescaped(rest[separator.end() :]).strip()
    return found


def format_properties(pairs: Iterable[tuple[str, str]]) -> str:
    """Lines that read back as these pairs, whatever they hold; ASCII only, so no encoding can harm them."""
    return "".join(f"{_escaped(key, ' =:#!')}={_escaped(value, ' ')}\n" for key, value in pairs)


def write_private(base: Path | None, pairs: Iterable[tuple[str, str]], folder: str) -> Path:
    """A new file, readable by its owner only, of the base and these pairs, which win. Raises OSError."""
    text = base.read_text("utf-8", "surrogateescape") + "\n" if base else ""
    descriptor, name = tempfile.mkstemp(prefix=".spark-", suffix=".properties", dir=folder)  # mode 0600
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text + format_properties(pairs))
    return Path(name)


def _logical_lines(text: str) -> Iterable[str]:
    lines = iter(re.split(r"\r\n|\r|\n", text))
    for natural in lines:
        line = natural.lstrip(" \t\f")
        if not line or line[0] in "#!":
            continue
        while _continues(line):
            line = line[:-1] + next(lines, "").lstrip(" \t\f")
        yield line


def _continues(line: str) -> bool:
    return (len(line) - len(line.rstrip("\\"))) % 2 == 1


def _unescaped(text: str) -> str:
    def meant(match: re.Match[str]) -> str:
        word = match[1]
        return chr(int(word[1:], 16)) if len(word) == 5 else _CONTROLS.get(word, word)

    found = _ESCAPE.sub(meant, text)
    return (
        found.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass") if "\\u" in text else found
    )


def _escaped(text: str, special: str) -> str:
    return "".join(_escaped_character(each, special) for each in text)


def _escaped_character(each: str, special: str) -> str:
    if each == "\\" or each in special:
        return "\\" + each
    if " " <= each <= "~":
        return each
    units = each.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02x}{units[at + 1]:02x}" for at in range(0, len(units), 2))
