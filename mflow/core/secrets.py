"""What counts as a secret, and how it is kept out of what mflow writes."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from mflow.core.model import Definition, Task

MASK = "***"

_SHORTEST = 4
"""A value shorter than this is not masked in texts: it would be found in every other word."""

_PART = re.compile(r"passw(or)?d|passphrase|secret|token|credential", re.IGNORECASE)
_WORDS = frozenset({"key", "keys", "apikey", "accesskey", "privatekey", "pass", "pw", "pwd"})
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_REFERENCE = re.compile(r"\$(?:\{\w+\}|[A-Za-z_]\w*)")


def looks_secret(key: str) -> bool:
    """Whether the value of this variable or configuration key is one to hide.

    `spark.ssl.keyPassword`, `PGPASSWORD`, `fs.s3a.access.key` are; `spark.yarn.keytab`, `MONKEY` are not.
    """
    if _PART.search(key):
        return True
    return any(word.lower() in _WORDS for word in _WORD.findall(key))


def is_reference(value: str) -> bool:
    """Whether a value is nothing but `$NAME` or `${NAME}`, and so tells nobody anything."""
    return _REFERENCE.fullmatch(value) is not None


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret of four characters or more replaced; the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST:
            text = text.replace(secret, MASK)
    return text


def secret_values(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """The values of those of the pairs whose key looks secret."""
    return {value for key, value in pairs if value and looks_secret(key)}


# --------------------------------------------------------------------------------- passwords in URLs

_URL_PASSWORD = re.compile(r"(?P<before>\w://[^/:@]*:)(?P<password>[^@]*)@(?:[^/?#]*@)?")
"""As SQLAlchemy reads it: a password goes on to the next `@`, whatever else it holds."""

_URL_WITHOUT_HOST = re.compile(r"(?P<before>\w://[^/:@\[\]]+:)(?!\d+(?:[/?#]|$))[^@]+$")
"""No URL at all: what stands in the place of a port is none, so it may be a password whose `@host` was forgotten."""

_URL_QUERY = re.compile(r"(?P<mark>[?&])(?P<key>[^=&]+)=(?P<value>[^&]*)")


def url_without_password(url: str) -> str:
    """The URL as it may be shown: `oracle://scott:***@db/service?wallet_password=***`.

    What is no URL, but has a login in it as SQL*Plus takes it (`scott/tiger@db`), is shown without that.
    """
    if "://" not in url and "@" in url:
        return f"{MASK}@{url.rpartition('@')[2]}"
    shown = _URL_WITHOUT_HOST.sub(rf"\g<before>{MASK}", _URL_PASSWORD.sub(rf"\g<before>{MASK}@", url))
    return _URL_QUERY.sub(lambda one: f"{one['mark']}{one['key']}={MASK}" if _tells(one) else one[0], shown)


def url_for_tasks(url: str) -> str:
    """The URL as tasks inherit it: with nothing in the place of a secret."""
    bare = _URL_PASSWORD.sub(lambda one: one["before"][:-1] + "@", url)
    start, mark, query = bare.partition("?")
    kept = [one for one in query.split("&") if not _tells(_URL_QUERY.fullmatch(f"?{one}"))]
    return f"{start}{mark if any(kept) else ''}{'&'.join(kept)}"


def _tells(parameter: re.Match[str] | None) -> bool:
    return parameter is not None and parameter["value"] != "" and looks_secret(parameter["key"])


# ------------------------------------------------------------------------- secrets in a definition


def masked_definition(definition: Definition) -> Definition:
    """The definition as it may be kept: literal values of secret-looking keys are replaced by `MASK`.

    Values that are only a reference (`${NAME}`) stay. `with_secrets` brings the literal ones back.
    """
    tasks = tuple([_masked_task(task) for task in definition.tasks])
    unchanged = all(new is old for new, old in zip(tasks, definition.tasks, strict=True))
    return definition if unchanged else replace(definition, tasks=tasks)


def hides_secrets(task: Task) -> bool:
    """Whether a kept task has values that were not kept."""
    return any(value == MASK and looks_secret(key) for key, value in _secret_places(task))


def with_secrets(kept: Definition, read: Sequence[Task]) -> tuple[Definition, tuple[str, ...]]:
    """The kept definition with its hidden values taken from the tasks of the same id as `read` again.

    Also the ids of tasks that stay without: they are gone from the file, or no longer have that key.
    """
    by_id = {task.id: task for task in read}
    tasks = [_filled(task, by_id.get(task.id)) if hides_secrets(task) else task for task in kept.tasks]
    return replace(kept, tasks=tuple(tasks)), tuple(task.id for task in tasks if hides_secrets(task))


def definition_secrets(definition: Definition) -> set[str]:
    """The literal secrets that tasks hold, for masking what is written about them."""
    return {
        value
        for task in definition.tasks
        if task.env or len(task.options) > 1
        for key, value in _secret_places(task)
        if looks_secret(key) and value != MASK and not is_reference(value)
    }


def _secret_places(task: Task) -> Iterable[tuple[str, str]]:
    """The (key, value) pairs of a task that may be secrets: environment, Spark confs, Oracle binds."""
    yield from task.env
    for option in _pairs_in(task.options):
        for key, value in _items(task.options[option]):
            if isinstance(value, str):
                yield key, value


def _pairs_in(options: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(name for name in ("confs", "binds") if options.get(name))


def _items(pairs: Any) -> Iterable[tuple[str, Any]]:
    return pairs.items() if isinstance(pairs, Mapping) else ((key, value) for key, value in pairs)


def _masked_task(task: Task) -> Task:
    if not task.env and len(task.options) < 2:
        return task  # the great majority: a command and nothing else
    if not any(_to_hide(key, value) for key, value in _secret_places(task)):
        return task
    return _mapped(task, lambda key, value: MASK if _to_hide(key, value) else value)


def _to_hide(key: str, value: Any) -> bool:
    return isinstance(value, str) and value != "" and looks_secret(key) and not is_reference(value)


def _filled(task: Task, source: Task | None) -> Task:
    if source is None:
        return task
    known = dict(_secret_places(source))
    return _mapped(
        task, lambda key, value: known.get(key, value) if value == MASK and looks_secret(key) else value
    )


def _mapped(task: Task, change: Callable[[str, Any], Any]) -> Task:
    options = dict(task.options)
    for name in _pairs_in(options):
        if isinstance(options[name], Mapping):
            options[name] = {key: change(key, value) for key, value in options[name].items()}
        else:
            options[name] = [[key, change(key, value)] for key, value in options[name]]
    return replace(task, env=tuple((key, change(key, value)) for key, value in task.env), options=options)


# ------------------------------------------------------------------------------ passwords in commands

_TELLTALE = re.compile(r"pass|secret|token|sql|exp|imp|rman|curl|://|-p", re.IGNORECASE)
"""What a command must hold to be looked at more closely: most hold nothing of it."""

_COMMANDS = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        (
            "user/password of an Oracle tool",
            r"\b(?:sqlplus|sqlldr|sqlcl|expdp|impdp|exp|imp|rman)\b[^|;&\n]*?[\s\"'=][\w$#.]+/(?!/)[^\s/@$\"'&;|]+@",
        ),
        ("password of mysql", r"\bmysql\w*\b[^|;&\n]*?\s-p[^\s$\"']"),
        ("user:password of curl", r"\bcurl\b[^|;&\n]*?\s(?:-u|--user)[=\s]?\s*[\"']?[^\s:\"'$]+:[^\s$\"']"),
        ("password in a URL", r"\w://[^\s/:@$\"']+:[^\s/@$\"']+@"),
        ("password as an option", r"(?i)\s--?(?:password|passwd|secret|token)(?:=|\s+)[\"']?[^\s$\"'-]"),
        ("password in a variable", r"\b[A-Z_]*(?:PASSWORD|PASSWD|PWD|SECRET|TOKEN)=[\"']?[^\s$\"';|&/(`]"),
    )
)


def password_in_command(command: str) -> str | None:
    """What kind of password a shell command shows to everybody (`ps`, the database), or None."""
    if not _TELLTALE.search(command):
        return None
    return next((what for what, pattern in _COMMANDS if pattern.search(command)), None)
