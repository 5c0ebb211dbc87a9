"""Transaction Guard: the database's own answer to whether the last transaction of a lost session was committed.

Source: Development Guide, "Using Transaction Guard"; PL/SQL Packages and Types Reference, DBMS_APP_CONT. The service
needs COMMIT_OUTCOME, the user EXECUTE on DBMS_APP_CONT. Once asked, a transaction that was not committed never will be.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mflow.tasks.oracle.failure import failure_of

if TYPE_CHECKING:
    from oracledb import Connection

_QUESTION = """
DECLARE
  is_committed BOOLEAN;
  is_completed BOOLEAN;
BEGIN
  dbms_app_cont.get_ltxid_outcome(:ltxid, is_committed, is_completed);
  IF is_committed THEN :committed := 1; ELSE :committed := 0; END IF;
  IF is_completed THEN :completed := 1; ELSE :completed := 0; END IF;
END;"""

_SERVER_IS_AHEAD = "ORA-14950"
"""A later transaction of that session was committed, and so was this one."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """`completed`: the call that committed ran to its end."""

    committed: bool
    completed: bool


def read_ltxid(connection: "Connection") -> bytes:
    """The logical transaction id of what runs next; empty if the service has no Transaction Guard."""
    return bytes(connection.ltxid or b"")


def ask(driver: Any, connection: "Connection", ltxid: bytes) -> Verdict:
    """Raises the driver's errors, e.g. if the question is not allowed."""
    try:
        with connection.cursor() as cursor:
            committed, completed = cursor.var(int), cursor.var(int)
            cursor.execute(_QUESTION, {"ltxid": ltxid, "committed": committed, "completed": completed})
            return Verdict(bool(committed.getvalue()), bool(completed.getvalue()))
    except driver.Error as error:
        if failure_of(error).code == _SERVER_IS_AHEAD:
            return Verdict(committed=True, completed=False)
        raise
