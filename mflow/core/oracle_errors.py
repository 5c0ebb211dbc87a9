"""What Oracle's error codes mean to whoever must go on: whether trying again is any use, and what a person can do.

Pure: codes and texts in, words out. Both the state database and tasks of type `oracle` speak of Oracle's errors
in these words. Meanings: https://docs.oracle.com/en/error-help/db/ and python-oracledb's own errors (DPY-, DPI-).
"""

import re
from dataclasses import dataclass
from enum import Enum


class Nature(Enum):
    """What is to be made of an error."""

    NO_CONNECTION = "no connection"  # nothing was sent: the same may succeed later
    DISCONNECTED = "disconnected"  # the session is gone; whether what was under way took effect is not known
    UNDONE = "undone"  # the statement was undone, the session lives: the same may succeed later
    REFUSED = "refused"  # it will not pass by itself; a login that is tried again may lock the account
    UNKNOWN = "unknown"  # no code that is known here

    @property
    def passing(self) -> bool:
        """True if the same may succeed later."""
        return self in (Nature.NO_CONNECTION, Nature.DISCONNECTED, Nature.UNDONE)


@dataclass(frozen=True, slots=True)
class OracleError:
    """An error as a person reads it."""

    code: str  # "ORA-01017"; "" if the text names none
    nature: Nature
    text: str  # one line
    cure: str  # what to do; "" if nothing is known


def explain(text: str) -> OracleError:
    """What an error of the driver or of the database says, given its text of one or more lines."""
    codes = codes_in(text)
    known = [code for code in codes if code in _KNOWN]
    telling = next((code for code in known if code not in _WRAPPERS), known[0] if known else "")
    nature, cure = _KNOWN.get(telling, (Nature.UNKNOWN, ""))
    wrapper = next((code for code in codes if code in _WRAPPERS), None)
    if wrapper and nature in (Nature.UNKNOWN, Nature.UNDONE):
        nature = _KNOWN[wrapper][0]
    shown = telling if telling not in _WRAPPERS else next((c for c in codes if c.startswith("ORA-")), telling)
    return OracleError(shown or (codes[0] if codes else ""), nature, one_line(text), cure)


def codes_in(text: str) -> list[str]:
    """All codes that the text names, in their order, in the long form."""
    return [f"{kind}-{int(number):0{_DIGITS[kind]}}" for kind, number in _CODE.findall(text)]


def one_line(text: str) -> str:
    """Without the lines that point to a help page, and without line ends."""
    lines = (line.strip() for line in text.splitlines())
    return "; ".join(line for line in lines if line and not line.startswith(("Help: ", "https://")))


_CODE = re.compile(r"\b(ORA|DPY|DPI|PLS|TNS)-(\d{1,5})\b")
_DIGITS = {"ORA": 5, "DPY": 4, "DPI": 4, "PLS": 5, "TNS": 5}

_WRAPPERS = frozenset({"DPY-4011", "DPY-6000", "DPY-6005", "DPI-1080", "DPI-1010", "ORA-03113", "ORA-03114"})
"""They say that, and another code beside them says why."""

_LISTENER = (
    "Is the database up? Check host, port and service name (lsnrctl status on its host, tnsping here)."
)
_SERVICE = (
    "The listener does not know this service or SID: check its spelling, or wait until the database is up."
)
_STARTING = "The database is starting or stopping: wait, or ask its administrator."
_NETWORK = (
    "Check network, firewall and VPN; `expire_time_minutes` keeps idle connections alive through a firewall."
)
_SPACE = "Ask the database's administrator for room: quota, tablespace or archive area are full."
_ALIAS = "Check the alias and `config_dir` (or TNS_ADMIN): tnsnames.ora must be in that folder and name it."
_THICK = (
    'Thin mode cannot do this (network encryption, Kerberos, old passwords, ...): set `"thick": true` in oracle.json '
    "and install an Oracle Instant Client."
)
_CLIENT = (
    "Thick mode needs the libraries of an Oracle Instant Client: name its folder as `thick` in oracle.json or in "
    "LD_LIBRARY_PATH; libaio must be installed."
)
_GRANT = "Ask the database's administrator for the privilege."
_WALLET = (
    "Check `wallet_location` and `wallet_password`: ewallet.pem (thin) or cwallet.sso (thick) must be there."
)
_CREDENTIALS = "Check user and password (mflow does not try again: that could lock the account)."


def _all(nature: Nature, cure: str, *codes: str) -> dict[str, tuple[Nature, str]]:
    return dict.fromkeys(codes, (nature, cure))


_N, _D, _U, _R = Nature.NO_CONNECTION, Nature.DISCONNECTED, Nature.UNDONE, Nature.REFUSED

