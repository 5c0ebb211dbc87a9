"""What spark-submit says while it runs: ids, states and errors, read from the attempt's log as it grows.

The wordings are those of Spark's own sources: deploy.ClientEndpoint, deploy.rest.RestSubmissionClient,
StandaloneSchedulerBackend and deploy.yarn.Client (2.4 to 4.1).
"""

import os
import re
from collections.abc import Iterator

_DRIVER_ID = re.compile(
    r"(?:Driver successfully submitted as|Submission successfully created as) ([\w.-]*\w)"
)
_DRIVER_STATE = re.compile(r"State of (?:driver )?([\w.-]*\w) is (?:now )?([A-Z]+)")
_STANDALONE_APP = re.compile(r"Connected to Spark cluster with app ID ([\w.-]*\w)")
_YARN_APP = re.compile(r"(?:Submitt(?:ing|ed) application|Application report for) (application_\d+_\d+)")
_YARN_STATE = re.compile(r"Application report for application_\d+_\d+ \(state: ([A-Z_]+)\)")
_YARN_FINAL = re.compile(r"^\s*final status: ([A-Z]+)\s*$")
_YARN_REASON = re.compile(r"(?:^\s*diagnostics|Application diagnostics message): (?!N/A\s*$)(\S.*)$")
_ASKED = re.compile(
    r"waiting before polling master for driver state|Submitting a request to launch an application"
    r"|Submitting application application_"
)
_REFUSED = re.compile(
    r"Unable to connect to server|Failed to connect to master|Application submission failed"
)
_LOST_CONTACT = re.compile(r"Failed to contact YARN for application")
_INFORMATIVE = re.compile(r"\bINFO\b")

_JAVA_ERROR = re.compile(r'^Exception in thread "[^"]*" ([\w.$]+)(?::\s*(.*))?$')
_TRACEBACK = "Traceback (most recent call last):"
_PYTHON_ERROR = re.compile(r"^([A-Za-z_][\w.]*)(?::\s*(.*))?$")
_CONDITION = re.compile(r"^\[([A-Z][A-Z0-9_.]*)\]")
_SUBMIT_ERROR = re.compile(r"^Error: (.+)$")

_LONGEST_LINE = 64 * 1024
_CHUNK = 256 * 1024


class Sightings:
    """All that was seen so far, the first id of each kind and the last of everything else."""

    def __init__(self, *, in_cluster: bool) -> None:
        """With the driver in the cluster, the log holds only the words of spark-submit, never of the user's code."""
        self.driver: str | None = None
        self.application: str | None = None
        self.driver_state: str | None = None
        self.yarn_state: str | None = None
        self.yarn_final: str | None = None
        self.yarn_reason: str | None = None  # why an application failed, as it told YARN
        self.lost_contact = False  # YARN's client gave up without knowing
        self.asked = False  # a request to run something was on its way
        self.refused = False  # and did not get there
        self.informative = False  # the log's level is one at which ids would be seen
        self.error: str | None = None  # error condition, or class of the exception
        self.error_text: str | None = None
        self._in_cluster = in_cluster
        self._in_traceback = False

    def see(self, line: str) -> None:
        """Take one line of the log."""
        self.informative = self.informative or _INFORMATIVE.search(line) is not None
        if self._in_cluster:
            self._see_submission(line)
        if self.application is None and (match := _STANDALONE_APP.search(line) or _YARN_APP.search(line)):
            self.application = match[1]
        self._see_error(line)

    def _see_submission(self, line: str) -> None:
        self.asked = self.asked or _ASKED.search(line) is not None
        self.refused = self.refused or _REFUSED.search(line) is not None
        self.lost_contact = self.lost_contact or _LOST_CONTACT.search(line) is not None
        if self.driver is None and (match := _DRIVER_ID.search(line)):
            self.driver = match[1]
        if (match := _DRIVER_STATE.search(line)) and match[1] == self.driver:
            self.driver_state = match[2]
        if match := _YARN_STATE.search(line):
            self.yarn_state = match[1]
            self.yarn_reason = None  # what an earlier report said was no reason of an end
        if match := _YARN_REASON.search(line):
            self.yarn_reason = match[1]
        if match := _YARN_FINAL.match(line):
            self.yarn_final = match[1]

    def _see_error(self, line: str) -> None:
        if match := _JAVA_ERROR.match(line):
            self._take_error(match[1], match[2])
        elif line.startswith(_TRACEBACK):
            self._in_traceback = True
        elif self._in_traceback and line and not line[0].isspace():
            self._in_traceback = False
            if match := _PYTHON_ERROR.match(line):
                self._take_error(match[1], match[2])
        elif match := _SUBMIT_ERROR.match(line):
            self.error_text = match[1]

    def _take_error(self, kind: str, text: str | None) -> None:
        condition = _CONDITION.match(text or "")
        self.error = condition[1] if condition else kind
        self.error_text = f"{kind}: {text}" if text else kind


class LogTail:
    """Reads what is appended to a log, line by line."""

    def __init__(self, descriptor: int, *, from_start: bool = False) -> None:
        """Of an open file; a further description of it is opened, so that its own offset stays."""
        self._file = os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        self._at = 0 if from_start else os.fstat(self._file).st_size
        self._rest = b""

    def lines(self) -> Iterator[str]:
        """Whole lines that came since the last call."""
        while chunk := os.pread(self._file, _CHUNK, self._at):
            self._at += len(chunk)
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            yield from map(_decoded, lines)
            if len(self._rest) > _LONGEST_LINE:
                self._rest = self._rest[:_LONGEST_LINE]

    def last(self) -> Iterator[str]:
        """The same, and what is left without an end of line."""
        yield from self.lines()
        if self._rest:
            rest, self._rest = self._rest, b""
            yield _decoded(rest)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._file)


def read_log(path: str, *, in_cluster: bool) -> Sightings:
    """What the log of an earlier attempt tells; nothing if it cannot be read."""
    seen = Sightings(in_cluster=in_cluster)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return seen
    tail = LogTail(descriptor, from_start=True)
    for line in tail.last():
        seen.see(line)
    tail.close()
    os.close(descriptor)
    return seen


def last_driver_state(said: str, driver: str) -> str | None:
    """What a command said last of a standalone driver."""
    states = [match[2] for match in _DRIVER_STATE.finditer(said) if match[1] == driver]
    return states[-1] if states else None


def _decoded(line: bytes) -> str:
    return line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
