"""What an error of a database means: whether waiting may help, and what a person should do about it.

::

    driver's error ──► dialect.failure() ──► Failure ──► to_error() ──► StoreUnavailable | StoreRefused | StoreOutdated
"""

from dataclasses import dataclass, replace
from enum import Enum

from mflow.core.errors import StoreError, StoreOutdated, StoreRefused, StoreUnavailable


class Kind(Enum):
    """What waiting would bring."""

    TRANSIENT = "transient"  # the same call may succeed later
    REFUSED = "refused"  # it will not, until somebody does something
    OUTDATED = "outdated"  # the tables are not there or not the ones expected


@dataclass(frozen=True, slots=True)
class Failure:
    """An error of the database in words; neither text holds a secret."""

    kind: Kind
    message: str
    hint: str = ""
    disconnected: bool = False  # the connection is of no further use

    def at(self, place: str) -> "Failure":
        """The same, naming the database."""
        return replace(self, message=f"{place}: {self.message}")


def to_error(failure: Failure, *, committing: bool = False) -> StoreError:
    """The error to raise. A commit that failed for a passing reason may have been applied all the same."""
    if failure.kind is Kind.TRANSIENT:
        return StoreUnavailable(failure.message, hint=failure.hint, applied_unknown=committing)
    kind = StoreOutdated if failure.kind is Kind.OUTDATED else StoreRefused
    return kind(failure.message, hint=failure.hint)
