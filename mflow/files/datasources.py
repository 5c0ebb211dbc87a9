"""oracle.json -> Datasource values, with their passwords from where they are kept."""

import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from mflow.core.model import Datasource
from mflow.files.keys import Keys, key_table
from mflow.files.reading import Unreadable, read_bytes
from mflow.files.report import Report, below, harmless, shown
from mflow.files.values import Minutes, Schema, Some, YesNo
from mflow.files.wording import report_invalid

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_MAY_BE_EMPTY = ("password", "wallet_password", "thick")
_EMPTY = "the environment's variable {} is set, but empty"
_LARGEST_PASSWORD = 64 * 1024


def _no_login(value: str) -> str:
    if re.match(r"[^()@=]+/[^()@=]+@", value):
        raise ValueError('must not hold user and password: give them as "user" and "password"')
    return value


def _thick(value: Any) -> Any:
    words = {"yes": True, "true": True, "no": False, "false": False}
    if isinstance(value, str):
        return words.get(value.casefold(), value) if value else False
    if not isinstance(value, bool):
        raise ValueError("must be yes, no or the folder of the Instant Client")
    return value


def _one_or_more(value: Any) -> Any:
    return (value,) if isinstance(value, str) else value


def _identifier(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_$#]{0,127}", value):
        raise ValueError("must be the name of an Oracle schema")
    return value


class ConnectionKeys(Keys):
    """The keys of one connection."""

    name: Some
    connection_string: Annotated[Some, AfterValidator(_no_login)]
    user: Some | None = None
    password: str | None = None
    password_file: Some | None = None
    config_dir: Some | None = None
    wallet_location: Some | None = None
    wallet_password: str | None = None
    thick: Annotated[bool | str, BeforeValidator(_thick), Schema({"type": ["boolean", "string"]})] = False
    expire_time_minutes: Minutes | None = None
    disable_oob: YesNo = False
    session_sql: Annotated[tuple[Some, ...], BeforeValidator(_one_or_more)] = ()
    schema_: Annotated[Some, AfterValidator(_identifier)] | None = Field(None, alias="schema")

    @model_validator(mode="after")
    def _only_one(self) -> "ConnectionKeys":
        if self.password is not None and self.password_file is not None:
            raise ValueError('"password" and "password_file" say the same thing: give one of them')
        return self


class DatasourcesKeys(Keys):
    """The keys of oracle.json."""

    connections: tuple[ConnectionKeys, ...]


@dataclass(frozen=True, slots=True)
class DatasourcesRead:
    """The connections that can be used, the names of all that there are, and every secret met."""

    usable: Mapping[str, Datasource]
    names: tuple[str, ...]
    secrets: frozenset[str]


def read_datasources(
    raw: Mapping[str, Any], path: str, environ: Mapping[str, str], needed: Collection[str], report: Report
) -> DatasourcesRead:
    """Check the content of the oracle.json at `path`; problems go to the report.

    What cannot be had (a variable, a password file) is an error for the connections `needed`, and a warning
    for the others, which are then not usable. Relative paths are relative to the folder of the file.
    """
    clean = key_table(DatasourcesKeys).normalised(raw, "", report)
    entries = clean.get("connections")
    if not isinstance(entries, list):
        if entries is None:
            report.error("", 'the key "connections" is missing')
        else:
            report.error("connections", f"must be a list, not {shown(entries)}")
        entries = []
    reader = _Reader(os.path.dirname(path), environ, needed, report)
    for position, entry in enumerate(entries):
        reader.read(entry, below("connections", position))
    if any(_holds_password(entry) for entry in entries if isinstance(entry, dict)):
        warn_if_others_read(path, "", report)
    return DatasourcesRead(reader.usable, tuple(reader.places), frozenset(reader.secrets))


def _holds_password(entry: Mapping[str, Any]) -> bool:
    values = (entry.get(key) for key in ("password", "wallet_password"))
    return any(isinstance(value, str) and not _VARIABLE.fullmatch(value) for value in values)


class _Reader:
    """Reads one connection after the other."""

    def __init__(
        self, folder: str, environ: Mapping[str, str], needed: Collection[str], report: Report
    ) -> None:
        self._folder, self._environ, self._needed, self._report = folder, environ, needed, report
        self.usable: dict[str, Datasource] = {}
        self.places: dict[str, str] = {}  # of every connection that has a name, by that name
        self.secrets: set[str] = set()

    def read(self, entry: Any, place: str) -> None:
        """Check one entry of the list, and keep what it says if it can be used."""
        if not isinstance(entry, dict):
            self._report.error(place, f"must be an object, not {shown(entry)}")
            return
        name = entry.get("name")
        if isinstance(name, str):  # else the model says so
            self._note_name(name, place)
        lacks = _Lacks(self._report, place, fatal=isinstance(name, str) and name in self._needed)
        resolved = self._from_environment(entry, lacks)
        try:
            keys = ConnectionKeys.model_validate(resolved)
        except ValidationError as error:
            report_invalid(error, resolved, place, self._report)
            return
        password = self._password(keys, lacks)
        if keys.user and not password and not lacks.anything and not _logs_in_without_password(keys):
            self._say_no_password(entry, lacks)
        if not lacks.anything:
            self.secrets |= {secret for secret in (password, keys.wallet_password) if secret}
            self.usable.setdefault(keys.name, _datasource(keys, password, self._folder))

    def _say_no_password(self, entry: Mapping[str, Any], lacks: "_Lacks") -> None:
        given = entry.get("password")
        if given is None:
            lacks.say("", 'the key "password" is missing (or "password_file")')
        elif match := _VARIABLE.fullmatch(given):
            lacks.say("password", _EMPTY.format(match[1]))
        else:
            lacks.say("password", "is empty")

    def _note_name(self, name: str, place: str) -> None:
        if name in self.places:
            taken = f"the name {shown(name)} is already that of {self.places[name]}"
            self._report.error(below(place, "name"), taken)
        self.places.setdefault(name, place)

    def _from_environment(self, entry: Mapping[str, Any], lacks: "_Lacks") -> dict[str, Any]:
        """The entry with every value of exactly the form `${NAME}` replaced by that variable's."""
        resolved = dict(entry)
        for key, value in entry.items():
            match = _VARIABLE.fullmatch(value) if isinstance(value, str) and key != "name" else None
            if not match:
                continue
            found = self._environ.get(match[1])
            if found:
                resolved[key] = found
                self.secrets.add(found)
            elif found is None:
                lacks.say(key, f"the environment has no variable {match[1]}")
            elif key in _MAY_BE_EMPTY:
                resolved[key] = found
            else:
                lacks.say(key, _EMPTY.format(match[1]))
        return resolved

    def _password(self, keys: ConnectionKeys, lacks: "_Lacks") -> str | None:
        if keys.password_file is None:
            return keys.password
        if _VARIABLE.fullmatch(keys.password_file):
            return None  # it cannot be had, as is said already
        path = os.path.join(self._folder, keys.password_file)
        try:
            content = read_bytes(path, _LARGEST_PASSWORD).decode()
        except (Unreadable, UnicodeDecodeError) as error:
            why = str(error) if isinstance(error, Unreadable) else "is not UTF-8"
            lacks.say("password_file", f"{harmless(path)} {why}")
            return None
        warn_if_others_read(path, below(lacks.place, "password_file"), self._report)
        password = content.removesuffix("\n").removesuffix("\r")
        if not password or "\0" in password:
            lacks.say("password_file", f"{harmless(path)} is {'not text' if password else 'empty'}")
        return password


class _Lacks:
    """What cannot be had for one connection: fatal if it is needed."""

    def __init__(self, report: Report, place: str, *, fatal: bool) -> None:
        self.place, self.anything = place, False
        self._say = report.error if fatal else report.warning

    def say(self, key: str, text: str) -> None:
        """Something under this key (or, without one, the connection as a whole) cannot be had."""
        self.anything = True
        self._say(below(self.place, key) if key else self.place, text)


def _logs_in_without_password(keys: ConnectionKeys) -> bool:
    """By a wallet, by the operating system, or through a proxy user (`[user]`)."""
    return bool(keys.wallet_location or keys.thick or (keys.user or "").startswith("["))


def _datasource(keys: ConnectionKeys, password: str | None, folder: str) -> Datasource:
    def absolute(path: str | None) -> str | None:
        return None if path is None else os.path.normpath(os.path.join(folder, path))

    return Datasource(
        name=keys.name,
        connection_string=keys.connection_string,
        user=keys.user,
        password=password,
        config_dir=absolute(keys.config_dir),
        wallet_location=absolute(keys.wallet_location),
        wallet_password=keys.wallet_password,
        thick=(absolute(keys.thick) or False) if isinstance(keys.thick, str) else keys.thick,
        expire_time_minutes=keys.expire_time_minutes,
        schema=keys.schema_,
        disable_oob=keys.disable_oob,
        session_sql=keys.session_sql,
    )


def warn_if_others_read(path: str, place: str, report: Report) -> None:
    """A file with a password in it that everybody on this machine may read draws a warning."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if mode & stat.S_IROTH:
        report.warning(place, f"everybody on this machine can read {harmless(path)}: chmod o-r")
