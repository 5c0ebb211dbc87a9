"""What can be asked of those who run an application's processes, in one vocabulary for all of them."""

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Status(Enum):
    """What a cluster says of an application."""

    ACTIVE = "active"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    NOT_KNOWN = "not known"  # it answered, and knows no such application
    SILENT = "silent"  # nobody answered


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, the cluster's own word for it, and who said so."""

    status: Status
    word: str = ""
    source: str = ""

    @property
    def over(self) -> bool:
        """Whether nothing of the application runs any more, for certain."""
        return self.status in (Status.SUCCEEDED, Status.FAILED)


@dataclass(frozen=True, slots=True)
class Ids:
    """By what an application is known: a standalone driver's id, and an application's."""

    driver: str | None = None
    application: str | None = None

    def __str__(self) -> str:
        return self.driver or self.application or "(no id)"

    def __bool__(self) -> bool:
        return bool(self.driver or self.application)


@dataclass(frozen=True, slots=True)
class Sought:
    """What is known of an attempt whose ids are not."""

    tag: str
    main_class: str | None
    since: float  # Unix time, by this host's clock


class Cluster(Protocol):
    """A cluster manager, asked from a thread that may wait."""

    def ask(self, ids: Ids) -> Answer:
        """What became of it."""
        ...

    def kill(self, ids: Ids) -> str:
        """Ask for its end; for the log, whom it was asked of, or why it could not be. `ask` tells if it worked."""
        ...

    def find(self, sought: Sought) -> tuple[Ids, ...] | None:
        """Applications that may be that attempt's, over or not; None if nobody answered."""
        ...

    def patience(self, most: float) -> float:
        """How many seconds of silence are worth waiting: `most`, less where nobody was ever there to answer."""
        ...

    def close(self) -> None:
        """Let go of whatever asking needed."""
        ...
