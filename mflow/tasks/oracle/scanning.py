"""Where the words, literals and comments of Oracle SQL and PL/SQL begin and end. Nothing more is understood.

Source: SQL Language Reference, "Lexical Conventions", "Text Literals" (the alternative quoting mechanism), "Comments".
"""

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NamedTuple


class Kind(Enum):
    """What a piece of text is."""

    BLANK = auto()
    COMMENT = auto()
    LITERAL = auto()  # '...', n'...', q'[...]'
    QUOTED = auto()  # "..."
    WORD = auto()  # a name or keyword; numbers are made of SIGNs and WORDs, which harms nobody
    SIGN = auto()  # any other character


class Token(NamedTuple):
    """One piece: text[start:end]. `whole` is false for a literal, name or comment that never ends."""

    kind: Kind
    start: int
    end: int
    text: str
    whole: bool = True


_CLOSING = {"[": "]", "{": "}", "(": ")", "<": ">"}

_PATTERN = re.compile(
    r"""
      (?P<BLANK>\s+)
    | (?P<COMMENT>--[^\n]*)
    | (?P<LONG>/\*)
    | (?P<Q>[nN]?[qQ]'(?=[^ \t\r\n]))
    | (?P<LITERAL>[nN]?'(?:[^']|'')*(?P<end>'?))
    | (?P<QUOTED>"[^"]*(?P<end2>"?))
    | (?P<WORD>[\w$\#]+)
    | (?P<SIGN>.)
    """,
    re.VERBOSE | re.DOTALL,
)


def scan(text: str, start: int = 0) -> Iterator[Token]:
    """The pieces of the text from `start` on, without gaps."""
    at = start
    while at < len(text):
        token = _token(text, at)
        yield token
        at = token.end


def _token(text: str, at: int) -> Token:
    found = _PATTERN.match(text, at)
    assert found is not None  # SIGN takes any character
    match found.lastgroup:
        case "LONG":
            return _until(Kind.COMMENT, text, at, found.end(), "*/")
        case "Q":
            opening = text[found.end()]
            return _until(Kind.LITERAL, text, at, found.end() + 1, _CLOSING.get(opening, opening) + "'")
        case "LITERAL" | "end":
            return Token(Kind.LITERAL, at, found.end(), found[0], bool(found["end"]))
        case "QUOTED" | "end2":
            return Token(Kind.QUOTED, at, found.end(), found[0], bool(found["end2"]))
        case name:
            return Token(Kind[name or "SIGN"], at, found.end(), found[0])


def _until(kind: Kind, text: str, start: int, search: int, closing: str) -> Token:
    at = text.find(closing, search)
    end = len(text) if at < 0 else at + len(closing)
    return Token(kind, start, end, text[start:end], at >= 0)


def words(text: str, start: int = 0) -> Iterator[str]:
    """The words in upper case; literals, quoted names and comments passed over."""
    return (token.text.upper() for token in scan(text, start) if token.kind is Kind.WORD)


def significant(text: str, start: int = 0) -> Iterator[Token]:
    """The pieces that mean something: neither blanks nor comments."""
    return (token for token in scan(text, start) if token.kind not in (Kind.BLANK, Kind.COMMENT))


def alone_on_line(text: str, token: Token) -> bool:
    """Whether nothing but blanks is on the token's line beside it."""
    before = text.rfind("\n", 0, token.start) + 1
    after = text.find("\n", token.end)
    line = text[before : len(text) if after < 0 else after]
    return line.strip() == token.text


def line_of(text: str, at: int) -> int:
    """The number of the line, from 1."""
    return text.count("\n", 0, at) + 1
