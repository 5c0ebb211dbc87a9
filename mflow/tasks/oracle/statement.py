"""One statement: where SQL ends and PL/SQL begins, and what a `command` forgives. Pure."""

import re
from dataclasses import dataclass
from itertools import islice, pairwise

from mflow.tasks.oracle.scanning import Kind, Token, alone_on_line, significant, words
from mflow.tasks.oracle.sqlplus import Act, recognise

_DDL = frozenset(
    {
        *(
            "ADMINISTER",
            "ALTER",
            "ANALYZE",
            "ASSOCIATE",
            "AUDIT",
            "COMMENT",
            "CREATE",
            "DISASSOCIATE",
            "DROP",
        ),
        *("FLASHBACK", "GRANT", "NOAUDIT", "PURGE", "RENAME", "REVOKE", "TRUNCATE"),
    }
)
"""First words of statements that commit before and after themselves (but ALTER SESSION and ALTER SYSTEM)."""

_SQL = frozenset(
    {
        *(
            "CALL",
            "COMMIT",
            "DELETE",
            "EXPLAIN",
            "INSERT",
            "LOCK",
            "MERGE",
            "ROLLBACK",
            "SAVEPOINT",
            "SELECT",
        ),
        *("SET", "UPDATE", "WITH"),
    }
)
_BLOCK = frozenset({"BEGIN", "DECLARE"})

_STORED = frozenset({"FUNCTION", "JAVA", "LIBRARY", "MLE", "PACKAGE", "PROCEDURE", "TRIGGER", "TYPE"})
"""What CREATE makes from PL/SQL: SQL*Plus reads all of these up to a line with `/`."""

_FOREIGN = frozenset({"JAVA", "MLE"})
_BETWEEN = frozenset(
    {"OR", "REPLACE", "EDITIONABLE", "NONEDITIONABLE", "AND", "RESOLVE", "COMPILE", "NOFORCE", "FORCE", "IF"}
)
"""Words that may stand between CREATE and what it makes."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement as the database gets it. `line` is where it starts in its script, from 1."""

    text: str
    line: int = 1
    is_block: bool = False  # PL/SQL: its `;` belong to it

    @property
    def title(self) -> str:
        """What it is in a word or two: `INSERT`, `CREATE TABLE`, `PL/SQL block`."""
        said = [word for word in _head(self.text, 0) if word not in _BETWEEN]
        if not said or (self.is_block and said[0] not in ("CREATE", "WITH")):
            return "PL/SQL block"
        return " ".join(said[: 2 if said[0] in ("ALTER", "CREATE", "DROP", "TRUNCATE") else 1])

    @property
    def changes_rows(self) -> bool:
        """Whether the database tells how many rows it touched; none is a number, too."""
        return not self.is_block and self.title in ("DELETE", "INSERT", "MERGE", "UPDATE")

    @property
    def commits(self) -> bool:
        """Whether it surely commits by itself."""
        said = _head(self.text, 0)
        if self.is_block and said[:1] != ["CREATE"]:
            return "COMMIT" in words(self.text)
        if said[:2] in (["ALTER", "SESSION"], ["ALTER", "SYSTEM"]):
            return False
        return bool(said) and (said[0] in _DDL or said[0] == "COMMIT")

    @property
    def may_commit(self) -> bool:
        """Whether it commits by itself, or may: what a procedure does that it calls cannot be seen.

        A function that SQL calls cannot commit (ORA-14552), nor can a trigger (ORA-04092), but for autonomous
        transactions, which nobody sees from here.
        """
        said = _head(self.text, 0)
        if said[:2] in (["WITH", "FUNCTION"], ["WITH", "PROCEDURE"]):
            return False
        if self.is_block:
            return not _is_plain_block(self.text)
        return said[:2] != ["ALTER", "SESSION"] and said[:1] not in _PLAIN


_PLAIN = [
    *(["DELETE"], ["EXPLAIN"], ["INSERT"], ["LOCK"], ["MERGE"]),
    *(["ROLLBACK"], ["SAVEPOINT"], ["SELECT"], ["SET"], ["UPDATE"], ["WITH"]),
]
"""First words of statements that commit nothing."""

_PLAIN_CALLS = re.compile(
    r"(sys\.)?(dbms_(output|session|application_info)\.\w+|dbms_lock\.sleep)|raise_application_error|null",
    re.IGNORECASE,
)
"""What else a block may do without a commit."""


