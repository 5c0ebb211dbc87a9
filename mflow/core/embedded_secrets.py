"""Passwords inside of longer values: in the login of a URL, behind `password=`, behind an option of a program.

postgres://u:pw@h/d   https://token@h   jdbc:oracle:thin:u/pw@h   u/pw@db   -Ddb.password=pw   h;user=u;password=pw
--password pw   -u me:pw   {"password": "pw"}   Authorization: Bearer pw
"""

import re
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import unquote

MASK = "***"

_REFERENCE = re.compile(r"\$(?:\{\w+\}|[A-Za-z_]\w*)")
_ANY_REFERENCE = re.compile(rf"\$\$|{_REFERENCE.pattern}")
_NAME = r"(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|(?:api|access|private|secret)[_.-]?key)"
_PLACES = (
    # A password goes on to the next `@`, as SQLAlchemy reads it, and to the last one before the host's end. What
    # begins like a port is none.
    re.compile(r"\w://[^/:@\[\]\s]*:(?!\d+[/?#])(?P<secret>[^@\s]+(?:@[^/?#@\s]*(?=@))*)@"),
    # Nobody but a token goes to a web server without a password.
    re.compile(r"\bhttps?://(?P<secret>[^/:@\[\]\s?#]+)@", re.IGNORECASE),
    re.compile(r"(?:jdbc:oracle:\w+|\bthin|\boci8?):[^/@\s]+/(?P<secret>[^@\s]+)@", re.IGNORECASE),
    # As SQL*Plus takes it. What is followed by a digest or a version is an image or a package.
    re.compile(
        r"(?<![^\s=\"'(,;])[\w$#.{}\[\]]+/(?P<secret>\"[^\"]+\"|[^\s/@\"']+)"
        r"@(?=//|\d+(?:\.\d+){3}(?![\w.])|(?!sha\d+:|v?\d+(?:\.\d+)*(?:[-+][\w.]+)?(?:[\s,;\"']|$))[\w($\[])"
    ),
    re.compile(
        rf"\\?[\"'](?:[\w.-]*{_NAME}|pass|pw)\\?[\"']\s*:\s*"
        r"(?:\\\"(?P<secret>[^\"\\]+)\\\"|\"(?P<secret2>(?:[^\"\\]|\\.)+)\"|'(?P<secret3>[^']+)')",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:(?i:\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token))|\bBearer)\s+(?P<secret>[^\s\"',;\\]+)"
    ),
    re.compile(
        rf"(?<!\S)--?[\w.-]*{_NAME}\s+(?P<secret>\"[^\"]+\"|'[^']+'|[^\s\"'-][^\s\"']*)",
        re.IGNORECASE,
    ),
    # Of curl; two numbers are a user and a group.
    re.compile(r"(?<!\S)(?:-u|--user)[\s=]\s*[\"']?(?!\d+:\d+\b)[^\s:\"'/=]+:(?P<secret>[^\s\"'/]+)"),
    re.compile(rf"{_NAME}\s*=\s*(?P<secret>\"[^\"]+\"|'[^']+'|[^\s&;,\"']+)", re.IGNORECASE),
)
_SIGNS = re.compile(r"[:=@]|Bearer\s|-\S+\s")
"""One of them is in every value that holds a password."""

_OPTION = re.compile(rf"--?[\w.-]*{_NAME}", re.IGNORECASE)

Span = tuple[int, int]


def is_reference(value: str) -> bool:
    """Whether a value is nothing but `$NAME` or `${NAME}`, and so tells nobody anything."""
    return _REFERENCE.fullmatch(value) is not None


def references(value: str) -> list[str]:
    """The names of the variables that a value refers to, anywhere in it."""
    return [name.strip("${}") for name in _ANY_REFERENCE.findall(value) if name != "$$"]


def resolved(value: str, find: Callable[[str], str]) -> str:
    """The value with what its references stand for."""
    return _ANY_REFERENCE.sub(lambda one: "$" if one[0] == "$$" else find(one[0].strip("${}")), value)


def announces(word: str) -> bool:
    """Whether the word of a command line that follows this one is a secret: `--db-password`."""
    return _OPTION.fullmatch(word) is not None


def spans(value: str) -> Sequence[Span]:
    """Where in a value passwords stand, ascending, references (`${NAME}`) and masks among them."""
    if not _SIGNS.search(value):
        return ()
    found = sorted(match.span(match.lastgroup or 0) for place in _PLACES for match in place.finditer(value))
    return tuple(_apart(found))


def _apart(found: Sequence[Span]) -> Iterator[Span]:
    """Without what begins inside of another: a URL's password may hold `token=`."""
    end = 0
    for span in found:
        if span[0] >= end:
            yield span
            end = span[1]


def parts(value: str) -> list[str]:
    """The passwords in a value, as they stand there."""
    return [value[start:end] for start, end in spans(value)]


def changed(value: str, change: Callable[[str], str]) -> str:
    """The value with each of its passwords changed."""
    pieces, behind = [], 0
    for start, end in spans(value):
        pieces += [value[behind:start], change(value[start:end])]
        behind = end
    return "".join([*pieces, value[behind:]])


def spellings(part: str) -> Iterator[str]:
    """What a password may be met as: without its quotes, and without the percent signs of a URL."""
    bare = part.strip("\"'")
    yield bare
    if "%" in bare:
        yield unquote(bare)
