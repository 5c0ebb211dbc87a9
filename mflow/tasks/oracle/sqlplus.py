"""The commands of SQL*Plus that scripts hold: carried out, passed over as harmless, or refused by name.

What only changes how SQL*Plus shows things is passed over. What would change which statements run, where, or what
becomes of them is refused before anything runs, unless it asks for what mflow does anyway.

Source: SQL*Plus User's Guide and Reference, "SQL*Plus Command Reference" (19c).
"""

import re
from dataclasses import dataclass
from enum import Enum, auto


class Act(Enum):
    """What is done about a command."""

    IGNORE = auto()  # a line in the log says so
    PROMPT = auto()  # its text goes to the log
    REMARK = auto()  # a comment
    EXECUTE = auto()  # its text is one call of PL/SQL
    DEFINE_ON = auto()
    DEFINE_OFF = auto()
    EXIT = auto()  # the script ends here
    REFUSE = auto()


@dataclass(frozen=True, slots=True)
class Command:
    """One command. `text`: what to print, to call, or (refused) why and what to do instead."""

    name: str
    act: Act
    text: str = ""


_BUFFER = "it works on SQL*Plus's buffer: write the statement where it is to run"
_VARIABLE = "mflow has no substitution variables: give values as binds"
_FORMAT = "IGNORE"

# Name, shortest abbreviation, what is done: IGNORE, or why it is refused.
_TABLE = (
    ("ACCEPT", 3, "nobody is there to answer: give values as binds"),
    ("APPEND", 1, _BUFFER),
    ("ARCHIVE", 7, "administration is not a task for a script of mflow"),
    ("ATTRIBUTE", 9, _FORMAT),
    ("BREAK", 3, _FORMAT),
    ("BTITLE", 3, _FORMAT),
    ("CHANGE", 1, _BUFFER),
    ("CLEAR", 2, _FORMAT),
    ("COLUMN", 3, _FORMAT),
    ("COMPUTE", 4, _FORMAT),
    ("CONFIG", 6, _FORMAT),
    ("CONNECT", 4, "a task runs on one connection, that of its db: make it two tasks"),
    ("COPY", 4, "mflow cannot copy between databases"),
    ("DEFINE", 3, _VARIABLE),
    ("DEL", 3, _BUFFER),
    ("DESCRIBE", 4, _FORMAT),
    ("DISCONNECT", 4, "a task runs on one connection, that of its db"),
    ("EDIT", 2, _BUFFER),
    ("GET", 3, _BUFFER),
    ("HELP", 4, _FORMAT),
    ("HISTORY", 4, _BUFFER),
    ("HOST", 2, "commands of the system belong into a task of type bash"),
    ("INPUT", 1, _BUFFER),
    ("LIST", 1, _BUFFER),
    ("OERR", 4, _FORMAT),
    ("PASSWORD", 5, "nobody is there to answer"),
    ("PAUSE", 3, "nobody is there to answer"),
    ("PING", 4, _FORMAT),
    ("PRINT", 3, "mflow has no variables of SQL*Plus: use DBMS_OUTPUT.PUT_LINE"),
    ("RECOVER", 7, "administration is not a task for a script of mflow"),
    ("REPFOOTER", 4, _FORMAT),
    ("REPHEADER", 4, _FORMAT),
    ("RUN", 1, _BUFFER),
    ("SAVE", 3, _BUFFER),
    ("SHOW", 3, _FORMAT),
    ("SHUTDOWN", 8, "administration is not a task for a script of mflow"),
    (
        "SPOOL",
        3,
        "output goes to the attempt's log (mflow logs): remove SPOOL, or write files in a task of type bash",
    ),
    ("START", 3, "put the other script's text here, or make it a task of its own"),
    ("STARTUP", 7, "administration is not a task for a script of mflow"),
    ("STORE", 5, _BUFFER),
    ("TIMING", 4, _FORMAT),
    ("TTITLE", 3, _FORMAT),
    ("UNDEFINE", 5, _VARIABLE),
    ("VARIABLE", 3, "mflow has no variables of SQL*Plus: give values as binds"),
    ("XQUERY", 6, "mflow does not run XQuery: use XMLQUERY in SQL"),
)