def _is_plain_block(text: str) -> bool:
    """`BEGIN`, statements of SQL and calls that are known, `END;`: anything cleverer might commit."""
    pieces: list[list[Token]] = [[]]
    for token in significant(text):
        if token.text == ";":
            pieces.append([])
        else:
            pieces[-1].append(token)
    first, last, rest = pieces[0], pieces[-2:], pieces[1:-2]
    if len(pieces) < 3 or first[0].text.upper() != "BEGIN" or last[1]:
        return False
    ends = [token.text.upper() for token in last[0]] == ["END"]
    return ends and all(map(_is_plain, [first[1:], *rest]))


def _is_plain(piece: list[Token]) -> bool:
    if not piece:
        return False
    if piece[0].kind is Kind.WORD and [piece[0].text.upper()] in _PLAIN and piece[0].text.upper() != "WITH":
        return True
    at = next((no for no, token in enumerate(piece) if token.text == "("), len(piece))
    name = "".join(token.text for token in piece[:at])
    # A function among a call's arguments is no part of SQL, and may commit.
    values = all(
        token.kind not in (Kind.WORD, Kind.QUOTED) or token.text.isdigit() or before.text == ":"
        for before, token in pairwise(piece[max(0, at - 1) :])
    )
    return bool(_PLAIN_CALLS.fullmatch(name)) and values


def is_known(text: str, start: int) -> bool:
    """Whether what begins there is SQL or PL/SQL by its first word."""
    first = next(significant(text, start), None)
    if first is None or first.text in ("(", "<"):
        return first is not None
    return first.text.upper() in _DDL | _SQL | _BLOCK


def is_block(text: str, start: int = 0) -> bool:
    """Whether what begins there is PL/SQL, or makes something of it: `;` does not end it."""
    first = next(significant(text, start), None)
    if first is not None and text.startswith("<<", first.start):
        return True
    said = _head(text, start)
    if said[:1] == ["CREATE"]:
        return _made(said) in _STORED
    return said[:1] in (["BEGIN"], ["DECLARE"]) or said[:2] in (["WITH", "FUNCTION"], ["WITH", "PROCEDURE"])


def is_foreign(text: str, start: int = 0) -> bool:
    """Whether it is Java or JavaScript, whose literals and comments are not those of SQL."""
    said = _head(text, start)
    return said[:1] == ["CREATE"] and _made(said) in _FOREIGN


_LAST_SLASH = re.compile(r"(?:\A|\n)[ \t]*/[ \t]*\Z")


def _made(said: list[str]) -> str:
    return next((word for word in said[1:] if word not in _BETWEEN), "")


def _head(text: str, start: int) -> list[str]:
    return list(islice(words(text, start), 8))


def read_command(text: str) -> Statement:
    """The one statement of a `command`: the terminators of SQL*Plus are forgiven, EXECUTE is understood.

    Raises ValueError if it is empty, of SQL*Plus, or several statements.
    """
    text = _without_slash(text.replace("\r\n", "\n").strip())
    first = next(significant(text), None)
    if first is None:
        raise ValueError("the command is empty")
    text = _of_sqlplus(text, first) or text
    if is_block(text):
        return Statement(text, is_block=True)
    return Statement(_without_semicolon(text))


def _of_sqlplus(text: str, first: Token) -> str | None:
    """EXECUTE as the block that it stands for; None if it is for the database to judge."""
    command = recognise(text[first.start :].partition("\n")[0])
    if command is None:
        return None
    if command.act is Act.EXECUTE:
        call = text[first.end :].strip().rstrip(";")
        return f"BEGIN {call}; END;"
    raise ValueError(f"{command.name} is a command of SQL*Plus, not SQL: use `script` for such files")


def _without_slash(text: str) -> str:
    """Without the lines at its end that hold only `/`."""
    while (shorter := _LAST_SLASH.sub("", text).rstrip()) != text:
        text = shorter
    return text


def _without_semicolon(text: str) -> str:
    for token in significant(text):
        if token.text == ";":
            rest = [after for after in significant(text, token.end) if after.text != ";"]
            if rest and not (len(rest) == 1 and rest[0].text == "/" and alone_on_line(text, rest[0])):
                raise ValueError(
                    "the command holds several statements: make it one block (BEGIN ... END;), or a `script`"
                )
            return text[: token.start].rstrip()
    return text
