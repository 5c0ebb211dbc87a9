"""The one family of errors a user can meet, each with its exit code and a hint.

::

    MflowError
    ├── UsageError            2   a wrong option or argument
    │   └── InvalidInput      2   problems found in the user's files, all of them together
    ├── Unequipped            2   this machine, or a limit of this process, does not give what mflow needs to start
    ├── Abandoned             4   a supervisor could not go on; what was running goes on, and the run can be resumed
    ├── RunNotFound           3   no such run in this database
    ├── RunOwned              3   the run belongs to a live supervisor
    ├── Superseded            3   another supervisor has taken the run over
    └── StoreError            4   the state database
        ├── StoreUnavailable  4   cannot be reached or is locked: waiting may help
        ├── StoreOutdated     4   tables missing, older or newer than this mflow
        └── StoreRefused      4   credentials, permissions, damage: waiting does not help

Whatever else is raised is a defect of mflow.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class MflowError(Exception):
    """What was wrong (the message) and what to do (the hint, possibly empty). Neither may hold a secret."""

    exit_code: ClassVar[int] = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(MflowError):
    """A wrong option or argument; nothing was started."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing wrong in one place of one file, e.g. `tasks.json:14:31 task "load": depends[1]: no task "extarct"`."""

    file: str
    place: str  # "depends[1]" of an `entry`, else "tasks[3].depends[1]", or "" for the whole
    text: str
    warning: bool = False
    of_key: bool = False  # it is the key that is wrong, not what stands behind it
    line: int = 0  # both count from 1; 0 is not known
    column: int = 0
    entry: str = ""  # 'task "load"', 'connection "dwh"': what the place belongs to

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        head = f"{where} {self.entry}" if self.entry else where
        return ": ".join(part for part in (head, self.place, self.text) if part)


class InvalidInput(UsageError):
    """The problems of all files, together. At least one of them is not a warning."""

    def __init__(self, problems: Sequence[Problem], *, hint: str = "") -> None:
        super().__init__("\n".join(str(problem) for problem in problems), hint=hint)
        self.problems = tuple(problems)


class Unequipped(MflowError):
    """This machine, or a limit of this process, does not give what mflow needs; nothing was started."""


class Abandoned(MflowError):
    """A supervisor could not go on. What was running goes on in its workers, and the run can be resumed."""

    exit_code = 4


class RunNotFound(MflowError):
    """No such run in this database."""

    exit_code = 3


class RunOwned(MflowError):
    """The run belongs to a live supervisor."""

    exit_code = 3


class Superseded(MflowError):
    """The fence in the run's row is no longer this supervisor's: it must stop without touching anything."""

    exit_code = 3


class StoreError(MflowError):
    """Something about the state database."""

    exit_code = 4


class StoreUnavailable(StoreError):
    """The database cannot be reached, or is locked. The same call may succeed later.

    `applied_unknown` is true when a commit was sent and its answer was lost: the caller must look up what
    happened before it repeats the batch.
    """

    def __init__(self, message: str, *, hint: str = "", applied_unknown: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.applied_unknown = applied_unknown


class StoreOutdated(StoreError):
    """The tables are missing, or older or newer than this mflow needs."""


class StoreRefused(StoreError):
    """The database said no for a reason that does not pass by itself: credentials, permissions, damage."""
