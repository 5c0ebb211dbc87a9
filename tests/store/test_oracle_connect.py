"""How a datasource becomes a connection, and what people read when it does not. No database is needed here."""

import dataclasses
import threading
from pathlib import Path
from typing import Any

import oracledb
import pytest
from sqlalchemy.engine import make_url

from mflow.core.errors import StoreError, StoreRefused, StoreUnavailable
from mflow.core.model import Datasource
from mflow.store import oracle_connect
from mflow.store.connect import open_store

DESCRIPTOR = (
    "(DESCRIPTION=(ADDRESS=(PROTOCOL=tcp)(HOST=10.30.205.127)(PORT=1521))(CONNECT_DATA=(SERVICE_NAME=fisco)))"
)
FULL = Datasource(
    "mflow",
    "fisco_high",
    "MFLOW",
    "S3cret-pw",
    config_dir="/etc/oracle",
    wallet_location="/etc/oracle/wallet",
    wallet_password="S3cret-wallet",
    expire_time_minutes=4,
)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What the driver was asked for; it refuses every connection."""
    calls: list[tuple[str, dict[str, Any]]] = []

    def connect(**given: Any) -> None:
        calls.append(("connect", given))
        raise oracledb.DatabaseError("ORA-12541: TNS:no listener")

    monkeypatch.setattr(oracledb, "connect", connect)
    monkeypatch.setattr(oracledb, "init_oracle_client", lambda **given: calls.append(("client", given)))
    return calls


def attempt(where: str | Datasource) -> StoreError:
    with pytest.raises(StoreError) as caught:
        open_store(where)
    return caught.value


@pytest.mark.parametrize("string", ["10.30.205.127:1521/fisco", DESCRIPTOR, "fisco_high"])
def test_connection_string_is_passed_on_as_it_is(
    asked: list[tuple[str, dict[str, Any]]], string: str
) -> None:
    error = attempt(Datasource("mflow", string, "MFLOW", "MFLOW"))
    [(what, given)] = asked
    assert what == "connect"
    assert given == {"user": "MFLOW", "password": "MFLOW", "dsn": string, "tcp_connect_timeout": 10.0}
    assert isinstance(error, StoreUnavailable)
    assert error.message.startswith(f"oracle MFLOW@{string}: ORA-12541")
    assert "lsnrctl status" in error.hint


def test_alias_wallet_and_keep_alive(asked: list[tuple[str, dict[str, Any]]]) -> None:
    attempt(FULL)
    [(_, given)] = asked
    assert given["config_dir"] == "/etc/oracle"
    assert (given["wallet_location"], given["wallet_password"]) == ("/etc/oracle/wallet", "S3cret-wallet")
    assert given["expire_time"] == 4  # minutes, here and there


def test_thick_mode_loads_the_client_and_leaves_it_its_own_files(
    asked: list[tuple[str, dict[str, Any]]],
) -> None:
    attempt(dataclasses.replace(FULL, thick="/opt/instantclient"))
    assert asked[0] == ("client", {"lib_dir": "/opt/instantclient", "config_dir": "/etc/oracle"})
    assert set(asked[1][1]) == {"user", "password", "dsn", "expire_time"}
    asked.clear()
    attempt(Datasource("mflow", "x", "a", "b", thick=True))
    assert asked[0] == ("client", {})


def test_no_secret_is_shown() -> None:
    url = "oracle+oracledb://MFLOW:S3cret-pw@nowhere.invalid:1/?service_name=x&wallet_password=S3cret-wallet"
    where: str | Datasource
    for where in (FULL, url):
        error = attempt(where)
        assert "S3cret" not in f"{error.message} {error.hint} {error!r}"
    assert "S3cret" not in repr(FULL)


@pytest.mark.parametrize(
    ("url", "string"),
    [
        ("oracle+oracledb://u:p@h/?service_name=s", "h:1521/s"),
        ("oracle+oracledb://u:p@h:99/?service_name=s", "h:99/s"),
        ("oracle://u:p@[::1]:99/?service_name=s", "[::1]:99/s"),
        ("oracle+oracledb://u:p@alias", "alias"),
    ],
)
def test_url_as_a_datasource(url: str, string: str) -> None:
    source = oracle_connect.datasource_of(make_url(url))
    assert (source.user, source.password, source.connection_string) == ("u", "p", string)


def test_sid_in_a_url() -> None:
    source = oracle_connect.datasource_of(make_url("oracle+oracledb://u:p@h/OLD"))
    assert "(SID=OLD)" in source.connection_string


def test_further_keys_in_a_url() -> None:
    url = "oracle+oracledb://u@h?config_dir=/c&wallet_location=/w&expire_time_minutes=3&schema=OWNER&thick=/opt/ic"
    source = oracle_connect.datasource_of(make_url(url))
    assert (source.config_dir, source.wallet_location, source.schema) == ("/c", "/w", "OWNER")
    assert (source.expire_time_minutes, source.thick, source.password) == (3, "/opt/ic", None)
    assert oracle_connect.datasource_of(make_url("oracle://u@h?thick=true")).thick is True


@pytest.mark.parametrize("query", ["nosuch=1", "expire_time_minutes=soon", "expire_time_minutes=-1"])
def test_what_is_not_understood_in_a_url(query: str) -> None:
    with pytest.raises(StoreRefused, match="not understood"):
        oracle_connect.datasource_of(make_url(f"oracle://u:S3cret-pw@h?{query}"))


@pytest.mark.parametrize("schema", ['X"; DROP TABLE y', "", "1A", "a b", "x" * 129])
def test_owner_is_a_plain_name(schema: str) -> None:
    with pytest.raises(StoreRefused, match="not a plain name"):
        oracle_connect.engine(Datasource("mflow", "h/s", "u", "p", schema=schema))


@pytest.mark.parametrize(
    ("source", "kind", "text", "cure"),
    [
        (Datasource("mflow", "127.0.0.1:1/x", "u", "p"), StoreUnavailable, "DPY-6005", "Is the database up?"),
        (Datasource("mflow", "no_such_alias", "u", "p"), StoreError, "DPY-", ""),
        (
            Datasource("mflow", "(DESCRIPTION=(", "u", "p"),
            StoreRefused,
            "DPY-",
            "Check the connection string",
        ),
        (Datasource("mflow", "nowhere.invalid:1/x", "u", "p"), StoreUnavailable, "DPY-6005", "Check host"),
        (Datasource("mflow", "127.0.0.1:1/x", "u"), StoreRefused, "DPY-4001", "Check user and password"),
        (Datasource("mflow", "127.0.0.1:1/x"), StoreRefused, "no user is given", "oracle.json"),
    ],
)
def test_what_the_driver_itself_refuses(
    source: Datasource, kind: type[StoreError], text: str, cure: str
) -> None:
    error = attempt(source)
    assert isinstance(error, kind)
    assert text in error.message
    assert cure in error.hint


def test_alias_that_tnsnames_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "tnsnames.ora").write_text("other = (DESCRIPTION=(ADDRESS=(HOST=h)(PORT=1)))\n")
    error = attempt(Datasource("mflow", "fisco", "u", "p", config_dir=str(tmp_path)))
    assert isinstance(error, StoreRefused)
    assert "tnsnames.ora" in error.hint


def test_login_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(oracle_connect, "CALL_SECONDS", 0.05)
    release = threading.Event()
    monkeypatch.setattr(oracledb, "connect", lambda **_: release.wait(30))
    error = attempt(FULL)
    release.set()
    assert isinstance(error, StoreUnavailable)
    assert "not answered within 0.1 s" in error.message
