"""How things are said to a person: ends, durations, instants, counts. Pure; no text of others passes uncleaned."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache

from mflow.core.model import AttemptEnd, TaskRow
from mflow.core.states import Outcome, TaskState
from mflow.core.view import current_try


def clean(text: str) -> str:
    """The text with control and other invisible characters written out, so that it cannot steer a terminal."""
    if text.isprintable():
        return text
    return "".join([char if char.isprintable() else _written_out(char) for char in text])


def _written_out(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def one_line(text: str, width: int = 200) -> str:
    """The text cleaned, its line ends made spaces, cut to `width`."""
    joined = clean(" ".join(text.split()))
    return joined if len(joined) <= width else joined[: width - 1] + "…"


def duration(seconds: float) -> str:
    """`0.4 s`, `59 s`, `3 m 02 s`, `1 h 03 m`, `2 d 03 h`: two figures that matter."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def moment(at: datetime) -> str:
    """The instant on this machine's clock: `2026-05-04 12:00:00`."""
    return _second(at.replace(microsecond=0))


def zoned(at: datetime) -> str:
    """The same with this machine's offset from UTC at that time: `2026-05-04 14:00:00 +0200`."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


@lru_cache(maxsize=16)  # of many tasks that end in one second
def _second(at: datetime) -> str:
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S")


def ending(end: AttemptEnd) -> str:
    """How an attempt ended, in a few words: `exit code 3`, `killed by SIGKILL`."""
    match end.outcome:
        case Outcome.EXITED:
            return f"exit code {end.exit_code}"
        case Outcome.SIGNALLED:
            return f"killed by {end.signal or 'a signal'}"
        case Outcome.ERROR:
            return clean(end.error or "error")
        case other:
            return _PLAIN_ENDINGS[other]


_PLAIN_ENDINGS = {
    Outcome.TIMED_OUT: "timed out",
    Outcome.NOT_STARTED: "not started",
    Outcome.CANCELLED: "cancelled",
    Outcome.LOST: "lost: it began, how it ended is not known",
    Outcome.UNKNOWN: "unknown: whether it is over cannot be proven",
}


def ending_with_message(end: AttemptEnd) -> str:
    """How an attempt ended, on one line, with the message if there is one; nothing is said twice."""
    said, message = ending(end), one_line(end.message or "")
    if message.startswith(said):
        return message
    return f"{said}: {message}" if message else said


def remaining(end: AttemptEnd) -> str:
    """What is said of the survivors of an attempt. Of an UNKNOWN one some were perhaps spared as another's."""
    return "may be left of it" if end.outcome is Outcome.UNKNOWN else "could not be ended"


def plural(number: int, noun: str) -> str:
    """`1 task`, `2 tasks`, `10,000 tasks`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def counts(numbers: Mapping[str, int] | Mapping[TaskState, int], blocked: int = 0) -> str:
    """`7 SUCCESS, 1 FAILED, 2 PENDING (1 blocked)`: only what there is, what matters first."""
    known = {str(state): number for state, number in numbers.items()}
    parts = [f"{known[state]:,} {state}" for state in _MATTERS_FIRST if known.get(state)]
    behind = f" ({blocked:,} blocked)" if blocked else ""
    return ", ".join(parts) + behind if parts else "no tasks"


_MATTERS_FIRST = ("RUNNING", "INTERRUPTED", "FAILED", "SUCCESS", "PENDING")


def names(ids: Sequence[str], limit: int = 5) -> str:
    """`a, b, c and 12 more`."""
    shown = ", ".join(clean(id_) for id_ in ids[:limit])
    return shown if len(ids) <= limit else f"{shown} and {len(ids) - limit:,} more"


def tries(row: TaskRow) -> str:
    """`2 of 4`: the try the task is at, of those it has; nothing if it was never tried."""
    return f"{current_try(row)} of {row.max_attempts}" if row.attempts else ""


def columns(lines: Iterable[Sequence[str]]) -> list[str]:
    """Lines of cells as text in columns, without blanks at the ends of lines."""
    rows = list(lines)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
