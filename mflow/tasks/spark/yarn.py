"""Asking YARN's ResourceManager, through its own command `yarn application` (YarnCommands.html of Hadoop).

The command knows where the ResourceManager is and how to prove who is asking; with `principal` and `keytab` it gets a
ticket of its own, in a cache that is removed again.
"""

import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mflow.tasks.spark.cluster import Answer, Ids, Sought, Status
from mflow.tasks.spark.errand import Errands

_SECONDS = 30.0
_SOURCE = "yarn application -status"
_FIELD = re.compile(r"^\s*(State|Final-State) : (\S+)\s*$", re.MULTILINE)
_ROW = re.compile(r"^\s*(application_\d+_\d+)\s", re.MULTILINE)
_TOTAL = re.compile(r"Total number of applications.*:\s*\d+\s*$", re.MULTILINE)
_NOT_THERE = re.compile(r"doesn't exist in (?:the )?RM|ApplicationNotFoundException")
_OVER = ("FINISHED", "FAILED", "KILLED")


def yarn_answer(state: str, final: str, source: str) -> Answer:
    """A YarnApplicationState and, where it is FINISHED, what the application said of itself."""
    if state not in _OVER:
        return Answer(Status.ACTIVE, state, source)
    word = final if state == "FINISHED" else state
    return Answer(Status.SUCCEEDED if word == "SUCCEEDED" else Status.FAILED, word, source)


def parse_status(said: str) -> Answer:
    """What `yarn application -status ID` printed."""
    fields = dict(_FIELD.findall(said))
    if "State" in fields:
        return yarn_answer(fields["State"], fields.get("Final-State", "UNDEFINED"), _SOURCE)
    return Answer(Status.NOT_KNOWN, source=_SOURCE) if _NOT_THERE.search(said) else Answer(Status.SILENT)


def parse_list(said: str) -> tuple[Ids, ...] | None:
    """What `yarn application -list` printed; None if it was no list."""
    if not _TOTAL.search(said):
        return None
    return tuple(Ids(application=found) for found in _ROW.findall(said))


class Yarn:
    """A `Cluster`. Every question starts a JVM: some seconds."""

    def __init__(
        self,
        errands: Errands,
        environ: Mapping[str, str],
        *,
        yarn: str | None,
        kinit: str | None = None,
        principal: str | None = None,
        keytab: str | None = None,
    ) -> None:
        """`yarn`, `kinit`: the programs, None where they were not found."""
        self._errands, self._environ = errands, dict(environ)
        self._yarn, self._kinit = yarn, kinit
        self._principal, self._keytab = principal, keytab
        self._cache: str | None = None

    def ask(self, ids: Ids) -> Answer:
        """See `Cluster`."""
        if ids.application is None:
            return Answer(Status.SILENT)
        said = self._run("-status", ids.application)
        return Answer(Status.SILENT) if said is None else parse_status(said)

    def kill(self, ids: Ids) -> str:
        """See `Cluster`."""
        if ids.application is None:
            return "no application id is known"
        if self._run("-kill", ids.application) is None:
            why = "no yarn was found to run" if self._yarn is None else "could not run"
            return f"{why} `yarn application -kill {ids.application}`"
        return f"ran `yarn application -kill {ids.application}`"

    def find(self, sought: Sought) -> tuple[Ids, ...] | None:
        """See `Cluster`. Exact: the tag is the attempt's own."""
        said = self._run("-list", "-appStates", "ALL", "-appTags", sought.tag)
        return None if said is None else parse_list(said)

    def patience(self, most: float) -> float:
        """See `Cluster`. The command cannot appear while it is waited for."""
        return most if self._yarn else 0.0

    def close(self) -> None:
        """Remove the ticket."""
        if self._cache is not None:
            with suppress(OSError):
                Path(self._cache).unlink()
            self._cache = None

    def _run(self, *words: str) -> str | None:
        if self._yarn is None:
            return None
        self._get_ticket()
        return self._errands.run((self._yarn, "application", *words), self._environ, _SECONDS)

    def _get_ticket(self) -> None:
        """Once. Without a ticket the question is asked all the same, and its answer tells."""
        if self._cache is not None or not (self._principal and self._keytab and self._kinit):
            return
        descriptor, self._cache = tempfile.mkstemp(prefix="mflow-krb5-")  # mode 0600
        os.close(descriptor)
        self._environ["KRB5CCNAME"] = f"FILE:{self._cache}"
        self._errands.run(kinit_command(self._kinit, self._keytab, self._principal), self._environ, _SECONDS)


def kinit_command(kinit: str, keytab: str, principal: str) -> Sequence[str]:
    """A ticket from a keytab, into the cache that KRB5CCNAME names (kinit(1))."""
    return (kinit, "-k", "-t", keytab, principal)
