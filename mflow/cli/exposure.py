"""Who else may read what a run leaves: the values of `env` are in the database, and what tasks print is in the logs.

Nothing is changed: at many sites several users read the logs, and mean to. It is said, with the cure.
"""

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mflow.cli.database import Database
from mflow.core.model import Config, Definition


def exposure(
    definition: Definition, config: Config, database: Database, folder: str | None = None
) -> Iterator[str]:
    """A line if everybody on this machine can read or change what holds values of `env`; else nothing.

    `folder` is the run's, once it is there.
    """
    if not config.env and not any(task.env for task in definition.tasks):
        return
    places = [*_database(database), *_logs(config.log_directory, folder)]
    open_ = [place for place in places if place.others]
    if open_:
        yield _said(open_)


@dataclass(frozen=True, slots=True)
class _Place:
    """A file or folder, and what others may do with it: bits as in a mode, 0 for nothing."""

    path: str
    others: int
    exists: bool
    beside: tuple[str, ...] = ()  # what must be closed with it


def _database(database: Database) -> Iterator[_Place]:
    path = database.file
    if path is not None:
        beside = tuple(one for one in (f"{path}-wal", f"{path}-shm") if Path(one).exists())
        mode, exists = _mode(path, 0o666)
        yield _Place(path, mode & (stat.S_IROTH | stat.S_IWOTH), exists, beside)


def _logs(log_directory: str, folder: str | None) -> Iterator[_Place]:
    """Who may not enter the run's own folder, or the one that it is in, reads no log."""
    mode, exists = _mode(log_directory, 0o777)
    own = 0o777 if folder is None else _mode(folder, 0o777)[0]
    enters = mode & own & stat.S_IXOTH
    yield _Place(log_directory, mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH) if enters else 0, exists)


def _mode(path: str, new: int) -> tuple[int, bool]:
    """The mode of what is there, or that which mflow will make it with."""
    try:
        return Path(path).stat().st_mode, True
    except OSError:
        return new & ~_umask(), False


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _said(places: Sequence[_Place]) -> str:
    may = "read and change" if any(place.others & stat.S_IWOTH for place in places) else "read"
    what = " and ".join(place.path for place in places)
    there = [path for place in places if place.exists for path in (place.path, *place.beside)]
    cures = [f"chmod o-rwx {shlex.join(there)}"] if there else []
    if not all(place.exists for place in places):
        cures.append(f"umask {_umask() | 0o007:03o} before mflow makes what is not there yet")
    return f'by their modes everybody on this machine can {may} {what}, which hold values of "env": {"; ".join(cures)}'
