"""oracle.json: connections, and their passwords from wherever they are kept."""

from pathlib import Path
from typing import Any

import pytest

from mflow.core.model import Datasource
from mflow.files.datasources import DatasourcesRead, read_datasources
from mflow.files.reading import read_object
from mflow.files.report import Report

ORIGIN = Path(__file__).parent / "origin"


def read(
    *connections: Any, folder: Path = Path("/conf"), needed: str = "mflow", **environ: str
) -> tuple[DatasourcesRead, list[str]]:
    report = Report("oracle.json")
    found = read_datasources(
        {"connections": list(connections)}, str(folder / "oracle.json"), environ, needed.split(), report
    )
    return found, [f"{'warning ' if one.warning else ''}{one.place}: {one.text}" for one in report.problems]


def connection(**keys: Any) -> dict[str, Any]:
    return {"name": "mflow", "connection_string": "h/x", "user": "u", "password": "hunter2"} | keys


def test_the_origins_sample() -> None:
    raw = read_object(str(ORIGIN / "oracle.json"), Report("oracle.json"))
    assert raw is not None
    found, problems = read(*raw["connections"], needed="mflow siper_fisco")
    assert problems == []
    assert found.names == ("mflow", "siper_fisco")
    assert found.usable["siper_fisco"] == Datasource(
        name="siper_fisco", connection_string="10.30.205.127:1521/fisco", user="SIPER", password="SIPER"
    )
    assert found.usable["mflow"].connection_string.startswith("(DESCRIPTION=(ADDRESS=")
    assert found.secrets == {"MFLOW", "SIPER"}


def test_all_keys() -> None:
    found, problems = read(
        connection(
            config_dir="tns",
            wallet_location="/wallet",
            wallet_password="open",
            thick="client",
            expire_time_minutes="4",
            schema="MFLOW_OWNER",
            disable_oob="yes",
            session_sql=["ALTER SESSION SET NLS_SORT = BINARY", "BEGIN p; END;"],
        )
    )
    assert problems == []
    assert found.usable["mflow"] == Datasource(
        name="mflow",
        connection_string="h/x",
        user="u",
        password="hunter2",
        config_dir="/conf/tns",
        wallet_location="/wallet",
        wallet_password="open",
        thick="/conf/client",
        expire_time_minutes=4,
        schema="MFLOW_OWNER",
        disable_oob=True,
        session_sql=("ALTER SESSION SET NLS_SORT = BINARY", "BEGIN p; END;"),
    )
    assert found.secrets == {"hunter2", "open"}
    assert "hunter2" not in repr(found.usable)
    assert "open" not in repr(found.usable)


def test_session_sql_may_be_one_statement() -> None:
    found, problems = read(connection(session_sql="ALTER SESSION SET NLS_SORT = BINARY"))
    assert problems == []
    assert found.usable["mflow"].session_sql == ("ALTER SESSION SET NLS_SORT = BINARY",)


@pytest.mark.parametrize(
    ("thick", "taken"), [("yes", True), (True, True), ("No", False), ("/opt/ic", "/opt/ic")]
)
def test_thick(thick: Any, taken: bool | str) -> None:
    found, _ = read(connection(thick=thick))
    assert found.usable["mflow"].thick == taken


@pytest.mark.parametrize(
    ("keys", "mode", "warned"),
    [
        ({}, 0o644, True),
        ({}, 0o640, False),
        ({"password": "${PW}"}, 0o644, False),
        ({"wallet_password": "x"}, 0o604, True),
    ],
)
def test_a_file_with_passwords_that_others_can_read(
    tmp_path: Path, keys: dict[str, Any], mode: int, warned: bool
) -> None:
    file = tmp_path / "oracle.json"
    file.touch(mode)
    file.chmod(mode)
    _, problems = read(connection(**keys), folder=tmp_path, PW="x")
    assert problems == ([f"warning : everybody on this machine can read {file}: chmod o-r"] if warned else [])


class TestEnvironment:
    def test_a_value_of_exactly_this_form_comes_from_there(self) -> None:
        found, problems = read(
            connection(connection_string="${DSN}", user="${WHO}", password="${PW}"),
            DSN="h/y",
            WHO="me",
            PW="p$w",
        )
        assert problems == []
        assert found.usable["mflow"] == Datasource("mflow", "h/y", user="me", password="p$w")
        assert found.secrets == {"h/y", "me", "p$w"}

    @pytest.mark.parametrize("password", ["$PW", "x${PW}", "${PW}x", "${}", "${P W}", "pa$$word"])
    def test_a_password_may_hold_dollars(self, password: str) -> None:
        found, problems = read(connection(password=password), PW="no")
        assert (found.usable["mflow"].password, problems) == (password, [])

    def test_a_missing_variable_is_named(self) -> None:
        found, problems = read(connection(password="${PW}"))
        assert problems == ["connections[0].password: the environment has no variable PW"]
        assert (found.usable, found.names) == ({}, ("mflow",))

    @pytest.mark.parametrize("key", ["password", "user", "connection_string", "password_file"])
    def test_a_variable_that_is_set_but_empty_is_named(self, key: str) -> None:
        others = {"password": None} if key == "password_file" else {}
        found, problems = read(connection(**(others | {key: "${PWX}"})), PWX="")
        assert problems == [f"connections[0].{key}: the environment's variable PWX is set, but empty"]
        assert (found.usable, found.secrets) == ({}, frozenset())

    def test_a_wallet_needs_no_password_wherever_it_is_named(self) -> None:
        found, problems = read(connection(password="${PWX}", wallet_location="/w"), PWX="")
        assert problems == []
        assert "mflow" in found.usable

    def test_for_a_connection_that_nobody_needs_it_is_a_warning(self) -> None:
        found, problems = read(connection(name="other", password="${PW}"), connection())
        assert problems == ["warning connections[0].password: the environment has no variable PW"]
        assert list(found.usable) == ["mflow"]


