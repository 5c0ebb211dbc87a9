"""What a run takes from the environment it is started in, kept so that a resume takes the same. Pure.

Two things are kept. What `${NAME}` of the files stood for: the files mean that for the whole life of the run. And of
every variable that tasks inherit a short keyed digest: enough to say that it has changed, too little to say what it
was. Secrets are kept by name alone, and come from the environment of each resume.
"""

import hmac
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from mflow.core.model import Config
from mflow.core.secrets import holds_secret, looks_secret, mask, secrets_of, url_without_password

VOLATILE = frozenset(
    (
        "_ PWD OLDPWD SHLVL LINES COLUMNS TMP TEMP TMPDIR DISPLAY WAYLAND_DISPLAY WINDOWID COLORTERM LS_COLORS MAIL "
        "STY WINDOW INVOCATION_ID JOURNAL_STREAM NOTIFY_SOCKET MAINPID MANAGERPID SYSTEMD_EXEC_PID WATCHDOG_PID "
        "WATCHDOG_USEC KRB5CCNAME SESSIONNAME SESSION_MANAGER DESKTOP_SESSION DESKTOP_STARTUP_ID GPG_AGENT_INFO "
        "GPG_TTY PROMPT_COMMAND PS1 PS2 HISTFILE HISTSIZE HISTCONTROL PYTEST_CURRENT_TEST TERM TERMCAP TMUX TMUX_PANE "
        "MFLOW_RUN_ID MFLOW_TASK_ID MFLOW_ATTEMPT MFLOW_ATTEMPT_TOKENS MFLOW_INHERITED MFLOW_HOME MFLOW_DATABASE"
    ).split()
)
"""Variables that belong to a terminal, a login or a process: they change whenever a command is typed anew."""

VOLATILE_STARTS = (
    "SSH_",
    "SUDO_",
    "TERM_",
    "XDG_",
    "DBUS_",
    "VTE_",
    "GNOME_",
    "KONSOLE_",
    "LC_TERMINAL",
)
"""The same, by how their names begin."""

INHERITED_VARIABLE = "MFLOW_INHERITED"
"""Names to tasks, by digests, the variables that come from the supervisor's own environment (see `core.calls`)."""

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_DIGITS = 8  # 32 bits: changes are seen, and a password that was guessed is one of very many that fit


class Use(NamedTuple):
    """A place of the files where a variable of the environment is taken."""

    name: str
    key: str  # under which it is used: the name of an own variable, a conf, a bind
    task: str | None = None  # of which task; None: config.json, and so every task
    required: bool = False  # without it the task cannot start


