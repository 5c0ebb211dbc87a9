"""Asking a standalone master: by its REST server, by its page's JSON, and to kill also by its own port.

- REST (spark.master.rest.enabled on the master, port 6066): GET /v1/submissions/status/ID and
  POST /v1/submissions/kill/ID; see org.apache.spark.deploy.rest.StandaloneRestServer.
- The page (port 8080): GET /json/ lists applications and drivers, active and completed (the last 200 of each).
- `spark-class org.apache.spark.deploy.Client kill MASTER ID` (spark-standalone.html, "Launching Spark
  Applications") talks to the master's own port, and says some seconds later how the driver is. Where there is no
  spark-class beside spark-submit, `spark-submit --kill ID --master MASTER` is what is left.

Where REST and page are is guessed from Spark's default ports unless the task says it; a page that calls itself by
another port than the task's master is not believed.
"""

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from mflow.tasks.spark.cluster import Answer, Ids, Sought, Status
from mflow.tasks.spark.errand import Errands
from mflow.tasks.spark.output import last_driver_state

REST_PORT = 6066
PAGE_PORT = 8080
_HTTP_SECONDS = 5.0
_KILL_SECONDS = 30.0
_MOST_BYTES = 32 * 1024 * 1024
UNHEARD_SECONDS = 30.0
"""How long a master that never answered is asked: its ports were guessed, and need not be where it listens."""

_CLOCKS_DIFFER_SECONDS = 120.0
"""Allowance for a master's clock when what was submitted since some instant is looked for."""

_DRIVER_STATUS = {
    "SUBMITTED": Status.ACTIVE,
    "RUNNING": Status.ACTIVE,
    "RELAUNCHING": Status.ACTIVE,
    "UNKNOWN": Status.ACTIVE,  # its worker is out of reach for the time being
    "FINISHED": Status.SUCCEEDED,
    "FAILED": Status.FAILED,
    "ERROR": Status.FAILED,
    "KILLED": Status.FAILED,
}
"""org.apache.spark.deploy.master.DriverState"""

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a cluster is never behind a proxy


def driver_answer(word: str, source: str) -> Answer:
    """A driver's state in the master's words."""
    return Answer(_DRIVER_STATUS.get(word, Status.ACTIVE), word, source)


class Standalone:
    """A `Cluster`: one master, or several of which one is active."""

    def __init__(
        self,
        master: str,
        errands: Errands,
        environ: Mapping[str, str],
        *,
        submit: str = "spark-submit",
        spark_class: str | None = None,
        rest: str | None = None,
        page: str | None = None,
        by_rest: bool = False,
    ) -> None:
        """`master`: spark://host:port[,host:port...]; `rest`, `page`: where these are, else the default ports.

        `by_rest`: the master's port is that of its REST server (spark.master.rest.enabled for spark-submit).
        """
        self._master, self._errands, self._environ = master, errands, environ
        self._submit, self._spark_class = submit, spark_class
        self._heard = False
        self._told: dict[str, Answer] = {}  # ends that were told at a kill
        addresses = [split_address(each) for each in master.removeprefix("spark://").split(",")]
        self._ports = None if by_rest or page else {port for _, port in addresses}
        self._rests = [_http(rest)] if rest else _rests(addresses, by_rest)
        self._pages = [_http(page)] if page else [f"http://{host}:{PAGE_PORT}" for host, _ in addresses]

    def ask(self, ids: Ids) -> Answer:
        """See `Cluster`. Of an application without a driver's id only whether it is over can be told."""
        if ids.driver in self._told:
            return self._told[ids.driver]
        answers = self._answers(ids)
        unsure = Answer(Status.SILENT)
        for answer in answers:
            if answer.status not in (Status.SILENT, Status.NOT_KNOWN):
                return answer
            unsure = answer if answer.status is Status.NOT_KNOWN else unsure
        return unsure

    def kill(self, ids: Ids) -> str:
        """See `Cluster`. Only drivers can be killed so; an application ends with its driver."""
        if ids.driver is None:
            return "a standalone master kills drivers only, and none is known"
        for rest in self._rests:
            reply = _post(f"{rest}/v1/submissions/kill/{quote(ids.driver, safe='')}")
            if reply is not None and reply.get("success") is True:
                return f"asked {rest} to kill {ids.driver}"
        said = self._errands.run(self._kill_command(ids.driver), self._environ, _KILL_SECONDS)
        if said is None:
            return f"could not ask {self._master} to kill {ids.driver}"
        state = last_driver_state(said, ids.driver)
        if state and (answer := driver_answer(state, self._master)).over:
            self._told[ids.driver] = answer
        return f"asked {self._master} to kill {ids.driver}"

    def _kill_command(self, driver: str) -> tuple[str, ...]:
        if self._spark_class:
            return (self._spark_class, "org.apache.spark.deploy.Client", "kill", self._master, driver)
        return (self._submit, "--kill", driver, "--master", self._master)

    def patience(self, most: float) -> float:
        """See `Cluster`."""
        return most if self._heard else min(most, UNHEARD_SECONDS)

    def find(self, sought: Sought) -> tuple[Ids, ...] | None:
        """See `Cluster`. By the tag in an application's name, or drivers of the main class submitted since then."""
        lists = [found for page in self._pages if (found := self._page(page)) is not None]
        if not lists:
            return None
        return tuple(found for listed in lists for found in _found(listed, sought))

    def close(self) -> None:
        """Nothing was kept."""

    def _answers(self, ids: Ids) -> Iterable[Answer]:
        for answer in self._each_answer(ids):
            self._heard = self._heard or answer.status is not Status.SILENT
            yield answer

    def _each_answer(self, ids: Ids) -> Iterable[Answer]:
        if ids.driver is not None:
            for rest in self._rests:
                yield _rest_answer(rest, ids.driver)
        for page in self._pages:
            listed = self._page(page)
            yield Answer(Status.SILENT) if listed is None else _page_answer(listed, ids, page)

    def _page(self, page: str) -> Mapping[str, Any] | None:
        listed = _get(f"{page}/json/")
        if listed is None or listed.get("status") == "STANDBY":
            return None
        port = split_address(urlsplit(str(listed.get("url"))).netloc)[1]
        return listed if self._ports is None or port in self._ports else None


