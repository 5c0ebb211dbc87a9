"""A standalone master that is asked: by REST, by its page; what is believed and what is not."""

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from mflow.tasks.spark.cluster import Ids, Sought, Status
from mflow.tasks.spark.errand import Errands
from mflow.tasks.spark.standalone import UNHEARD_SECONDS, Standalone

DRIVER = "driver-20261124070307-0001"
TAG = "mflow-0123-0-1"

STATUS = {"action": "SubmissionStatusResponse", "serverSparkVersion": "4.1.4", "submissionId": DRIVER}
PAGE = {
    "url": "spark://hdp:7077",
    "status": "ALIVE",
    "activeapps": [{"id": "app-1-0001", "name": f"task ({TAG})", "state": "RUNNING"}],
    "completedapps": [{"id": "app-1-0000", "name": "old", "state": "FINISHED"}],
    "activedrivers": [],
    "completeddrivers": [
        {"id": DRIVER, "state": "FAILED", "mainclass": "Main", "starttime": "1795503787222"},
        {
            "id": "driver-20200101000000-0000",
            "state": "FINISHED",
            "mainclass": "Main",
            "starttime": "1577836800000",
        },
    ],
}


class Site:
    """A web server that answers what it was told, per path."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(handler) -> None:  # noqa: N805
                self.asked.append(f"{handler.command} {handler.path}")
                answer = self.answers.get(handler.path)
                handler.send_response(404 if answer is None else 200)
                handler.end_headers()
                handler.wfile.write(
                    answer.encode() if isinstance(answer, str) else json.dumps(answer).encode()
                )

            do_POST = do_GET  # noqa: N815

            def log_message(handler, *_: Any) -> None:  # noqa: N805
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.server.server_address[1]}"


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


class NoErrands(Errands):
    """Remembers what it was to run."""

    def __init__(self) -> None:
        super().__init__("/")
        self.ran: list[tuple[str, ...]] = []
        self.said = ""

    def run(self, command: Sequence[str], environ: Mapping[str, str], seconds: float) -> str | None:
        self.ran.append(tuple(command))
        return self.said


NOWHERE = "127.0.0.1:1"


def asking(rest: str = NOWHERE, page: str = NOWHERE, errands: Errands | None = None) -> Standalone:
    return Standalone(
        "spark://hdp:7077", errands or NoErrands(), {}, spark_class="spark-class", rest=rest, page=page
    )


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("SUBMITTED", Status.ACTIVE),
        ("RUNNING", Status.ACTIVE),
        ("RELAUNCHING", Status.ACTIVE),
        ("UNKNOWN", Status.ACTIVE),
        ("FINISHED", Status.SUCCEEDED),
        ("FAILED", Status.FAILED),
        ("ERROR", Status.FAILED),
        ("KILLED", Status.FAILED),
    ],
)
def test_states_of_a_driver_by_rest(site: Site, state: str, status: Status) -> None:
    site.answers[f"/v1/submissions/status/{DRIVER}"] = {**STATUS, "success": True, "driverState": state}
    answer = asking(rest=site.address).ask(Ids(driver=DRIVER))
    assert (answer.status, answer.word, answer.source) == (status, state, f"http://{site.address}")


def test_a_driver_the_master_does_not_know(site: Site) -> None:
    site.answers["/v1/submissions/status/driver-9"] = {**STATUS, "success": False}
    assert asking(rest=site.address).ask(Ids(driver="driver-9")).status is Status.NOT_KNOWN
    site.answers["/json/"] = PAGE
    assert asking(page=site.address).ask(Ids(driver="driver-9")).status is Status.NOT_KNOWN


def test_the_page_knows_drivers_and_applications(site: Site) -> None:
    site.answers["/json/"] = PAGE
    master = asking(page=f"http://{site.address}/")
    assert master.ask(Ids(driver=DRIVER)).word == "FAILED"
    assert master.ask(Ids(application="app-1-0001")).status is Status.ACTIVE
    assert master.ask(Ids(application="app-1-0000")).over
    assert master.ask(Ids(application="app-1-0009")).status is Status.NOT_KNOWN


def test_who_knows_it_is_believed_before_who_does_not(site: Site) -> None:
    site.answers[f"/v1/submissions/status/{DRIVER}"] = {**STATUS, "success": False}
    site.answers["/json/"] = PAGE
    assert asking(rest=site.address, page=site.address).ask(Ids(driver=DRIVER)).status is Status.FAILED


@pytest.mark.parametrize("answer", ["<html>", "[1]", '"x"', "{", {"action": "ErrorResponse"}, {}])
def test_nonsense_is_no_answer(site: Site, answer: Any) -> None:
    site.answers[f"/v1/submissions/status/{DRIVER}"] = answer
    site.answers["/json/"] = answer if isinstance(answer, str) else {"status": "STANDBY"}
    assert asking(rest=site.address, page=site.address).ask(Ids(driver=DRIVER)).status is Status.SILENT


def test_a_page_of_damaged_entries(site: Site) -> None:
    site.answers["/json/"] = {**PAGE, "activeapps": "x", "completeddrivers": [1, {"id": DRIVER}, None]}
    found = asking(page=site.address).find(Sought(TAG, "Main", 0.0))
    assert found == ()


def test_nobody_answers() -> None:
    master = asking()
    assert master.ask(Ids(driver=DRIVER)).status is Status.SILENT
    assert master.find(Sought(TAG, None, 0.0)) is None


def test_a_page_at_the_default_port_must_be_of_the_same_master(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mflow.tasks.spark.standalone.PAGE_PORT", site.server.server_address[1])
    site.answers["/json/"] = PAGE
    ours = Standalone("spark://127.0.0.1:7077", NoErrands(), {}, spark_class="", rest=NOWHERE)
    other = Standalone("spark://127.0.0.1:7078", NoErrands(), {}, spark_class="", rest=NOWHERE)
    assert ours.ask(Ids(driver=DRIVER)).word == "FAILED"
    assert other.ask(Ids(driver=DRIVER)).status is Status.SILENT


def test_where_rest_is_looked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(site.address.partition(":")[2])
    site.answers[f"/v1/submissions/status/{DRIVER}"] = {**STATUS, "success": True, "driverState": "RUNNING"}
    by_rest = Standalone(
        f"spark://127.0.0.1:{port}", NoErrands(), {}, spark_class="", page=NOWHERE, by_rest=True
    )
    assert by_rest.ask(Ids(driver=DRIVER)).status is Status.ACTIVE
    monkeypatch.setattr("mflow.tasks.spark.standalone.REST_PORT", port)
    several = Standalone(
        "spark://127.0.0.2:7077,127.0.0.1:7077", NoErrands(), {}, spark_class="", page=NOWHERE
    )
    assert several.ask(Ids(driver=DRIVER)).status is Status.ACTIVE


def test_kill_by_rest(site: Site) -> None:
    site.answers[f"/v1/submissions/kill/{DRIVER}"] = {"action": "KillSubmissionResponse", "success": True}
    errands = NoErrands()
    assert "asked http" in asking(rest=site.address, errands=errands).kill(Ids(driver=DRIVER))
    assert site.asked == [f"POST /v1/submissions/kill/{DRIVER}"]
    assert errands.ran == []


def test_kill_by_the_masters_own_port() -> None:
    errands = NoErrands()
    asking(errands=errands).kill(Ids(driver=DRIVER))
    assert errands.ran == [
        ("spark-class", "org.apache.spark.deploy.Client", "kill", "spark://hdp:7077", DRIVER)
    ]
    assert "drivers only" in asking(errands=errands).kill(Ids(application="app-1"))


def test_the_command_that_kills_tells_the_end_where_nobody_else_does() -> None:
    errands = NoErrands()
    master = asking(errands=errands)
    errands.said = f"INFO ClientEndpoint: State of {DRIVER} is RUNNING\n"
    master.kill(Ids(driver=DRIVER))
    assert master.ask(Ids(driver=DRIVER)).status is Status.SILENT
    errands.said += f"INFO ClientEndpoint: State of {DRIVER} is KILLED, exiting spark-submit JVM.\n"
    master.kill(Ids(driver=DRIVER))
    answer = master.ask(Ids(driver=DRIVER))
    assert (answer.status, answer.word, answer.source) == (Status.FAILED, "KILLED", "spark://hdp:7077")


def test_kill_by_spark_submit_where_nothing_lies_beside_it() -> None:
    errands = NoErrands()
    master = Standalone(
        "spark://hdp:7077", errands, {}, submit="/site/spark-submit", rest=NOWHERE, page=NOWHERE
    )
    master.kill(Ids(driver=DRIVER))
    assert errands.ran == [("/site/spark-submit", "--kill", DRIVER, "--master", "spark://hdp:7077")]


def test_a_master_that_never_spoke_is_not_waited_for_as_long(site: Site) -> None:
    master = asking(rest=site.address)
    assert master.patience(600.0) == UNHEARD_SECONDS
    master.ask(Ids(driver=DRIVER))
    assert master.patience(600.0) == UNHEARD_SECONDS
    site.answers[f"/v1/submissions/status/{DRIVER}"] = {**STATUS, "success": True, "driverState": "RUNNING"}
    master.ask(Ids(driver=DRIVER))
    assert master.patience(600.0) == 600.0


def test_find_by_tag_and_by_main_class(site: Site) -> None:
    site.answers["/json/"] = PAGE
    found = asking(page=site.address).find(Sought(TAG, "Main", 1795503700.0))
    assert found == (Ids(application="app-1-0001"), Ids(driver=DRIVER))
