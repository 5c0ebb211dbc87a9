"""Codes people really get, in the texts in which the driver brings them."""

import pytest

from mflow.core.oracle_errors import Nature, codes_in, explain, one_line


@pytest.mark.parametrize(
    ("text", "code", "nature", "cure"),
    [
        (
            "ORA-01017: invalid username/password; logon denied",
            "ORA-01017",
            Nature.REFUSED,
            "lock the account",
        ),
        ("ORA-28000: the account is locked", "ORA-28000", Nature.REFUSED, "UNLOCK"),
        ("ORA-28001: the password has expired", "ORA-28001", Nature.REFUSED, "change it"),
        (
            (
                "DPY-6005: cannot connect to database (CONNECTION_ID=x==).\n"
                'DPY-6001: Service "no" is not registered with the listener at host "h" port 1521. '
                "(Similar to ORA-12514)"
            ),
            "DPY-6001",
            Nature.NO_CONNECTION,
            "does not know this service",
        ),
        (
            "DPY-6005: cannot connect to database (CONNECTION_ID=x==).\n[Errno 111] Connection refused",
            "DPY-6005",
            Nature.NO_CONNECTION,
            "Is the database up?",
        ),
        (
            "DPY-6000: Listener refused connection. (Similar to ORA-12528)",
            "ORA-12528",
            Nature.NO_CONNECTION,
            "starting or stopping",
        ),
        (
            "DPY-6000: Listener refused connection. (Similar to ORA-12564)",
            "ORA-12564",
            Nature.NO_CONNECTION,
            "up?",
        ),
        ("ORA-12541: TNS:no listener", "ORA-12541", Nature.NO_CONNECTION, "lsnrctl status"),
        (
            "ORA-12154: TNS:could not resolve the connect identifier specified",
            "ORA-12154",
            Nature.REFUSED,
            "tnsnames.ora",
        ),
        ('DPY-4000: unable to find "x" in /a/tnsnames.ora', "DPY-4000", Nature.REFUSED, "config_dir"),
        (
            "DPY-3001: Native Network Encryption and Data Integrity is only supported in python-oracledb thick mode",
            "DPY-3001",
            Nature.REFUSED,
            '"thick": true',
        ),
        (
            "DPI-1047: Cannot locate a 64-bit Oracle Client library",
            "DPI-1047",
            Nature.REFUSED,
            "LD_LIBRARY_PATH",
        ),
        ("ORA-24408: could not generate unique server group name", "ORA-24408", Nature.REFUSED, "/etc/hosts"),
        (
            (
                "DPY-4011: the database or network closed the connection\nORA-00028: your session has been killed\n"
                "Help: https://docs.oracle.com/error-help/db/ora-00028/"
            ),
            "ORA-00028",
            Nature.DISCONNECTED,
            "ended the session",
        ),
        (
            "DPY-4011: the database or network closed the connection\nORA-00600: internal error code",
            "ORA-00600",
            Nature.DISCONNECTED,
            "firewall",
        ),
        ("DPY-4024: call timeout of 10 ms exceeded", "DPY-4024", Nature.UNDONE, "in time"),
        (
            "ORA-00060: deadlock detected while waiting for resource",
            "ORA-00060",
            Nature.UNDONE,
            "trying again",
        ),
        ("ORA-1: unique constraint (X.Y) violated", "ORA-00001", Nature.REFUSED, ""),
        ("ORA-20001: mine\nORA-06512: at line 1", "ORA-20001", Nature.UNKNOWN, ""),
        ("out of luck", "", Nature.UNKNOWN, ""),
    ],
)
def test_explain(text: str, code: str, nature: Nature, cure: str) -> None:
    found = explain(text)
    assert (found.code, found.nature) == (code, nature)
    assert cure in found.cure
    assert "\n" not in found.text
    assert "Help:" not in found.text


def test_what_is_refused_is_never_tried_again() -> None:
    for code in (1017, 28000, 28001, 1045, 6550, 942, 1031):
        assert not explain(f"ORA-{code:05}: no").nature.passing


def test_codes_are_found_in_their_long_form() -> None:
    assert codes_in("ORA-942 and PLS-201, DPY-4011; XORA-1 no") == ["ORA-00942", "PLS-00201", "DPY-4011"]


def test_one_line_leaves_out_help() -> None:
    assert one_line(" a\n\nHelp: https://x\n b ") == "a; b"
