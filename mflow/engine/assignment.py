"""What a supervisor is given, what it tells while it drives, and how it leaves. Values and protocols only."""

import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Protocol

from mflow.core.contracts import Store
from mflow.core.model import AttemptEnd, Config, Definition, RunRow, Task, TaskRow
from mflow.core.states import TaskState


class Reporter(Protocol):
    """Who shows a run to a person while it is driven. Called in the loop's thread; must not block or raise."""

    refresh_seconds: float | None
    """How often `refresh` wants to be called; None if never (then the loop has no timer for it)."""

    def began(self, run: RunRow, definition: Definition, rows: Sequence[TaskRow]) -> None:
        """The run is owned; nothing has been started yet."""

    def attempt_began(self, task_no: int, attempt: int, at: datetime) -> None:
        """An attempt was handed to a worker (or adopted from one)."""

    def attempt_ended(
        self,
        task_no: int,
        attempt: int,
        to: TaskState,
        end: AttemptEnd,
        not_before: datetime | None,
        log: str,
    ) -> None:
        """An attempt is over, and this is committed."""

    def note(self, text: str) -> None:
        """Something an operator should know: the database cannot be reached, a limit changed, a worker died."""

    def flush(self) -> None:
        """A turn of the loop is over: what was told in it may be shown together."""

    def refresh(self) -> None:
        """Time to draw again."""

    def finished(self, verdict: "Verdict") -> None:
        """The loop has ended."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One run to drive, owned already: `fence` is the one this supervisor writes under."""

    run: RunRow
    fence: int
    definition: Definition
    rows: Sequence[TaskRow]  # as read after the fence was taken
    config: Config
    reload_config: Callable[[], Config] | None  # reads config.json again; raises MflowError if it cannot
    environ: Mapping[str, str]  # base environment of every task: the process's and config.json's, expanded
    runners: Mapping[str, str]  # task type -> "module:attribute" of its Runner
    private: Callable[[Task], Mapping[str, Any]]  # what a task type needs and nobody may keep (a connection)
    task_env: Callable[[Task], Mapping[str, str]]  # the task's own env, expanded
    resumed: bool = False


class Ending(Enum):
    """Why a supervisor stopped driving."""

    SUCCESS = "success"
    FAILED = "failed"
    CANCELLED = "cancelled"
    STOPPED = "stopped"
    SUPERSEDED = "superseded"
    DATABASE_LOST = "database lost"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a supervisor left its run."""

    ending: Ending
    signal: int | None = None  # that stopped it
    message: str = ""
    hint: str = ""

    @property
    def exit_code(self) -> int:
        """By the contract: 130 / 143 and 4 beat 1."""
        match self.ending:
            case Ending.SUCCESS:
                return 0
            case Ending.FAILED | Ending.CANCELLED:
                return 1
            case Ending.STOPPED:
                return 128 + (self.signal or signal.SIGTERM)
            case Ending.SUPERSEDED:
                return 3
            case Ending.DATABASE_LOST:
                return 4


OpenStore = Callable[[], Store]
"""Opens a store for the thread that calls it."""