class TestPasswordFile:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        self.write(tmp_path, b"hunter2\n")
        return tmp_path

    def write(self, folder: Path, content: bytes) -> None:
        (folder / "pw").write_bytes(content)
        (folder / "pw").chmod(0o600)

    def read(self, folder: Path, **keys: Any) -> tuple[DatasourcesRead, list[str]]:
        without = {key: value for key, value in connection(password_file="pw").items() if key != "password"}
        return read(without | keys, folder=folder)

    @pytest.mark.parametrize(
        ("content", "password"),
        [(b"a", "a"), (b"a\n", "a"), (b"a\r\n", "a"), (b" a \n\n", " a \n"), ("ñ".encode(), "ñ")],
    )
    def test_one_line_end_is_taken_off(self, folder: Path, content: bytes, password: str) -> None:
        self.write(folder, content)
        found, problems = self.read(folder)
        assert (found.usable["mflow"].password, problems) == (password, [])
        assert found.secrets == {password}

    def test_readable_by_others(self, folder: Path) -> None:
        (folder / "pw").chmod(0o644)
        found, problems = self.read(folder)
        assert "mflow" in found.usable
        assert problems == [
            f"warning connections[0].password_file: everybody on this machine can read {folder}/pw: chmod o-r"
        ]

    @pytest.mark.parametrize(
        ("content", "why"),
        [(b"", "is empty"), (b"\n", "is empty"), (b"a\0b", "is not text"), (b"\xff", "is not UTF-8")],
    )
    def test_no_password_in_it(self, folder: Path, content: bytes, why: str) -> None:
        self.write(folder, content)
        found, problems = self.read(folder)
        assert problems == [f"connections[0].password_file: {folder}/pw {why}"]
        assert found.usable == {}

    def test_missing(self, folder: Path) -> None:
        assert self.read(folder, password_file="no")[1] == [
            f"connections[0].password_file: {folder}/no does not exist"
        ]

    def test_beside_a_password(self, folder: Path) -> None:
        assert self.read(folder, password="x")[1] == [
            'connections[0]: "password" and "password_file" say the same thing: give one of them'
        ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (5, "connections[0]: must be an object, not 5"),
        ({"name": "mflow"}, 'connections[0]: the key "connection_string" is missing'),
        (connection(name=""), "connections[0].name: must not be empty"),
        (connection(name=5), "connections[0].name: must be text in quotes, not 5"),
        (connection(pasword="hunter2"), 'connections[0].pasword: unknown key (did you mean "password"?)'),
        (connection(password=12345), "connections[0].password: must be text in quotes"),
        (connection(wallet_password=["hunter2"]), "connections[0].wallet_password: must be text in quotes"),
        (
            connection(connection_string="scott/tiger@h/x"),
            'connections[0].connection_string: must not hold user and password: give them as "user" and "password"',
        ),
        (
            connection(thick=5),
            "connections[0].thick: must be yes, no or the folder of the Instant Client, not 5",
        ),
        (
            connection(expire_time_minutes=-1),
            "connections[0].expire_time_minutes: must be at least 0, not -1",
        ),
        (connection(session_sql=""), "connections[0].session_sql[0]: must not be empty"),
        (connection(session_sql=["", "x"]), "connections[0].session_sql[0]: must not be empty"),
        (connection(session_sql={"a": 1}), "connections[0].session_sql: must be a list, not an object"),
        (connection(schema="a b"), 'connections[0].schema: must be the name of an Oracle schema, not "a b"'),
        (connection(password=None), 'connections[0]: the key "password" is missing (or "password_file")'),
        (
            connection(Password="x"),
            'connections[0].Password: the same key twice in one object (as "password", in other case)',
        ),
    ],
)
def test_what_is_wrong(entry: Any, problem: str) -> None:
    _, problems = read(entry)
    assert problems == [problem]


def test_a_name_twice() -> None:
    assert read(connection(), connection())[1] == [
        'connections[1].name: the name "mflow" is already that of connections[0]'
    ]


@pytest.mark.parametrize(
    "keys", [{"wallet_location": "w"}, {"thick": True}, {"user": "[app]"}, {"user": None}]
)
def test_who_needs_no_password(keys: dict[str, Any]) -> None:
    found, problems = read(connection(password=None, **keys))
    assert problems == []
    assert found.usable["mflow"].password is None


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ({}, ': the key "connections" is missing'),
        ({"connections": {}}, "connections: must be a list, not an object"),
    ],
)
def test_no_connections(raw: dict[str, Any], problem: str) -> None:
    report = Report("oracle.json")
    assert read_datasources(raw, "/oracle.json", {}, (), report).names == ()
    assert [f"{one.place}: {one.text}" for one in report.problems] == [problem]
