"""Errors become messages and exit codes in one place."""

import errno
import os
from collections.abc import Callable
from typing import NoReturn

import pytest

from mflow.cli.boundary import DEFECT, guarded
from mflow.core.errors import RunOwned, UsageError

GO_ON = "mflow resume 7"


def raising(error: BaseException) -> Callable[[], NoReturn]:
    def command() -> NoReturn:
        raise error

    return command


LACKS = [
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "mflow-not-begun"),
    PermissionError(errno.EACCES, os.strerror(errno.EACCES), "/x"),
    MemoryError(),
    RuntimeError("can't start new thread"),
    UnicodeEncodeError("utf-8", "/bad\udcff", 4, 5, "surrogates not allowed"),
]


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_what_the_machine_lacks_is_no_defect(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(error)) == 2
    said = capsys.readouterr().err
    assert said.startswith("mflow: error: ")
    assert "defect" not in said


@pytest.mark.parametrize("error", LACKS, ids=repr)
def test_once_tasks_may_run_no_code_says_that_nothing_was_started(
    error: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(raising(error), go_on=GO_ON) == 4
    said = capsys.readouterr().err
    assert "what was running goes on" in said
    assert said.splitlines()[-1].startswith("hint: ")
    assert said.splitlines()[-1].endswith(GO_ON)


@pytest.mark.parametrize(
    "error", [KeyError("x"), RuntimeError("x"), UnicodeEncodeError("ascii", "é", 0, 1, "x")]
)
def test_what_is_not_known_is_a_defect(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(raising(error)) == DEFECT
    assert "a defect of mflow" in capsys.readouterr().err


def test_an_error_of_input_that_shows_only_while_tasks_run_is_not_one_of_input() -> None:
    assert guarded(raising(UsageError("x"))) == 2
    assert guarded(raising(UsageError("x")), go_on=GO_ON) == 4
    assert guarded(raising(RunOwned("x")), go_on=GO_ON) == 3
