"""Running one statement: binds by name, rows counted or shown, DBMS_OUTPUT fetched, compilation errors found."""

import decimal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mflow.tasks.oracle.failure import failure_in_session
from mflow.tasks.oracle.log import CELL_CHARACTERS, Log, cell, table
from mflow.tasks.oracle.scanning import Kind, line_of, significant
from mflow.tasks.oracle.session import Session
from mflow.tasks.oracle.statement import Statement

if TYPE_CHECKING:
    from oracledb import Cursor

_ROWS_AT_ONCE = 1000
_LINES_AT_ONCE = 100
_LONGEST_LINE = 32767  # bytes of one line of DBMS_OUTPUT

COMPILED_WITH_ERRORS = "ORA-24344"

_LONGEST_ELEMENT = 8191  # characters, of an array in thick mode

_OUTPUT = "BEGIN sys.dbms_output.get_lines(:lines, :many); END;"

_OUTPUT_OF_THICK = """
DECLARE
  l_lines sys.dbms_output.chararr;
  l_line VARCHAR2(32767);
  l_long VARCHAR2(32767);
  l_many PLS_INTEGER := 0;
  l_status INTEGER := 0;
BEGIN
  WHILE l_many < :most AND l_long IS NULL LOOP
    sys.dbms_output.get_line(l_line, l_status);
    EXIT WHEN l_status != 0;
    IF LENGTH(l_line) > :longest THEN
      l_long := l_line;
    ELSE
      l_many := l_many + 1;
      l_lines(l_many) := l_line;
    END IF;
  END LOOP;
  :lines := l_lines;
  :many := l_many;
  :long := l_long;
  :more := CASE WHEN l_status = 0 THEN 1 ELSE 0 END;
END;"""
_ERRORS = """
SELECT type, line, position, text FROM all_errors
WHERE owner = NVL(:owner, SYS_CONTEXT('USERENV', 'CURRENT_SCHEMA')) AND name = :name
AND attribute = 'ERROR' ORDER BY type, sequence"""


class BindsWrong(ValueError):
    """`binds` and the names in the statements do not go together."""


class Stopped(Exception):
    """The attempt was told to end before the statement was sent."""


class CompiledWithErrors(Exception):
    """What CREATE made is there, but it is not valid."""