def split_address(text: str) -> tuple[str, int | None]:
    """host and port of `host:port`, brackets of an IPv6 address kept."""
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit():
        return host, int(port)
    return text, None


def _rests(addresses: Iterable[tuple[str, int | None]], by_rest: bool) -> list[str]:
    return [f"http://{host}:{(port if by_rest else None) or REST_PORT}" for host, port in addresses]


def _http(given: str) -> str:
    bare = given.removeprefix("spark://").rstrip("/")
    return bare if bare.startswith(("http://", "https://")) else f"http://{bare}"


def _rest_answer(rest: str, driver: str) -> Answer:
    reply = _get(f"{rest}/v1/submissions/status/{quote(driver, safe='')}")
    if reply is None or reply.get("action") != "SubmissionStatusResponse":
        return Answer(Status.SILENT)
    if reply.get("success") is not True:
        return Answer(Status.NOT_KNOWN, source=rest)
    return driver_answer(str(reply.get("driverState")), rest)


def _page_answer(listed: Mapping[str, Any], ids: Ids, page: str) -> Answer:
    if ids.driver is not None:
        for entry in _entries(listed, "activedrivers", "completeddrivers"):
            if entry.get("id") == ids.driver:
                return driver_answer(str(entry.get("state")), page)
        return Answer(Status.NOT_KNOWN, source=page)
    for entry in _entries(listed, "activeapps"):
        if entry.get("id") == ids.application:
            return Answer(Status.ACTIVE, str(entry.get("state")), page)
    for entry in _entries(listed, "completedapps"):
        if entry.get("id") == ids.application:
            # FINISHED here says only that it let go of its executors, whatever its driver came to.
            return Answer(Status.FAILED, str(entry.get("state")), page)
    return Answer(Status.NOT_KNOWN, source=page)


def _found(listed: Mapping[str, Any], sought: Sought) -> Iterable[Ids]:
    for entry in _entries(listed, "activeapps", "completedapps"):
        if sought.tag in str(entry.get("name")):
            yield Ids(application=str(entry.get("id")))
    if sought.main_class is None:
        return
    since_ms = (sought.since - _CLOCKS_DIFFER_SECONDS) * 1000
    for entry in _entries(listed, "activedrivers", "completeddrivers"):
        if entry.get("mainclass") == sought.main_class and _number(entry.get("starttime")) >= since_ms:
            yield Ids(driver=str(entry.get("id")))


def _entries(listed: Mapping[str, Any], *names: str) -> Iterable[Mapping[str, Any]]:
    for name in names:
        entries = listed.get(name)
        if isinstance(entries, list):
            yield from (entry for entry in entries if isinstance(entry, dict))


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0


def _get(url: str) -> Mapping[str, Any] | None:
    return _request(urllib.request.Request(url))  # noqa: S310  (always http or https, see `_http`)


def _post(url: str) -> Mapping[str, Any] | None:
    return _request(urllib.request.Request(url, data=b"", method="POST"))  # noqa: S310


def _request(request: urllib.request.Request) -> Mapping[str, Any] | None:
    """The JSON object that came back, or None: refused, silent, or not what was asked for."""
    try:
        with _OPENER.open(request, timeout=_HTTP_SECONDS) as reply:
            said = json.loads(reply.read(_MOST_BYTES))
    except (OSError, ValueError, http.client.HTTPException, urllib.error.URLError):
        return None
    return said if isinstance(said, dict) else None
