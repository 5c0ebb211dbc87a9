"""The secrets of files as they lie there, unchecked: for masking what is shown of a run by who does not run it.

What cannot be read, or is no JSON any more, has none. Nothing here raises, and nothing heavy is loaded.
"""

import json
import os
import shlex
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from mflow.core.embedded_secrets import is_reference, parts
from mflow.core.secrets import looks_secret, secrets_of, word_secrets
from mflow.files.reading import Unreadable, read_bytes

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
    if not large or not isinstance(document, dict):
        return document
    tasks = document.get("tasks")
    few = (
        [one for one in tasks if isinstance(one, dict) and one.get("id") in shown]
        if isinstance(tasks, list)
        else []
    )
    return {**document, "tasks": few}


def _secrets(document: Any, environ: Mapping[str, str]) -> Iterator[str]:
    for key, text in _pairs(document):
        if key.casefold() == "parameter":
            yield from word_secrets(_words(text))
        else:
            yield from secrets_of(key, text)
        for part in [text] if looks_secret(key) else parts(text):
            if is_reference(part):
                yield environ.get(part.strip("${}"), "")


def _pairs(document: Any) -> Iterator[tuple[str, str]]:
    """Every text with the key that it stands under; of an entry of `env` or `confs`, the key that it names."""
    ahead = [document]
    while ahead:
        value = ahead.pop()
        if isinstance(value, list):
            ahead += value
            texts = [one for one in value if isinstance(one, str)]
            yield from (("parameter", text) for text in texts)
        elif isinstance(value, dict):
            entry = {key.casefold(): one for key, one in value.items()}
            if isinstance(entry.get("key"), str) and isinstance(entry.get("value"), str):
                yield entry["key"], entry["value"]
                continue
            yield from ((key, one) for key, one in value.items() if isinstance(one, str))
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