# What SET may say. "" : it only changes how things look, or how they are fetched.
_TEXT = "it would change which text is run"
_SETTINGS = (
    ("APPINFO", 4, ""),
    ("ARRAYSIZE", 5, ""),
    ("AUTOCOMMIT", 4, "OFF"),
    ("AUTOPRINT", 5, ""),
    ("AUTORECOVERY", 8, ""),
    ("AUTOTRACE", 5, ""),
    ("BLOCKTERMINATOR", 3, "ON ."),
    ("CMDSEP", 4, "OFF"),
    ("COLINVISIBLE", 6, ""),
    ("COLSEP", 6, ""),
    ("CONCAT", 3, ""),
    ("COPYCOMMIT", 5, ""),
    ("COPYTYPECHECK", 13, ""),
    ("DEFINE", 3, "ON OFF &"),
    ("DESCRIBE", 8, ""),
    ("ECHO", 4, ""),
    ("EDITFILE", 5, ""),
    ("EMBEDDED", 3, ""),
    ("ERRORDETAILS", 6, ""),
    ("ERRORLOGGING", 6, "OFF"),
    ("ESCAPE", 3, "OFF"),
    ("ESCCHAR", 7, "OFF"),
    ("EXITCOMMIT", 5, "ON"),
    ("FEEDBACK", 4, ""),
    ("FLAGGER", 4, "OFF"),
    ("FLUSH", 3, ""),
    ("HEADING", 3, ""),
    ("HEADSEP", 5, ""),
    ("HISTORY", 4, ""),
    ("JSONPRINT", 5, ""),
    ("LINESIZE", 3, ""),
    ("LOBOFFSET", 4, ""),
    ("LOBPREFETCH", 11, ""),
    ("LONG", 4, ""),
    ("LONGCHUNKSIZE", 5, ""),
    ("MARKUP", 4, ""),
    ("NEWPAGE", 4, ""),
    ("NULL", 4, ""),
    ("NUMFORMAT", 4, ""),
    ("NUMWIDTH", 3, ""),
    ("PAGESIZE", 4, ""),
    ("PAUSE", 3, "OFF"),
    ("RECSEP", 6, ""),
    ("RECSEPCHAR", 10, ""),
    ("ROWPREFETCH", 11, ""),
    ("SCAN", 4, "ON OFF"),
    ("SECUREDCOL", 10, ""),
    ("SERVEROUTPUT", 9, ""),
    ("SHIFTINOUT", 5, ""),
    ("SHOWMODE", 4, ""),
    ("SPACE", 3, ""),
    ("SQLBLANKLINES", 5, ""),
    ("SQLCASE", 4, "MIXED"),
    ("SQLCONTINUE", 4, ""),
    ("SQLNUMBER", 4, ""),
    ("SQLPREFIX", 6, "#"),
    ("SQLPROMPT", 4, ""),
    ("SQLTERMINATOR", 4, "ON ;"),
    ("STATEMENTCACHE", 14, ""),
    ("SUFFIX", 3, ""),
    ("TAB", 3, ""),
    ("TERMOUT", 4, ""),
    ("TIME", 2, ""),
    ("TIMING", 4, ""),
    ("TRIMOUT", 4, ""),
    ("TRIMSPOOL", 5, ""),
    ("UNDERLINE", 3, ""),
    ("VERIFY", 3, ""),
    ("WRAP", 3, ""),
)

_WHENEVER = (
    "mflow stops at the first error and rolls back: remove it, or write WHENEVER SQLERROR EXIT FAILURE ROLLBACK, "
    "which asks for the same"
)
_GOOD_EXITS = frozenset({"", "SUCCESS", "0", "SQL.SQLCODE"})
_SUBSTITUTION = re.compile(r"&&?(?P<name>[A-Za-z_0-9][\w$#]*)")


def recognise(line: str) -> Command | None:
    """The command that a line (continued lines joined) holds; None if it is none of SQL*Plus."""
    text = line.strip()
    if text[:1] in ("@", "!", "$", "?", "#"):
        return _by_sign(text)
    word, raw = [*text.split(maxsplit=1), "", ""][:2]
    word = word.rstrip(";").upper()
    rest = raw.rstrip(";").rstrip()
    for known, shortest, act in (
        ("REMARK", 3, Act.REMARK),
        ("PROMPT", 3, Act.PROMPT),
        ("EXECUTE", 4, Act.EXECUTE),
    ):
        if _is(word, known, shortest):
            return _with_text(known, act, raw, rest)
    if word in ("EXIT", "QUIT"):
        return _exit(word, rest.upper())
    if word == "WHENEVER":
        return _whenever(rest.upper())
    if word == "SET":
        return _set(rest)
    return _listed(word, rest)


