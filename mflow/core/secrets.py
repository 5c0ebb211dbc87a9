"""What counts as a secret, and how it is kept out of what mflow writes."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from mflow.core import embedded_secrets as embedded
from mflow.core.embedded_secrets import MASK, is_reference
from mflow.core.model import Definition, Task

_SHORTEST = 4
"""A value shorter than this is not masked in texts: it would be found in every other word."""

_SHORTEST_LINE = 8
"""Of a secret of several lines (a key in PEM) each line that is no shorter is a secret too: logs are shown by lines."""

_PART = re.compile(r"passw(or)?d|passphrase|secret|token|credential", re.IGNORECASE)
_WORDS = frozenset({"key", "keys", "apikey", "accesskey", "privatekey"})
_ENDS = ("pass", "pw", "pwd")
_HARMLESS = frozenset(
    "oldpwd bypass compass encompass surpass trespass underpass overpass lowpass highpass bandpass askpass".split()
)
"""Words that end so and mean something else."""

_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


@lru_cache(maxsize=4096)
def looks_secret(key: str) -> bool:
    """Whether the value of this variable or configuration key is one to hide.

    `spark.ssl.keyPassword`, `DBPASS`, `fs.s3a.access.key` are; `spark.yarn.keytab`, `MONKEY`, `PWD` are not.
    """
    if _PART.search(key):
        return True
    return key != "PWD" and any(_is_telling(word.lower()) for word in _WORD.findall(key))


def _is_telling(word: str) -> bool:
    return word in _WORDS or (word.endswith(_ENDS) and word not in _HARMLESS)


def mask(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret of four characters or more replaced; the longest first."""
    for piece in _longest_first(frozenset(secrets)):
        text = text.replace(piece, MASK)
    return text


@lru_cache(maxsize=8)
def _longest_first(secrets: frozenset[str]) -> Sequence[str]:
    return sorted({piece for secret in secrets for piece in _pieces(secret)}, key=len, reverse=True)


def _pieces(secret: str) -> Iterator[str]:
    if len(secret) >= _SHORTEST:
        yield secret
    if "\n" in secret:
        yield from (line for one in secret.splitlines() if len(line := one.strip()) >= _SHORTEST_LINE)


def secrets_of(key: str, value: str) -> set[str]:
    """What is secret of a value: all of it if its key says so, else the passwords that it holds."""
    if looks_secret(key):
        return {value} if value not in ("", MASK) and not is_reference(value) else set()
    return {
        spelling
        for part in embedded.parts(value)
        if part != MASK and not is_reference(part)
        for spelling in embedded.spellings(part)
    }


def word_secrets(words: Sequence[str]) -> set[str]:
    """What is secret of the words of a command line: `--password pw`, `--dsn postgres://u:pw@h/d`."""
    return {secret for key, word in _with_keys(words) for secret in secrets_of(key, word)}


