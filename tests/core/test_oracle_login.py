"""What the driver is told of a datasource."""

import dataclasses

import pytest

from mflow.core.model import Datasource
from mflow.core.oracle_login import client_arguments, login_arguments, schema_statement

SOURCE = Datasource(
    "a",
    "alias",
    "u",
    "p",
    config_dir="/etc/tns",
    wallet_location="/w",
    wallet_password="x",
    expire_time_minutes=4,
)


def test_thin_mode_is_given_all_that_is_set() -> None:
    assert login_arguments(SOURCE, 20.0) == {
        "user": "u",
        "password": "p",
        "dsn": "alias",
        "expire_time": 4,  # minutes, here and there
        "config_dir": "/etc/tns",
        "wallet_location": "/w",
        "wallet_password": "x",
        "tcp_connect_timeout": 20.0,
    }
    in_band = dataclasses.replace(SOURCE, disable_oob=True)
    assert login_arguments(in_band, 20.0) == {**login_arguments(SOURCE, 20.0), "disable_oob": True}
    assert login_arguments(Datasource("a", "h/s"), 1.0) == {"dsn": "h/s", "tcp_connect_timeout": 1.0}


@pytest.mark.parametrize(
    ("thick", "given"),
    [("/opt/ic", {"lib_dir": "/opt/ic", "config_dir": "/etc/tns"}), (True, {"config_dir": "/etc/tns"})],
)
def test_thick_mode_reads_its_own_files(thick: bool | str, given: dict[str, str]) -> None:
    source = dataclasses.replace(SOURCE, thick=thick)
    assert client_arguments(source) == given
    assert set(login_arguments(source, 20.0)) == {"user", "password", "dsn", "expire_time"}


def test_the_schema_is_chosen_by_its_plain_name() -> None:
    assert schema_statement(Datasource("a", "h/s")) is None
    chosen = schema_statement(Datasource("a", "h/s", schema="owner$1"))
    assert chosen == 'ALTER SESSION SET CURRENT_SCHEMA = "OWNER$1"'


@pytest.mark.parametrize("schema", ['X"; DROP TABLE y', "", "1A", "a b", "ñ", "x" * 129])
def test_no_other_schema_gets_into_a_statement(schema: str) -> None:
    with pytest.raises(ValueError, match="not a plain name"):
        schema_statement(Datasource("a", "h/s", schema=schema))
