"""An exception of the driver as mflow judges it: its code, what became of the session, what a person reads."""

import re
from dataclasses import dataclass
from typing import Any

from mflow.core.oracle_errors import Nature, codes_in, explain, one_line

_SERVERS_WORD = frozenset({"ORA-00028", "ORA-02396", "ORA-02399"})
"""The server itself says that it ended the session, so what was not committed is undone."""

_NOT_THE_COMMITS = frozenset(
    {"ORA-01013", "DPY-4024", "ORA-02050", "ORA-02051", "ORA-02053", "ORA-02054", "ORA-02056"}
)
"""Answers to a COMMIT that do not say whether it was done: a break that came beside it (what is broken off may be done
already), and distributed transactions in doubt."""

CANCELLED = "ORA-01013"
"""What a cancelled call ends with."""

LOST = "DPY-4011"
"""What the driver itself calls a connection that was closed without a word."""

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
    def is_cancel(self) -> bool:
        """The call was cancelled. Parallel query wraps that (ORA-12801), handlers in PL/SQL raise it as their own."""
        return self.code == CANCELLED or CANCELLED in codes_in(self.text)

    @property
    def leaves_commit_open(self) -> bool:
        """As the answer to a COMMIT it does not tell whether that was done."""
        return self.session_ended or self.code in _NOT_THE_COMMITS or self.is_cancel

    @property
    def is_conflict(self) -> bool:
        """Undone because of another session's work: once rolled back, it is as if it had never run."""
        return self.code in _CONFLICTS

    @property
    def is_the_servers(self) -> bool:
        """An answer of the server: the call is over."""
        return self.code.startswith("ORA-") and not self.session_ended

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


def failure_in_session(error: Exception, driver: Any) -> Failure:
    """The same once a session is open. What is not the driver's word of an error means that the session is lost.

    The driver lets the operating system's errors through: a network that has died silently is a raw ETIMEDOUT, or the
    EPIPE of the break that it sends then. After an error of its own protocol, too, no answer can be trusted.
    """
    if isinstance(error, OSError):
        return _lost(f"the connection broke: {error.strerror or error}")
    if isinstance(error, driver.InternalError):
        return _lost(str(error))
    return failure_of(error)


def _lost(why: str) -> Failure:
    text = f"{LOST}: {_without_links(why)}"
    return Failure(LOST, Nature.DISCONNECTED, text, explain(LOST).cure)


def _without_links(text: str) -> str:
    kept = (line for line in text.splitlines() if not line.startswith(("Help: ", "https://")))
    return "\n".join(kept).strip()
