"""The one place where an error becomes a message and an exit code."""

import errno
import os
import sys
import traceback
from collections.abc import Callable

import typer

from mflow.core.errors import Abandoned, InvalidInput, MflowError, Unequipped

DEFECT = 70
"""Exit code of a defect of mflow itself (EX_SOFTWARE of sysexits.h)."""

INTERRUPTED = 130
READER_GONE = 141  # what a shell reports of a program that SIGPIPE ended

_TyperUsageError = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


def guarded(command: Callable[[], object], *, go_on: str = "") -> int:
    """Run a command to its exit code: its own (an int), 0, or that of the error, which is then said on stderr.

    `go_on`: once tasks may run, the command that takes the run up again: no exit code says that nothing was started.
    """
    try:
        code = command()
        sys.stdout.flush()
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_gone()
    except SystemExit as left:
        if isinstance(left.__context__, BrokenPipeError):  # typer's own answer to it
            return _reader_gone()
        raise
    except MflowError as error:
        _say(error)
        return Abandoned.exit_code if go_on and error.exit_code == Unequipped.exit_code else error.exit_code
    except Exception as error:  # noqa: BLE001  what is not known is a defect, and said to be one
        if isinstance(error, _TyperUsageError):
            return _usage_error(error)
        lack = _lack(error)
        return _unequipped(error, *lack, go_on) if lack else _defect(error)
    return code if isinstance(code, int) else 0


def warn(text: str) -> None:
    """Say something on stderr that does not stop the command."""
    _print("mflow: warning:", text)


def tell(text: str) -> None:
    """Say something on stderr that was not asked for but helps."""
    _print("mflow:", text)


def _say(error: MflowError) -> None:
    if isinstance(error, InvalidInput):
        for problem in error.problems:
            _print("mflow: warning:" if problem.warning else "mflow: error:", str(problem))
    else:
        _print("mflow: error:", error.message)
    if error.hint:
        _print("hint:", error.hint)


def _usage_error(error: Exception) -> int:
    """What typer says of a wrong option, in mflow's own form."""
    message: str = getattr(error, "format_message", error.__str__)()
    context = getattr(error, "ctx", None)
    _print("mflow: error:", message)
    _print("hint:", f"{context.command_path if context else 'mflow'} --help")
    return 2


def _lack(error: Exception) -> tuple[str, str] | None:
    """What the system did not give, if that is what the error says, and what to do about it; None of a defect."""
    match error:
        case OSError():
            where = f"{error.filename}: " if error.filename else ""
            if isinstance(error, FileNotFoundError) and not where and _is_nowhere():
                where = "the current folder has been removed: "
            return f"{where}{error.strerror or type(error).__name__}", _CURES.get(error.errno or 0, "")
        case MemoryError():
            return "there is not enough memory", _CURES[errno.ENOMEM]
        case RuntimeError() if "can't start new thread" in str(error):
            return "no further thread can be started", _CURES[errno.EAGAIN]
        case UnicodeEncodeError() if any("\udc80" <= letter <= "\udcff" for letter in error.object):
            return (
                f"a path or a word that is not UTF-8 cannot be kept in a database: {error.object}"[:_LONGEST],
                "go to a folder, or name a file, whose path is UTF-8",
            )
    return None


_LONGEST = 400

_CURES = {
    errno.EMFILE: "let this process open more files: ulimit -n 1024 (LimitNOFILE= of a systemd unit)",
    errno.ENFILE: "the machine has no descriptor left: see /proc/sys/fs/file-nr",
    errno.ENOMEM: "let it have more: ulimit -v (MemoryMax= of a systemd unit)",
    errno.EAGAIN: "let this user start more: ulimit -u (TasksMax= of a systemd unit)",
    errno.ENOSPC: "make room on that disk (df -h, df -i)",
    errno.EDQUOT: "this user's quota of that disk is used up",
}


def _unequipped(error: Exception, text: str, cure: str, go_on: str) -> int:
    if os.environ.get("MFLOW_DEBUG"):
        traceback.print_exception(error)
    if go_on:
        hint = f"{cure}; then: {go_on}" if cure else f"mend that, then: {go_on}"
        known: MflowError = Abandoned(
            f"{text}: this supervisor cannot go on; what was running goes on", hint=hint
        )
    else:
        known = Unequipped(text, hint=cure)
    _say(known)
    return known.exit_code


def _is_nowhere() -> bool:
    try:
        os.getcwd()  # noqa: PTH109  no path is wanted
    except OSError:
        return True
    return False


def _defect(error: Exception) -> int:
    """The text of an unknown error may hold a secret: only its kind and place are shown unasked."""
    if os.environ.get("MFLOW_DEBUG"):
        traceback.print_exception(error)
    frame = traceback.extract_tb(error.__traceback__)[-1]
    _print("mflow: error:", f"a defect of mflow: {type(error).__name__} at {frame.filename}:{frame.lineno}")
    _print("hint:", "please report it with what MFLOW_DEBUG=1 shows; no task's state is lost by it")
    return DEFECT


def _print(start: str, text: str) -> None:
    try:
        from mflow.cli.wording import clean

        for line in text.split("\n"):
            print(start, clean(line), file=sys.stderr)
    except OSError:
        pass  # nobody is there to be told
    except MemoryError:
        os.write(2, f"{start} {text!r}\n".encode("ascii", "backslashreplace"))


def _reader_gone() -> int:
    """What is still buffered for a reader that has gone must not be complained about at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return READER_GONE
