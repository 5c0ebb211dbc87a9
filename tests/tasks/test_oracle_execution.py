"""Running statements without a database: what the stand-in for one cannot do."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import oracledb
import pytest

from mflow.tasks.oracle.execution import Execution
from mflow.tasks.oracle.log import Log
from mflow.tasks.oracle.session import Session, SessionId
from mflow.tasks.oracle.statement import Statement


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    """A log that can be read."""
    descriptor = os.open(tmp_path / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    yield Log(descriptor)
    os.close(descriptor)


class _Value:
    """A variable of the driver's, OUT only."""

    def __init__(self, *given: Any) -> None:
        self.given, self.value = given, None

    def setvalue(self, position: int, value: Any) -> None:
        self.value = value

    def getvalue(self) -> Any:
        return self.value


class _ThickCursor:
    """A cursor of thick mode: answers each call with the next of these (lines, a longer one, whether there is more)."""

    description = [("A",)]  # noqa: RUF012
    rowcount, warning = 0, None

    def __init__(self, *answers: tuple[list[str | None], str | None, int]) -> None:
        self.answers, self.sizes = list(answers), []  # type: ignore[var-annotated]

    def __enter__(self) -> "_ThickCursor":
        return self

    def __exit__(self, *_: object) -> None: ...

    def prepare(self, text: str) -> None: ...

    def bindnames(self) -> list[str]:
        return []

    def var(self, *given: Any) -> _Value:
        return _Value(*given)

    def arrayvar(self, *given: Any) -> _Value:
        self.sizes.append(given[2])
        return _Value(*given)

    def fetchmany(self, size: int = 0) -> list[tuple[str]]:
        return [("one",), ("two",)][:size]

    def execute(self, text: str, binds: dict[str, Any]) -> None:
        if "get_line" in text:
            lines, long, more = self.answers.pop(0)
            for name, value in {"lines": lines, "many": len(lines), "long": long, "more": more}.items():
                binds[name].value = value


def _execution(cursor: _ThickCursor, log: Log, fetch: int | None = None) -> Execution:
    session = Session(SimpleNamespace(cursor=lambda: cursor, thin=False), SessionId(120, 1120, 2))  # type: ignore[arg-type]
    return Execution(oracledb, session, log, {}, fetch, lambda: True)


def test_thick_mode_reads_output_in_elements_that_fit_and_longer_lines_by_themselves(
    log: Log, tmp_path: Path
) -> None:
    cursor = _ThickCursor((["a", None], "x" * 9000, 1), ([], None, 1), (["b"], None, 0))
    _execution(cursor, log).log_output()
    assert cursor.sizes == [8191]
    assert (tmp_path / "log").read_text() == f"a\n\n{'x' * 9000}\nb\n"


def test_rows_of_a_query_with_functions_of_its_own_are_shown_too(log: Log, tmp_path: Path) -> None:
    text = "with function f return number is begin return 1; end; select f from dual"
    statement = Statement(text, is_block=True)
    _execution(_ThickCursor(([], None, 0)), log, fetch=1).run(statement)
    assert "A\n---\none\nmflow: WITH: the first 1 row, " in (tmp_path / "log").read_text()