_KNOWN: dict[str, tuple[Nature, str]] = (
    # nothing was sent
    _all(
        _N, _LISTENER, "ORA-12541", "ORA-12543", "ORA-12170", "ORA-12535", "ORA-12560", "DPY-6000", "DPY-6005"
    )
    | _all(_N, _SERVICE, "ORA-12514", "ORA-12505", "ORA-12521", "DPY-6001", "DPY-6003")
    | _all(_N, "The host name cannot be resolved: check it, DNS and /etc/hosts.", "ORA-12545")
    | _all(
        _N,
        _STARTING,
        "ORA-01033",
        "ORA-01034",
        "ORA-12526",
        "ORA-12527",
        "ORA-12528",
        "ORA-27101",
        "ORA-01035",
    )
    | _all(
        _N,
        "The database has no room for another session: fewer runs at once, or ask its administrator.",
        "ORA-00018",
        "ORA-00020",
        "ORA-12516",
        "ORA-12518",
        "ORA-12519",
        "ORA-12520",
        "ORA-02391",
        "DPY-4005",
    )
    # the session is gone
    | _all(
        _D,
        "An administrator, or a limit of the profile, ended the session.",
        "ORA-00028",
        "ORA-00031",
        "ORA-01012",
        "ORA-02396",
        "ORA-02399",
        "ORA-12540",
    )
    | _all(_D, _STARTING, "ORA-01089", "ORA-01090", "ORA-01092", "ORA-01109", "ORA-00603")
    | _all(
        _D,
        _NETWORK,
        "ORA-03113",
        "ORA-03114",
        "ORA-03135",
        "ORA-03136",
        "ORA-12152",
        "ORA-12153",
        "ORA-12537",
        "ORA-12547",
        "ORA-12569",
        "ORA-12570",
        "ORA-12571",
        "ORA-12583",
        "ORA-12592",
        "ORA-12609",
        "ORA-25401",
        "ORA-25402",
        "ORA-25403",
        "ORA-25404",
        "ORA-25405",
        "ORA-25407",
        "ORA-25408",
        "ORA-25409",
        "DPY-1001",
        "DPY-4011",
        "DPI-1010",
        "DPI-1080",
    )
    # the statement was undone
    | _all(
        _U,
        "The database did not answer in time: is it overloaded, or is somebody holding a lock?",
        "DPY-4024",
    )
    | _all(
        _U,
        "Another session holds a lock; trying again helps.",
        "ORA-00054",
        "ORA-00060",
        "ORA-02049",
        "ORA-04021",
        "ORA-08177",
        "ORA-30006",
    )
    | _all(
        _U, "The package was compiled meanwhile; trying again helps.", "ORA-04061", "ORA-04065", "ORA-04068"
    )
    | _all(_U, "The undo it needed is gone: ask for a longer undo retention.", "ORA-01555", "ORA-30036")
    | _all(
        _U,
        _SPACE,
        "ORA-00257",
        "ORA-01536",
        "ORA-01652",
        "ORA-01653",
        "ORA-01654",
        "ORA-01688",
        "ORA-01691",
        "ORA-30032",
    )
    | _all(_U, "The call was cancelled.", "ORA-01013")
    | _all(
        _U, "The database is open for reading only: a standby, or a change of roles under way.", "ORA-16000"
    )
    # will not pass by itself
    | _all(_R, _CREDENTIALS, "ORA-01017", "ORA-01005", "DPY-4001")
    | _all(
        _R,
        "The account is locked: ask the database's administrator (ALTER USER ... ACCOUNT UNLOCK).",
        "ORA-28000",
    )
    | _all(
        _R,
        "The password has expired: change it (sqlplus asks for a new one) and in oracle.json, too.",
        "ORA-28001",
    )
    | _all(_R, "The user lacks CREATE SESSION: ask the database's administrator.", "ORA-01045")
    | _all(_R, _GRANT, "ORA-01031", "ORA-01950")
    | _all(_R, _ALIAS, "ORA-12154", "DPY-4000", "DPY-4026", "DPY-4027")
    | _all(_R, "Check the connection string.", "ORA-12533", "DPY-4017", "DPY-4018", "DPY-2049")
    | _all(_R, _THICK, "DPY-3001", "DPY-3010", "DPY-3015", "ORA-12660", "ORA-12650", "ORA-28040")
    | _all(_R, _CLIENT, "DPI-1047", "DPI-1050", "DPI-1072", "DPY-2021")
    | _all(
        _R,
        "The host's own name is missing in /etc/hosts: add what `hostname` prints to the line of 127.0.0.1.",
        "ORA-24408",
    )
    | _all(_R, _WALLET, "DPY-2018", "ORA-28759", "ORA-28791", "ORA-29024", "DPY-6006", "DPY-6002")
    | _all(
        _R, "Thin and thick mode cannot be mixed in one process: give all connections the same.", "DPY-2019"
    )
    | _all(_R, "", "ORA-00942", "ORA-00904", "ORA-06550", "ORA-00001", "ORA-01400", "ORA-12899", "ORA-02291")
)