def substitution(text: str, at: int | None = None) -> str | None:
    """The first substitution variable (`&name`) in a text, or the one that begins at a place."""
    found = _SUBSTITUTION.search(text) if at is None else _SUBSTITUTION.match(text, at)
    return found["name"] if found else None


def _is(word: str, name: str, shortest: int) -> bool:
    return len(word) >= shortest and name.startswith(word)


def _by_sign(text: str) -> Command:
    if text.startswith("@"):
        return Command(
            text.split(maxsplit=1)[0],
            Act.REFUSE,
            "put the other script's text here, or make it a task of its own",
        )
    if text.startswith(("!", "$")):
        return Command(text[0], Act.REFUSE, "commands of the system belong into a task of type bash")
    return Command(text[0], Act.REFUSE, "mflow knows no such command")


def _with_text(name: str, act: Act, raw: str, rest: str) -> Command:
    if act is Act.PROMPT:
        return Command(name, act, raw)
    if act is Act.EXECUTE and not rest:
        return Command(name, Act.REFUSE, "it names nothing to call")
    return Command(name, act, rest)


def _exit(word: str, rest: str) -> Command:
    if rest.removesuffix("COMMIT").rstrip() in _GOOD_EXITS:
        return Command(word, Act.EXIT)
    return Command(
        f"{word} {rest}", Act.REFUSE, "to make the task fail, raise an error (RAISE_APPLICATION_ERROR)"
    )


def _whenever(rest: str) -> Command:
    said = rest.split()
    harmless = said[:1] == ["OSERROR"] or (said[:2] == ["SQLERROR", "EXIT"] and said[-1] == "ROLLBACK")
    return Command(f"WHENEVER {rest}", Act.IGNORE) if harmless else Command("WHENEVER", Act.REFUSE, _WHENEVER)


def _listed(word: str, rest: str) -> Command | None:
    for name, shortest, what in _TABLE:
        if not _is(word, name, shortest):
            continue
        if name == "COLUMN" and re.search(r"\b(NEW|OLD)_V", rest, re.IGNORECASE):
            return Command("COLUMN ... NEW_VALUE", Act.REFUSE, _VARIABLE)
        return Command(name, Act.IGNORE) if what == _FORMAT else Command(name, Act.REFUSE, what)
    return None


# ------------------------------------------------------------------------------------------------ SET


def _set(rest: str) -> Command | None:
    """SET takes several settings at once; SET TRANSACTION, ROLE and CONSTRAINTS are SQL."""
    said = rest.split()
    if said and said[0].upper() in ("TRANSACTION", "ROLE", "CONSTRAINT", "CONSTRAINTS"):
        return None
    act = Act.IGNORE
    at = 0
    while at < len(said):
        setting = _setting(said[at])
        if setting is None:
            return Command(f"SET {said[at]}", Act.REFUSE, "mflow knows no such setting")
        name, allowed = setting
        end = next((no for no in range(at + 1, len(said)) if _setting(said[no])), len(said))
        value = " ".join(said[at + 1 : end]).upper().strip("'\"")
        if allowed and value not in allowed.split():
            return Command(f"SET {name} {value}".rstrip(), Act.REFUSE, _why(name))
        if name in ("DEFINE", "SCAN"):
            act = Act.DEFINE_OFF if value == "OFF" else Act.DEFINE_ON
        at = end
    return Command(f"SET {rest}", act)


def _setting(word: str) -> tuple[str, str] | None:
    upper = word.upper()
    return next(
        ((name, allowed) for name, shortest, allowed in _SETTINGS if _is(upper, name, shortest)), None
    )


def _why(name: str) -> str:
    if name in ("AUTOCOMMIT", "EXITCOMMIT"):
        return "mflow commits once, when all went well: write COMMIT where it is wanted"
    if name in ("ERRORLOGGING", "FLAGGER"):
        return "mflow has nothing like it"
    if name == "PAUSE":
        return "nobody is there to answer"
    return _TEXT
