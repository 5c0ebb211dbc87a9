"""What an attempt is to do, read from its job before any connection is made."""

import os
import re
import stat
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mflow.core.contracts import Job
from mflow.core.embedded_secrets import is_reference
from mflow.core.model import Datasource
from mflow.core.secrets import looks_secret, secret_values
from mflow.tasks.oracle.script import Step, split
from mflow.tasks.oracle.statement import Statement, read_command

_LOGIN = re.compile(r"^\s*[^/\s@]+/([^@]+)@")
"""`user/password@dsn`, which the driver accepts as a connection string."""

LARGEST_SCRIPT_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps and how they are run. `binds`: names in upper case, values as the driver gets them."""

    source: Datasource
    steps: tuple[Step, ...]
    binds: Mapping[str, Any]
    secrets: frozenset[str]  # never written
    fetch: int | None = None  # rows of a query that go to the log; None: none, all are read
    idempotent: bool = False
    transaction_guard: bool = False
    kill_session: bool = True
    settings: tuple[str, ...] = ()  # sent first, once logged in

    @property
    def statements(self) -> tuple[Statement, ...]:
        """What is sent to the database."""
        return tuple(step for step in self.steps if isinstance(step, Statement))


def read_plan(job: Job, environ: Mapping[str, str]) -> Plan:
    """Raises ValueError or OSError, in words for a person, if it cannot be run; nothing was sent then."""
    options = job.options
    source = _source(job.private.get("datasource"), options.get("db"))
    if source.config_dir is None:
        source = replace(source, config_dir=environ.get("TNS_ADMIN"))
    binds = read_binds(options, environ)
    return Plan(
        source=source,
        steps=read_steps(options, job.cwd),
        binds=binds,
        secrets=_secrets(source, binds, _secret_names(options)),
        fetch=options.get("fetch"),
        idempotent=bool(options.get("idempotent")),
        transaction_guard=bool(options.get("transaction_guard")),
        kill_session=options.get("kill_session") is not False,
        settings=_settings(source),
    )


def _source(given: Any, name: Any) -> Datasource:
    if isinstance(given, Mapping):
        given = Datasource(**given)
    if not isinstance(given, Datasource):
        raise ValueError(f"there is no connection {name!r}: name one of oracle.json in `db`")
    return given


def _settings(source: Datasource) -> tuple[str, ...]:
    try:
        return tuple(read_command(text).text for text in source.session_sql)
    except ValueError as error:
        raise ValueError(f"session_sql of the connection {source.name!r}: {error}") from None


def read_binds(options: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The values by their names in upper case. Raises ValueError for a variable that is not set."""
    return {name.upper(): _value(name, value, environ) for name, value in _pairs(options.get("binds"))}


def _pairs(binds: Any) -> list[tuple[str, Any]]:
    return (
        list(binds.items()) if isinstance(binds, Mapping) else [(name, value) for name, value in binds or ()]
    )


def _value(name: str, value: Any, environ: Mapping[str, str]) -> Any:
    """A value of exactly the form `${NAME}` comes from the environment, as in oracle.json."""
    if not (isinstance(value, str) and value.startswith("${") and value.endswith("}")):
        return value
    try:
        return environ[value[2:-1]]
    except KeyError:
        raise ValueError(f"binds.{name}: the environment variable {value[2:-1]} is not set") from None


def _secret_names(options: Mapping[str, Any]) -> frozenset[str]:
    """The binds that are named like a password, or whose variable is."""
    pairs = _pairs(options.get("binds"))
    return frozenset(
        name.upper()
        for name, value in pairs
        if looks_secret(name)
        or (isinstance(value, str) and is_reference(value) and looks_secret(value[2:-1]))
    )


def _secrets(source: Datasource, binds: Mapping[str, Any], hidden: Collection[str]) -> frozenset[str]:
    """Passwords, and these binds. A password that is the user's name hides nothing, and its masking would
    deface every schema's name in the log."""
    found = {source.password, source.wallet_password}
    found |= set(_LOGIN.findall(source.connection_string))
    texts = [(name, value) for name, value in binds.items() if isinstance(value, str)]
    found |= {value for name, value in texts if name in hidden} | secret_values(texts)
    return frozenset(value for value in found if value and value.lower() != (source.user or "").lower())


# ---------------------------------------------------------------------------------------- what is to be run


def read_steps(options: Mapping[str, Any], cwd: str) -> tuple[Step, ...]:
    """What `command` or `script` says. Raises OSError, or ValueError with a line for each thing that is wrong."""
    if (script := options.get("script")) is None:
        return (read_command(options.get("command") or ""),)
    found = split(_read(Path(cwd, script), options.get("encoding") or "utf-8-sig"))
    if found.problems:
        raise ValueError("\n".join(f"{script}: {problem}" for problem in found.problems))
    if not any(isinstance(step, Statement) for step in found.steps):
        raise ValueError(f"{script}: it holds no statement")
    return found.steps


def _read(path: Path, encoding: str) -> str:
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError(f"{path}: is not a file")
        data = file.read(LARGEST_SCRIPT_BYTES + 1)
    if len(data) > LARGEST_SCRIPT_BYTES:
        raise ValueError(f"{path}: is larger than {LARGEST_SCRIPT_BYTES // 1024**2} MiB")
    try:
        text: str = data.decode(encoding)
    except LookupError:
        raise ValueError(f"`encoding`: there is none called {encoding!r}") from None
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValueError(
            f'{path}: line {line} is not text in {error.encoding}: save it so, or say "encoding": "latin-1"'
        ) from None
    return text


def _open_at_once(path: str, flags: int) -> int:
    """A pipe without a writer must not be waited for."""
    return os.open(path, flags | os.O_NONBLOCK)