@dataclass(frozen=True, slots=True)
class KeptEnvironment:
    """What a run took from its environment."""

    files: Mapping[str, str | None] = field(
        repr=False
    )  # what `${NAME}` stood for; None: there was none, so nothing
    secrets: frozenset[str]  # used by the files, never kept: only that they were set
    seen: Mapping[str, str]  # of each variable that tasks inherited its digest; of a secret "" only
    in_config: frozenset[str] | None = (
        None  # variables of config.json with secrets of its own; None: not kept
    )
    told: frozenset[str] = (
        frozenset()
    )  # the names of those that the task which called mflow had set for the call

    def for_files(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment as the files of the run are to see it: what was kept, and beside that what there is."""
        now = {name: value for name, value in environ.items() if name not in self.files}
        return now | {name: value for name, value in self.files.items() if value is not None}


class Changes(NamedTuple):
    """How an environment differs from that of a run's start; names in order."""

    gone: tuple[str, ...]
    changed: tuple[str, ...]
    appeared: tuple[str, ...]  # used by the files, which found nothing at the start


def is_volatile(name: str) -> bool:
    """Whether a variable says nothing about what is to be run."""
    return name in VOLATILE or name.startswith(VOLATILE_STARTS)


def digest(uid: str, name: str, value: str) -> str:
    """Of a variable and its value, keyed by the run: equal values of two runs cannot be told."""
    text = f"{name}={value}".encode("utf-8", "surrogateescape")
    return hmac.digest(uid.encode(), text, "sha256").hex()[:_DIGITS]


def is_secret(name: str, value: str, secrets: Collection[str] = (), keys: Iterable[str] = ()) -> bool:
    """Whether the value must not be kept: by its name, by a key that it is used for, by what it holds."""
    if holds_secret(name, value) or any(map(looks_secret, keys)):
        return True
    login = ("://" in value or "@" in value) and url_without_password(value) != value
    return login or mask(value, secrets) != value


def inherited(environ: Mapping[str, str], uid: str, secrets: Collection[str] = ()) -> dict[str, str]:
    """Of every variable that tasks inherit its digest; of one that is a secret an empty text."""
    return {
        name: "" if is_secret(name, value, secrets) else digest(uid, name, value)
        for name, value in environ.items()
        if not is_volatile(name)
    }


def inheritance(environ: Mapping[str, str], uid: str) -> str:
    """What INHERITED_VARIABLE says to the tasks of a run, which have the variables themselves: a digest of each."""
    return "".join(digest(uid, name, value) for name, value in environ.items() if not is_volatile(name))


def comes_down(marks: Collection[str], uid: str, name: str, value: str) -> bool:
    """Whether a variable is one of those that `inheritance` named; `marks` are its digests."""
    return digest(uid, name, value) in marks


def marks_of(environ: Mapping[str, str]) -> frozenset[str]:
    """The digests that INHERITED_VARIABLE holds; none outside of tasks."""
    mark = environ.get(INHERITED_VARIABLE, "")
    return frozenset(mark[start : start + _DIGITS] for start in range(0, len(mark), _DIGITS))


def keep(
    uses: Iterable[Use],
    environ: Mapping[str, str],
    uid: str,
    secrets: Collection[str] = (),
    before: KeptEnvironment | None = None,
    in_config: frozenset[str] | None = None,
    told: Collection[str] = (),
) -> KeptEnvironment:
    """What is to be kept of this environment for these uses. What was kept `before` stays; new uses join it."""
    keys: dict[str, set[str]] = {}
    for use in uses:
        keys.setdefault(use.name, set()).add(use.key)
    hidden = {name for name, of in keys.items() if is_secret(name, environ.get(name, ""), secrets, of)}
    files = {name: environ.get(name) for name in keys if name not in hidden}
    known = {name for name in hidden if name in environ}
    if before is None:
        seen = inherited(environ, uid, secrets) | {name: "" for name in known if not is_volatile(name)}
        return KeptEnvironment(files, frozenset(known), seen, in_config, frozenset(told))
    stays = {name: value for name, value in before.files.items() if name not in hidden}
    unknown = before.in_config is None or in_config is None
    both = None if unknown else frozenset().union(before.in_config or (), in_config or ())
    return KeptEnvironment(files | stays, before.secrets | known, before.seen, both, before.told)


def literal_secrets(config: Config, environ: Mapping[str, str]) -> frozenset[str]:
    """The variables of config.json whose values are secrets, or hold some, that stand in the file itself."""
    taken: dict[str, set[str]] = {}
    for key, name in config.env_taken:
        taken.setdefault(key, set()).add(environ.get(name, ""))
    return frozenset(key for key, value in config.env if secrets_of(key, value) - taken.get(key, set()))


def changes(
    kept: KeptEnvironment, environ: Mapping[str, str], uid: str, own: Collection[str] = ()
) -> Changes:
    """What has changed since. `own`: variables that config.json sets, which hide those of the environment."""
    seen = [(name, then) for name, then in sorted(kept.seen.items()) if name not in own]
    gone = [name for name, _ in seen if name not in environ]
    changed = [
        name for name, then in seen if then and name in environ and digest(uid, name, environ[name]) != then
    ]
    appeared = [name for name, value in sorted(kept.files.items()) if value is None and name in environ]
    return Changes(tuple(gone), tuple(changed), tuple(appeared))


def missing(kept: KeptEnvironment, uses: Iterable[Use], environ: Mapping[str, str]) -> list[Use]:
    """The uses that cannot be served: of a secret that was set at the start, or of what a task cannot do without."""
    return [
        use
        for use in uses
        if use.name not in environ
        and (use.name in kept.secrets or (use.required and kept.files.get(use.name) is None))
    ]


def empty_secrets(kept: KeptEnvironment, uses: Iterable[Use], environ: Mapping[str, str]) -> list[Use]:
    """The uses of a secret that was not set at the start nor is now: what takes it is empty."""
    return [
        use
        for use in uses
        if not use.required
        and use.name not in environ
        and use.name not in kept.files
        and use.name not in kept.secrets
    ]


def not_as_told(
    kept: KeptEnvironment,
    told: Iterable[str],
    environ: Mapping[str, str],
    uid: str,
    own: Collection[str] = (),
) -> list[str]:
    """Those of the variables set for the call that made the run which `environ` lacks or has otherwise; in order.

    `told`: names set for this call or for one that led to it. `own`: variables that config.json sets itself.
    """
    return [
        name
        for name in sorted(set(told).intersection(kept.seen).difference(own))
        if name not in environ or kept.seen[name] not in ("", digest(uid, name, environ[name]))
    ]


# --------------------------------------------------------------------------------------- as it is kept


def environment_to_json(kept: KeptEnvironment) -> str:
    """As a text for the database: ASCII only, bytes that are no UTF-8 in escapes."""
    return _ENCODER.encode(
        {"version": 1, "files": kept.files, "secrets": sorted(kept.secrets), "seen": kept.seen}
        | ({} if kept.in_config is None else {"in_config": sorted(kept.in_config)})
        | ({"told": sorted(kept.told)} if kept.told else {})
    )


def environment_from_json(text: str) -> KeptEnvironment:
    """What was kept as `text`; keys of newer versions are passed over. Raises ValueError if it is damaged."""
    try:
        kept = json.loads(text)
        in_config = kept.get("in_config")
        return KeptEnvironment(
            dict(kept["files"]),
            frozenset(kept["secrets"]),
            dict(kept["seen"]),
            None if in_config is None else frozenset(in_config),
            frozenset(kept.get("told", ())),
        )
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not a kept environment: {error!r}") from error
