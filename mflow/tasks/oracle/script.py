"""A .sql file taken apart as SQL*Plus does: statements, what is printed, and what cannot be honoured. Pure.

    SELECT, INSERT, CREATE TABLE ...            end at a `;` or at a line that holds only `/`
    BEGIN, DECLARE, CREATE PROCEDURE ...        end at a line that holds only `/`; their own `;` stay
    a line that starts with a word of SQL*Plus  is a command, continued by `-` at its end (`sqlplus`)

A terminator inside a literal, a quoted name or a comment is none. More lenient than SQL*Plus: blank lines may stand
in a statement, text may follow a `;`, and the last statement may lack its terminator.
"""

import re
from dataclasses import dataclass

from mflow.tasks.oracle.scanning import Kind, Token, alone_on_line, line_of, scan, significant
from mflow.tasks.oracle.sqlplus import Act, Command, recognise, substitution
from mflow.tasks.oracle.statement import Statement, is_block, is_foreign, is_known


@dataclass(frozen=True, slots=True)
class Note:
    """What is written into the log at this place."""

    text: str
    line: int
    is_output: bool = False  # of PROMPT: not mflow's own word


Step = Statement | Note


@dataclass(frozen=True, slots=True)
class Script:
    """The steps in their order, and what is wrong: with any problem, nothing may run."""

    steps: tuple[Step, ...]
    problems: tuple[str, ...] = ()


def split(text: str) -> Script:
    """Take a script apart. Never raises: what is wrong is among the problems."""
    return _Splitter(text.replace("\r\n", "\n")).split()


class _Splitter:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._steps: list[Step] = []
        self._problems: list[str] = []
        self._substitutes = True  # SET DEFINE ON, as SQL*Plus starts
        self._ended = False

    def split(self) -> Script:
        while not self._ended and (token := next(significant(self._text, self._at), None)):
            if token.text in ("/", ".") and alone_on_line(self._text, token):
                self._lonely(token)
            elif command := self._command(token.start):
                self._obey(command, token.start)
            elif is_known(self._text, token.start):
                self._statement(token.start)
            else:
                self._unknown(token)
        return Script(tuple(self._steps), tuple(dict.fromkeys(self._problems)))

    # ------------------------------------------------------------------------------------- commands

    def _command(self, start: int) -> Command | None:
        line, end = _logical_line(self._text, start)
        command = recognise(line)
        if command is not None:
            self._at = end
            if self._substitutes and command.act is not Act.REMARK:
                self._forbid_variable(substitution(line), start)
        return command

    def _obey(self, command: Command, start: int) -> None:
        line = line_of(self._text, start)
        match command.act:
            case Act.REFUSE:
                self._problem(start, f"{command.name} of SQL*Plus cannot be honoured: {command.text}")
            case Act.EXECUTE:
                self._steps.append(Statement(f"BEGIN {command.text}; END;", line, is_block=True))
            case Act.PROMPT:
                self._steps.append(Note(command.text, line, is_output=True))
            case Act.IGNORE:
                self._steps.append(Note(f"line {line}: {command.name} of SQL*Plus is passed over", line))
            case Act.DEFINE_ON | Act.DEFINE_OFF:
                self._substitutes = command.act is Act.DEFINE_ON
            case Act.EXIT:
                self._exit(command, line)
            case Act.REMARK:
                pass

    def _exit(self, command: Command, line: int) -> None:
        self._ended = True
        if next(significant(self._text, self._at), None):
            self._steps.append(Note(f"line {line}: {command.name}: what follows it is not run", line))

    # ----------------------------------------------------------------------------------- statements

    def _statement(self, start: int) -> None:
        block = is_block(self._text, start)
        end = self._end_of_foreign(start) if is_foreign(self._text, start) else self._end_of(start, block)
        text = self._text[start:end].rstrip()
        self._steps.append(Statement(text, line_of(self._text, start), block))

    def _end_of(self, start: int, block: bool) -> int:
        """Where the statement ends; `_at` is moved behind its terminator."""
        for token in scan(self._text, start):
            self._check(token)
            if token.text == ";" and not block:
                self._at = token.end
                self._forbid_slash()
                return token.start
            if token.text == "/" and alone_on_line(self._text, token):
                self._at = token.end
                return token.start
        self._at = len(self._text)
        return self._at

    def _end_of_foreign(self, start: int) -> int:
        """Java and JavaScript have literals and comments of their own: only the line with `/` is looked for."""
        found = re.compile(r"^[ \t]*/[ \t]*$", re.MULTILINE).search(self._text, start)
        self._at = found.end() if found else len(self._text)
        return found.start() if found else self._at

    def _check(self, token: Token) -> None:
        if not token.whole:
            what = {Kind.COMMENT: "a comment", Kind.LITERAL: "a literal"}.get(token.kind, "a quoted name")
            self._problem(token.start, f"{what} begins here and never ends")
        elif self._substitutes and token.kind in (Kind.LITERAL, Kind.QUOTED):
            self._forbid_variable(substitution(token.text), token.start)
        elif self._substitutes and token.text == "&":
            self._forbid_variable(substitution(self._text, token.start), token.start)

    def _forbid_slash(self) -> None:
        """After `;` a `/` makes SQL*Plus run the statement a second time, which is hardly ever meant."""
        token = next(significant(self._text, self._at), None)
        if token is not None and token.text == "/" and alone_on_line(self._text, token):
            self._at = token.end
            self._problem(
                token.start,
                "SQL*Plus would run the statement before this `/` a second time, since its `;` had ended it already: "
                "remove one of them",
            )

    # ------------------------------------------------------------------------------------- problems

    def _lonely(self, token: Token) -> None:
        self._at = token.end
        if token.text == "/":
            self._problem(token.start, "`/` would make SQL*Plus run the last statement once more: remove it")
        else:
            self._problem(token.start, "`.` would leave the statement before it unrun: remove it")

    def _unknown(self, token: Token) -> None:
        self._at = _logical_line(self._text, token.start)[1]
        self._problem(
            token.start, f"{token.text!r} begins neither SQL nor a command of SQL*Plus that mflow knows"
        )

    def _forbid_variable(self, name: str | None, start: int) -> None:
        if name is not None:
            self._problem(
                start,
                f"&{name} is a substitution variable of SQL*Plus: give the value in `binds` and write :{name}; "
                "or SET DEFINE OFF above if `&` is meant",
            )

    def _problem(self, start: int, text: str) -> None:
        self._problems.append(f"line {line_of(self._text, start)}: {text}")


def _logical_line(text: str, start: int) -> tuple[str, int]:
    """A command's line with those that continue it, and where it ends."""
    parts: list[str] = []
    while True:
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        line = text[start:end].rstrip()
        if not line.endswith("-") or end == len(text):
            return " ".join([*parts, line]), end
        parts.append(line[:-1].rstrip())
        start = end + 1
