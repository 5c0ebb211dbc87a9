"""Names that attempts leave on the machine: of their files, and in the environment of their processes."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator

TOKENS_VARIABLE = "MFLOW_ATTEMPT_TOKENS"
"""Environment variable that names the attempts a process belongs to, the outermost first, blanks between."""

_LONGEST = 120  # with what follows it stays under the 143 bytes that the most frugal file systems allow
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", re.ASCII)
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_MARK = "~"  # no plain id holds one, so no plain id looks like a shortened one
_DIGITS = 20
_LOG = re.compile(r"(.+)\.([0-9]{1,9})\.log", re.ASCII | re.DOTALL)


def log_name(task_id: str, attempt: int) -> str:
    """The file name of an attempt's log, e.g. `extract.1.log`. Different attempts have different names.

    An id that is no safe file name (blanks, slashes, other alphabets, great length) is changed into one and gets
    a digest of the whole id behind it: `load~2c26b46b68ffc68ff99b.1.log`.
    """
    return f"{_stem(task_id)}.{attempt}.log"


def last_attempts(task_ids: Iterable[str], files: Iterable[str]) -> dict[str, int]:
    """The number of the last attempt of each of these tasks that has a log among these files."""
    last: dict[str, int] = {}
    for stem, number in _logs(files):
        last[stem] = max(last.get(stem, 0), number)
    return {id_: last[stem] for id_ in task_ids if (stem := _stem(id_)) in last}


def logged_attempts(task_id: str, files: Iterable[str]) -> list[int]:
    """The numbers of the attempts of this task that have a log among these files, ascending."""
    stem = _stem(task_id)
    return sorted(number for name, number in _logs(files) if name == stem)


def strange_logs(known: Iterable[str], files: Iterable[str]) -> list[tuple[str, int]]:
    """Of the logs of tasks that have none in `known`: the task's part of their names, and the last number."""
    ours = {stem for stem, _ in _logs(known)}
    last: dict[str, int] = {}
    for stem, number in _logs(files):
        if stem not in ours:
            last[stem] = max(last.get(stem, 0), number)
    return sorted(last.items())


def _logs(files: Iterable[str]) -> Iterator[tuple[str, int]]:
    for file in files:
        if found := _LOG.fullmatch(file):
            yield found[1], int(found[2])


def attempt_token(run_uid: str, task_no: int, attempt: int) -> str:
    """The word that names one attempt in the environment of its processes."""
    return f"{run_uid}:{task_no}:{attempt}"


def _stem(task_id: str) -> str:
    if len(task_id) <= _LONGEST and _PLAIN.fullmatch(task_id):
        return task_id
    digest = hashlib.sha256(task_id.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]
    return _readable(task_id)[: _LONGEST - _DIGITS - len(_MARK)] + _MARK + digest


def _readable(task_id: str) -> str:
    """What is left of an id in plain letters: accents go, the rest becomes an underscore."""
    letters = unicodedata.normalize("NFKD", task_id[:_LONGEST])
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return _UNSAFE.sub("_", bare).lstrip(".-")
