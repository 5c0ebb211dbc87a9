"""An exception of the driver as mflow judges it: its code, what became of the session, what a person reads."""

import re
from dataclasses import dataclass

from mflow.core.oracle_errors import Nature, explain, one_line

_SERVERS_WORD = frozenset({"ORA-00028", "ORA-02396", "ORA-02399"})
"""The server itself says that it ended the session, so what was not committed is undone."""

_CONFLICTS = frozenset({"ORA-00060", "ORA-08177"})
"""Deadlock, serialisation failure: after a rollback the same may succeed."""

_SIMILAR = re.compile(r"\(Similar to (ORA-\d{5})\)")
"""The thin driver's own errors name the code that people know, and have in `on_errors`."""

_LONGEST_MESSAGE = 3000
"""A user's own message may have 2048 bytes, and the stack comes after it."""


@dataclass(frozen=True, slots=True)
class Failure:
    """One error. `text` has all lines of it, the stack of PL/SQL included."""

    code: str  # "ORA-01403"; "" if it has none
    nature: Nature
    text: str
    cure: str = ""

    @property
    def lost(self) -> bool:
        """The session is gone, and whether its last call took effect is not known."""
        return self.nature is Nature.DISCONNECTED and self.code not in _SERVERS_WORD

    @property
    def session_ended(self) -> bool:
        """The session is gone, known or not."""
        return self.nature is Nature.DISCONNECTED

    @property
    def is_conflict(self) -> bool:
        """Undone because of another session's work: once rolled back, it is as if it had never run."""
        return self.code in _CONFLICTS

    @property
    def unreachable(self) -> bool:
        """No session came about."""
        return self.nature is Nature.NO_CONNECTION

    @property
    def message(self) -> str:
        """All of it in one line."""
        return one_line(self.text)[:_LONGEST_MESSAGE]


def failure_of(error: BaseException) -> Failure:
    """What an exception of the driver says. An OSError, too: the driver lets an unknown host's through."""
    if isinstance(error, TimeoutError):
        text = f"ORA-12170: {error}"
        return Failure("ORA-12170", Nature.NO_CONNECTION, text, explain(text).cure)
    if isinstance(error, OSError):
        text = f"ORA-12545: the host cannot be reached: {error.strerror or error}"
        return Failure("ORA-12545", Nature.NO_CONNECTION, text, explain(text).cure)
    detail = error.args[0] if error.args else error
    text = _without_links(str(getattr(detail, "message", detail)))
    number = getattr(detail, "code", 0)
    if not isinstance(number, int) or number <= 0:
        known = explain(text)
        similar = _SIMILAR.search(text)
        return Failure(similar[1] if similar else known.code, known.nature, text, known.cure)
    code = f"ORA-{number:05}"
    # Only its own code counts: a message of the users' own may quote any other.
    known = explain(code)
    dead = getattr(detail, "full_code", code) == "DPY-4011"
    return Failure(code, Nature.DISCONNECTED if dead else known.nature, text, known.cure)


def _without_links(text: str) -> str:
    kept = (line for line in text.splitlines() if not line.startswith(("Help: ", "https://")))
    return "\n".join(kept).strip()
