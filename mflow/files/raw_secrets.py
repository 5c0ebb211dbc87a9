"""The secrets of files as they lie there, unchecked: for masking what is shown of a run by who does not run it.

What cannot be read, or is no JSON any more, has none. Nothing here raises, and nothing heavy is loaded.
"""

import json
import os
import shlex
from collections import deque
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from mflow.core.embedded_secrets import is_reference, parts
from mflow.core.model import Definition
from mflow.core.secrets import looks_secret, secret_references, secrets_of, with_secrets, word_secrets
from mflow.files.expand import expand_env
from mflow.files.reading import Unreadable, read_bytes

if TYPE_CHECKING:
    from mflow.files.taskfile import Types

_LARGEST_BYTES = 64 * 1024 * 1024
_LARGE_BYTES = 4 * 1024 * 1024
"""Of a task file larger than this only the tasks that are shown are looked at."""

_LARGEST_PASSWORD = 64 * 1024


def secrets_in_files(
    taskfile: str,
    config: str | None,
    datasources: str | None,
    environ: Mapping[str, str],
    shown: Collection[str],
) -> frozenset[str]:
    """Every secret that the files hold, or name in `environ`. `shown`: ids of the tasks that it is wanted for."""
    found = set(secrets_of("", environ.get("MFLOW_DATABASE", "")))
    for path in (config, datasources):
        if path is not None:
            found |= set(_secrets(_read(path), environ))
    found |= set(_secrets(_of_tasks(taskfile, shown), environ))
    if datasources is not None:
        found |= set(_of_connections(_read(datasources), os.path.dirname(datasources), environ))
    return frozenset(found)


def lost_of_config(path: str | None, names: Collection[str] | None, environ: Mapping[str, str]) -> str:
    """Which of the secrets that config.json held under these names it holds no longer, in words; "": none.

    Where the names are not known (None), a file that can be read is believed.
    """
    if path is None or (names is not None and not names):
        return ""
    document = _read(path)
    if not isinstance(document, dict):
        return f"secrets of {path}, which cannot be read"
    held = {key for key, _, whole in _expanded(document, environ) if secrets_of(key, whole)}
    lost = sorted(set(names or ()) - held)
    return (
        f"{listed(lost)} of {path}, which no longer has {'it' if len(lost) == 1 else 'them'}" if lost else ""
    )


def references_of_config(path: str | None) -> frozenset[str]:
    """The variables of the environment that secrets of config.json are made of."""
    pairs = list(_pairs(_read(path))) if path else []
    found = {name for key, text in pairs for name in secret_references(key, text)}
    return frozenset(found - {key for key, _ in pairs})


def lost_of_connections(path: str | None, environ: Mapping[str, str]) -> str:
    """The same of the passwords that oracle.json holds or names."""
    if path is None:
        return ""
    document = _read(path)
    if not isinstance(document, dict):
        return f"passwords of {path}, which cannot be read"
    pairs = list(_pairs(document))
    unset = {text.strip("${}") for _, text in pairs if is_reference(text)}
    lost = sorted(name for name in unset if not environ.get(name))
    if lost:
        return f"{listed(lost)}, which {'is' if len(lost) == 1 else 'are'} not set here"
    for key, text in pairs:
        if key.casefold() == "password_file" and not is_reference(text):
            try:
                read_bytes(os.path.join(os.path.dirname(path), text), _LARGEST_PASSWORD)
            except Unreadable:
                return f"the password in {text}, which cannot be read"
    return ""


def lost_of_tasks(
    kept: Definition, types: "Types", environ: Mapping[str, str]
) -> tuple[Definition, Collection[str]]:
    """The kept tasks with what the task file has of their secrets, and the ids of those that lack some."""
    from mflow.files.config import default_config
    from mflow.files.report import Report
    from mflow.files.taskfile import read_tasks

    ids = {task.id for task in kept.tasks}
    document = _few(_read(kept.taskfile), ids)
    if not isinstance(document, dict):
        return with_secrets(kept, ())
    report = Report(kept.taskfile)  # what is wrong with it is no matter here
    found = read_tasks(document, types, default_config(kept.cwd), environ, report, None)
    return with_secrets(kept, found.tasks)


def listed(names: Collection[str]) -> str:
    """The names as a sentence has them: `PW, PW2 and PW3`; of many the first."""
    *others, last = [*names][:20]
    return f"{', '.join(others)} and {last}" if others else last


def _read(path: str) -> Any:
    try:
        return json.loads(read_bytes(path, _LARGEST_BYTES).decode("utf-8-sig"))
    except (Unreadable, ValueError, RecursionError):
        return None


def _of_tasks(path: str, shown: Collection[str]) -> Any:
    document = _read(path)
    try:
        large = os.path.getsize(path) > _LARGE_BYTES
    except OSError:
        return document
    return _few(document, shown) if large else document


def _few(document: Any, ids: Collection[str]) -> Any:
    """A task file with these of its tasks only."""
    if not isinstance(document, dict):
        return document
    few: dict[str, Any] = {}
    for key, value in document.items():
        few[key] = value
        if key.casefold() == "tasks":
            tasks = value if isinstance(value, list) else []
            few[key] = [one for one in tasks if isinstance(one, dict) and _id_of(one) in ids]
    return few


def _id_of(task: dict[str, Any]) -> Any:
    found = next((value for key, value in task.items() if key.casefold() == "id"), None)
    return found if isinstance(found, str) else None


def _secrets(document: Any, environ: Mapping[str, str]) -> Iterator[str]:
    for key, text, whole in _expanded(document, environ):
        if whole != text:
            yield from secrets_of(key, whole)
        if key.casefold() == "parameter":
            yield from word_secrets(_words(text))
        else:
            yield from secrets_of(key, text)
        for part in [text] if looks_secret(key) else parts(text):
            if is_reference(part):
                yield environ.get(part.strip("${}"), "")


def _expanded(document: Any, environ: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    """Every text with its key, and as a variable of that name would be: variables see those before them."""
    known = dict(environ)
    for key, text in _pairs(document):
        whole = expand_env([(key, text)], known).env[0][1] if "$" in text else text
        known[key] = whole
        yield key, text, whole


def _pairs(document: Any) -> Iterator[tuple[str, str]]:
    """Every text with the key that it stands under; of an entry of `env` or `confs`, the key that it names."""
    ahead = deque([document])
    while ahead:
        value = ahead.popleft()
        if isinstance(value, list):
            ahead += value
            texts = [one for one in value if isinstance(one, str)]
            yield from (("parameter", text) for text in texts)
        elif isinstance(value, dict):
            entry = {key.casefold(): one for key, one in value.items()}
            if isinstance(entry.get("key"), str) and isinstance(entry.get("value"), str | int):
                yield entry["key"], str(entry["value"])
                continue
            yield from ((key, str(one)) for key, one in value.items() if isinstance(one, str | int))
            ahead += [one for one in value.values() if isinstance(one, dict | list)]


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return [text]


def _of_connections(document: Any, folder: str, environ: Mapping[str, str]) -> Iterator[str]:
    """What comes from elsewhere: any value may be `${NAME}` there, and a password a file's content."""
    for key, text in _pairs(document):
        if is_reference(text):
            yield environ.get(text.strip("${}"), "")
        if key.casefold() == "password_file":
            try:
                yield read_bytes(os.path.join(folder, text), _LARGEST_PASSWORD).decode().strip("\r\n")
            except (Unreadable, UnicodeDecodeError):
                continue