def _with_keys(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each word with the key that it stands under, if the word before it says that it is a secret."""
    for before, word in pairwise(["", *words]):
        yield "password" if embedded.announces(before) and not word.startswith("-") else "", word


def holds_secret(key: str, value: str) -> bool:
    """Whether a value is a secret or holds one; a reference to one counts, too."""
    return looks_secret(key) or bool(embedded.spans(value))


def secret_values(pairs: Iterable[tuple[str, str]]) -> set[str]:
    """What is secret of the values of these pairs."""
    return {secret for key, value in pairs for secret in secrets_of(key, value)}


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
    """The definition as it may be kept: its literal secrets, whole values or parts of them, are replaced by `MASK`.

    Values that are only a reference (`${NAME}`) stay. `with_secrets` brings the literal ones back.
    """
    tasks = tuple([_masked_task(task) for task in definition.tasks])
    unchanged = all(new is old for new, old in zip(tasks, definition.tasks, strict=True))
    return definition if unchanged else replace(definition, tasks=tasks)


def hides_secrets(task: Task) -> bool:
    """Whether a kept task has values, or parts of some, that were not kept."""
    return any(_is_hidden(one) for one in _values(task))


def with_secrets(kept: Definition, read: Sequence[Task]) -> tuple[Definition, tuple[str, ...]]:
    """The kept definition with what it hides taken from the tasks of the same id as `read` again.

    Also the ids of tasks that stay without: they are gone from the file, or no longer have that key.
    """
    by_id = {task.id: task for task in read}
    tasks = [_filled(task, by_id.get(task.id)) if hides_secrets(task) else task for task in kept.tasks]
    return replace(kept, tasks=tuple(tasks)), tuple(task.id for task in tasks if hides_secrets(task))


def definition_secrets(definition: Definition, environ: Mapping[str, str] | None = None) -> set[str]:
    """The secrets that tasks hold, for masking what is written about them.

    The literal ones, those in commands, and those that come by a reference from `environ`.
    """
    return {secret for task in definition.tasks for secret in task_secrets(task, environ or {})}


def task_secrets(task: Task, environ: Mapping[str, str]) -> Iterator[str]:
    """The same of one task."""
    command = task.options.get("command")
    if isinstance(command, str) and any(sign in command for sign in ("://", "@", "Bearer")):
        yield from secrets_of("", command)
    own: dict[str, str] = {}
    for one in _values(task):
        yield from secrets_of(one.key, one.text)
        text = one.text
        if "$" in text:
            text = embedded.resolved(text, lambda name: own.get(name, environ.get(name, "")))
            yield from secrets_of(one.key, text)
        if one.where == "env":
            own[one.key] = text


def secret_references(key: str, value: str) -> Iterator[str]:
    """The names of the variables that the secrets of a value are made of."""
    for part in [value] if looks_secret(key) else embedded.parts(value):
        yield from embedded.references(part)


def task_references(task: Task) -> Iterator[str]:
    """The same of all values of a task; not those that it sets itself."""
    own = {key for key, _ in task.env}
    found = (name for one in _values(task) for name in secret_references(one.key, one.text))
    yield from (name for name in found if name not in own)


class _Value(NamedTuple):
    """A text of a task that may be a secret or hold one: of its environment, Spark's confs, Oracle's binds ..."""

    where: str  # "env", or the option
    key: str  # what it is called there, as far as that tells whether it is a secret
    text: str


def _values(task: Task) -> Iterator[_Value]:
    """All of them in a fixed order. The great majority of tasks are a command and nothing else."""
    for key, text in task.env:
        yield _Value("env", key, text)
    if len(task.options) < 2:
        return
    for option, value in task.options.items():
        match value:
            case _ if option in _TEXTS:
                continue
            case str():
                yield _Value(option, "", value)
            case Mapping():
                yield from (_Value(option, key, text) for key, text in value.items() if isinstance(text, str))
            case list() | tuple() if _are_pairs(value):
                yield from (_Value(option, key, text) for key, text in value if isinstance(text, str))
            case list() | tuple() if _are_words(value):
                yield from (_Value(option, key, word) for key, word in _with_keys(value))


def _are_pairs(value: Sequence[Any]) -> bool:
    """An option may be anything in JSON: who adds a type of tasks decides."""
    return all(isinstance(one, list | tuple) and len(one) == 2 and isinstance(one[0], str) for one in value)


def _are_words(value: Sequence[Any]) -> bool:
    return all(isinstance(one, str) for one in value)


_TEXTS = ("command", "script")
"""Programs are kept as they are: `validate` warns of passwords in them."""


def _masked(one: _Value) -> str:
    if looks_secret(one.key):
        return MASK if one.text and not is_reference(one.text) else one.text
    return embedded.changed(one.text, lambda part: part if is_reference(part) else MASK)


def _is_hidden(one: _Value) -> bool:
    if looks_secret(one.key):
        return one.text == MASK
    return MASK in one.text and MASK in embedded.parts(one.text)


def _masked_task(task: Task) -> Task:
    if not task.env and len(task.options) < 2:
        return task
    old = list(_values(task))
    new = [_masked(one) for one in old]
    return (
        task if all(one.text == text for one, text in zip(old, new, strict=True)) else _with_texts(task, new)
    )


def _filled(task: Task, source: Task | None) -> Task:
    """The task with what it hides as `source` has it: under the same key of the same name, the n-th for the n-th."""
    if source is None:
        return task
    known: dict[tuple[str, str], list[str]] = {}
    for one in _values(source):
        known.setdefault((one.where, one.key), []).append(one.text)
    return _with_texts(task, [_unmasked(one, known.get((one.where, one.key), [])) for one in _values(task)])


def _unmasked(one: _Value, candidates: list[str]) -> str:
    """A kept value whole again. `candidates`: what may be there now; the one that is taken is taken out."""
    if not _is_hidden(one):
        if one.text in candidates:
            candidates.remove(one.text)
        return one.text
    for text in candidates:
        if _masked(one._replace(text=text)) == one.text:
            candidates.remove(text)
            return text
    alike = [text for text in candidates if len(embedded.parts(text)) == len(embedded.parts(one.text))]
    if looks_secret(one.key) or not alike:
        return one.text
    secrets = iter(embedded.parts(alike[0]))  # another host, say, and the same login
    return embedded.changed(one.text, lambda _: next(secrets))


def _with_texts(task: Task, texts: Sequence[str]) -> Task:
    """The task with these in place of what `_values` gives."""
    new = iter(texts)
    env = tuple([(key, next(new)) for key, _ in task.env])
    if len(task.options) < 2:
        return replace(task, env=env)
    options: dict[str, Any] = {}
    for option, value in task.options.items():
        match value:
            case _ if option in _TEXTS:
                options[option] = value
            case str():
                options[option] = next(new)
            case Mapping():
                options[option] = {
                    key: next(new) if isinstance(text, str) else text for key, text in value.items()
                }
            case list() | tuple() if _are_pairs(value):
                options[option] = [[key, next(new) if isinstance(text, str) else text] for key, text in value]
            case list() | tuple() if _are_words(value):
                options[option] = [next(new) for _ in value]
            case _:
                options[option] = value
    return replace(task, env=env, options=options)


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
