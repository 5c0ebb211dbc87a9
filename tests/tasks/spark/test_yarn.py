"""What `yarn application` is asked, and what it prints (Hadoop's YarnCommands page and ApplicationCLI)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from mflow.tasks.spark.cluster import Answer, Ids, Sought, Status
from mflow.tasks.spark.errand import Errands
from mflow.tasks.spark.yarn import Yarn, parse_list, parse_status

ID = "application_1410450250506_0003"

RECORDED = Path(__file__).with_name("recorded")
REPORT = (RECORDED / "yarn-status.txt").read_text("utf-8")

LIST = (RECORDED / "yarn-list.txt").read_text("utf-8")


@pytest.mark.parametrize(
    ("state", "final", "status", "word"),
    [
        ("ACCEPTED", "UNDEFINED", Status.ACTIVE, "ACCEPTED"),
        ("RUNNING", "UNDEFINED", Status.ACTIVE, "RUNNING"),
        ("FINISHED", "SUCCEEDED", Status.SUCCEEDED, "SUCCEEDED"),
        ("FINISHED", "FAILED", Status.FAILED, "FAILED"),
        ("FINISHED", "UNDEFINED", Status.FAILED, "UNDEFINED"),
        ("FAILED", "FAILED", Status.FAILED, "FAILED"),
        ("KILLED", "KILLED", Status.FAILED, "KILLED"),
    ],
)
def test_status(state: str, final: str, status: Status, word: str) -> None:
    answer = parse_status(REPORT % (state, final))
    assert (answer.status, answer.word) == (status, word)


def test_status_of_an_application_yarn_does_not_know() -> None:
    said = f"Application with id '{ID}' doesn't exist in RM or Timeline Server."
    assert parse_status(said).status is Status.NOT_KNOWN


@pytest.mark.parametrize("said", ["", "java.net.ConnectException: Connection refused", "State of the art"])
def test_no_answer(said: str) -> None:
    assert parse_status(said).status is Status.SILENT
    assert parse_list(said) is None


def test_list() -> None:
    assert parse_list(LIST) == (Ids(application=ID),)
    assert parse_list(LIST.splitlines()[0].removesuffix("1") + "0\n") == ()


class ToldErrands(Errands):
    """Answers from a list, and remembers what was run."""

    def __init__(self, *answers: str | None) -> None:
        super().__init__("/")
        self.answers = list(answers)
        self.ran: list[tuple[str, ...]] = []
        self.environs: list[dict[str, str]] = []

    def run(self, command: Sequence[str], environ: Mapping[str, str], seconds: float) -> str | None:
        self.ran.append(tuple(command))
        self.environs.append(dict(environ))
        return self.answers.pop(0)


def test_commands() -> None:
    errands = ToldErrands(REPORT % ("RUNNING", "UNDEFINED"), f"Killed application {ID}", LIST)
    yarn = Yarn(errands, {}, yarn="/opt/hadoop/bin/yarn")
    assert yarn.ask(Ids(application=ID)).status is Status.ACTIVE
    assert yarn.kill(Ids(application=ID)) == f"ran `yarn application -kill {ID}`"
    assert yarn.find(Sought("mflow-1-0-1", None, 0.0)) == (Ids(application=ID),)
    assert errands.ran == [
        ("/opt/hadoop/bin/yarn", "application", "-status", ID),
        ("/opt/hadoop/bin/yarn", "application", "-kill", ID),
        ("/opt/hadoop/bin/yarn", "application", "-list", "-appStates", "ALL", "-appTags", "mflow-1-0-1"),
    ]


def test_a_ticket_is_got_once_in_a_cache_of_its_own_and_removed() -> None:
    errands = ToldErrands("", REPORT % ("RUNNING", "UNDEFINED"), REPORT % ("RUNNING", "UNDEFINED"))
    yarn = Yarn(
        errands, {}, yarn="yarn", kinit="kinit", principal="etl@EXAMPLE.COM", keytab="/etc/etl.keytab"
    )
    yarn.ask(Ids(application=ID))
    yarn.ask(Ids(application=ID))
    assert [ran[0] for ran in errands.ran] == ["kinit", "yarn", "yarn"]
    assert errands.ran[0] == ("kinit", "-k", "-t", "/etc/etl.keytab", "etl@EXAMPLE.COM")
    caches = {environ["KRB5CCNAME"] for environ in errands.environs}
    assert len(caches) == 1
    cache = Path(caches.pop().removeprefix("FILE:"))
    assert cache.stat().st_mode & 0o777 == 0o600
    yarn.close()
    assert not cache.exists()


def test_without_yarn_or_without_an_id_nobody_can_be_asked() -> None:
    yarn = Yarn(ToldErrands(), {}, yarn=None)
    assert yarn.ask(Ids(application=ID)) == Answer(Status.SILENT)
    assert yarn.ask(Ids()) == Answer(Status.SILENT)
    assert yarn.find(Sought("t", None, 0.0)) is None
    assert "no yarn was found" in yarn.kill(Ids(application=ID))


def test_an_errand_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    errands = Errands(str(tmp_path))
    assert errands.run(("sleep", "60"), {"PATH": "/usr/bin:/bin"}, 0.05) is None
    assert errands.run(("/no/such/program",), {}, 1.0) is None
    assert errands.run(("pwd",), {"PATH": "/usr/bin:/bin"}, 30.0) == f"{tmp_path}\n"
    assert errands.sessions == frozenset()