class Execution:
    """The statements of one attempt in one session."""

    def __init__(
        self,
        driver: Any,
        session: Session,
        log: Log,
        binds: Mapping[str, Any],
        fetch: int | None,
        may_go_on: Callable[[], bool],
    ) -> None:
        self._driver, self._session, self._log = driver, session, log
        self._binds, self._fetch, self._may_go_on = binds, fetch, may_go_on

    def check_binds(self, statements: Sequence[Statement]) -> None:
        """Every name that the statements bind has a value, and every value is bound. Raises BindsWrong.

        The driver finds the names without asking the database.
        """
        used: set[str] = set()
        for statement in statements:
            names = self._names(statement)
            used |= set(names)
            if missing := [name for name in names if name not in self._binds]:
                where = f"line {statement.line}: " if len(statements) > 1 else ""
                raise BindsWrong(f"{where}`binds` has no value for :{', :'.join(missing)}")
        if unused := self._binds.keys() - used:
            raise BindsWrong(f"`binds`: nothing uses :{', :'.join(sorted(unused))}")

    def run(self, statement: Statement) -> None:
        """Run it and log what came of it. Raises CompiledWithErrors, Stopped, and whatever the driver lets through."""
        began = time.monotonic()
        try:
            done, warning = self._run(statement)
        except Stopped:
            raise
        except Exception:
            self._log.say(f"{statement.title}: failed, {time.monotonic() - began:.3f} s")
            raise
        self.log_output()
        self._log.say(f"{statement.title}: {done}{time.monotonic() - began:.3f} s")
        if warning is not None:
            raise CompiledWithErrors(self._compilation(statement, str(warning)))

    def _run(self, statement: Statement) -> tuple[str, Any]:
        """How many rows there were, in words, and the driver's warning."""
        with self._session.call(), self._session.cursor() as cursor:
            if (
                not self._may_go_on()
            ):  # asked within the call: a stop comes before this or finds a call to cancel
                raise Stopped
            binds = {name: self._binds[name] for name in self._names(statement)}
            # The first rows come with the answer to the call, as many as a fetch brings: one round trip for most.
            cursor.arraysize = cursor.prefetchrows = self._rows_at_once
            cursor.outputtypehandler = self._exact
            cursor.execute(statement.text, binds)
            return self._rows(statement, cursor), cursor.warning

    @property
    def _rows_at_once(self) -> int:
        return _ROWS_AT_ONCE if self._fetch is None else min(self._fetch + 1, _ROWS_AT_ONCE)

    def _names(self, statement: Statement) -> list[str]:
        with self._session.cursor() as cursor:
            cursor.prepare(statement.text)
            return [str(name) for name in cursor.bindnames()]

    def _exact(self, cursor: "Cursor", metadata: Any) -> Any:
        """NUMBER as it is, not as the nearest binary fraction."""
        if metadata.type_code is self._driver.DB_TYPE_NUMBER:
            return cursor.var(decimal.Decimal, arraysize=cursor.arraysize)
        return None

    # ---------------------------------------------------------------------------------------------- rows

    def _rows(self, statement: Statement, cursor: "Cursor") -> str:
        if cursor.description is None:
            return f"{_counted(cursor.rowcount)}, " if statement.changes_rows else "done, "
        if self._fetch is None:
            while cursor.fetchmany():
                pass
            return f"{_counted(cursor.rowcount)} read, "
        rows = cursor.fetchmany(self._fetch + 1)
        shown = [[self._cell(value) for value in row] for row in rows[: self._fetch]]
        self._log.put(table([column[0] for column in cursor.description], shown))
        more = len(rows) > self._fetch
        return f"the first {_counted(self._fetch)}, " if more else f"{_counted(len(rows))}, "

    def _cell(self, value: Any) -> str:
        """Of a LOB only the beginning is read."""
        if hasattr(value, "read"):
            value = value.read(1, CELL_CHARACTERS + 1)
        elif isinstance(value, self._driver.Cursor | self._driver.DbObject):
            value = f"<{type(value).__name__}>"
        return cell(value)

    # ------------------------------------------------------------------------------------------- output

    def log_output(self) -> None:
        """Bring DBMS_OUTPUT's lines into the log. Raises what the driver does, but no error that the server tells."""
        read = self._lines if self._session.connection.thin else self._lines_of_thick
        with self._session.cursor() as cursor:
            try:
                for text in read(cursor):
                    self._log.put(text)
            except self._driver.Error as error:
                failure = failure_in_session(error, self._driver)
                if not failure.is_the_servers:
                    raise
                self._log.say(f"DBMS_OUTPUT could not be read: {failure.message}")

    def _lines(self, cursor: "Cursor") -> Iterator[str]:
        lines, many = cursor.arrayvar(str, _LINES_AT_ONCE, _LONGEST_LINE), cursor.var(int)
        count = _LINES_AT_ONCE
        while count == _LINES_AT_ONCE:
            many.setvalue(0, _LINES_AT_ONCE)
            cursor.execute(_OUTPUT, {"lines": lines, "many": many})
            count = many.getvalue() or 0
            yield "".join(f"{line or ''}\n" for line in lines.getvalue()[:count])

    def _lines_of_thick(self, cursor: "Cursor") -> Iterator[str]:
        """Elements of an array are at most 32767 bytes for the client's library, of characters that take up to four.

        So lines come in arrays while they are short. The first longer one ends its batch and comes by itself: what
        DBMS_OUTPUT has handed out it does not hand out again.
        """
        lines = cursor.arrayvar(str, _LINES_AT_ONCE, _LONGEST_ELEMENT)
        many, long = cursor.var(int), cursor.var(str, _LONGEST_LINE)
        more = cursor.var(int)
        binds = {"lines": lines, "many": many, "long": long, "more": more}
        going_on = True
        while going_on:
            cursor.execute(_OUTPUT_OF_THICK, {**binds, "most": _LINES_AT_ONCE, "longest": _LONGEST_ELEMENT})
            found = lines.getvalue()[: many.getvalue() or 0]
            going_on = bool(more.getvalue())
            if (last := long.getvalue()) is not None:
                found.append(last)
            yield "".join(f"{line or ''}\n" for line in found)

    # -------------------------------------------------------------------------------- compilation errors

    def _compilation(self, statement: Statement, warning: str) -> str:
        """The first error in one line; all of them go to the log."""
        owner, name = made_by(statement.text)
        try:
            with self._session.cursor() as cursor:
                cursor.execute(_ERRORS, {"owner": owner, "name": name})
                found = [f"{kind} {name} line {row[0]}: {row[2]}" for kind, *row in cursor.fetchall()]
        except Exception as error:  # noqa: BLE001  (that it did not compile is known all the same)
            found = [f"its errors could not be read: {failure_in_session(error, self._driver).message}"]
        self._log.say("\n".join(found) or warning)
        return f"{COMPILED_WITH_ERRORS}: {found[0] if found else warning}"


def made_by(text: str) -> tuple[str | None, str]:
    """Owner and name of what a CREATE of PL/SQL makes, as the dictionary spells them."""
    tokens = [
        token for token in significant(text) if token.kind in (Kind.WORD, Kind.QUOTED) or token.text == "."
    ]
    kinds = {"FUNCTION", "LIBRARY", "PACKAGE", "PROCEDURE", "TRIGGER", "TYPE"}
    at = next((no for no, token in enumerate(tokens) if token.text.upper() in kinds), len(tokens)) + 1
    while at < len(tokens) and tokens[at].text.upper() in ("BODY", "IF", "NOT", "EXISTS"):
        at += 1
    said = [_spelt(token.text) for token in tokens[at : at + 3]]
    if len(said) == 3 and said[1] == ".":
        return said[0], said[2]
    return None, said[0] if said else ""


def _spelt(name: str) -> str:
    return name[1:-1] if name.startswith('"') else name.upper()


def _counted(rows: int) -> str:
    return "1 row" if rows == 1 else f"{rows} rows"


def place_of(statement: Statement, offset: int) -> str:
    """Where in its script a statement is wrong."""
    return f"line {statement.line + line_of(statement.text, offset) - 1}"
