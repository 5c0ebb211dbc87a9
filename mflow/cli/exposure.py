"""Who else may read what a run leaves: the values of `env` are in the database, and what tasks print is in the logs.

Nothing is changed: at many sites several users read the logs, and mean to. It is said, with the cure. Who may read
as a member of a group is not said, for groups are there to share; who may write as one is, for he may change the
outcome of a run. A folder above that is closed to somebody closes all below it.
"""

import os
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mflow.cli.database import Database
from mflow.core.model import Config, Definition


def exposure(
    definition: Definition, config: Config, database: Database, folder: str | None = None
) -> Iterator[str]:
    """A line if everybody can read, one if a group can change what holds values of `env`; else nothing.

    `folder` is the run's, once it is there.
    """
    if not config.env and not any(task.env for task in definition.tasks):
        return
    places = [*_database(database), *_logs(config.log_directory, folder)]
    open_ = [place for place in places if place.others]
    if open_:
        yield _said(open_)
    for group in sorted({place.group for place in places if place.group and not place.others & stat.S_IWOTH}):
        yield _said_of_group(group, [place for place in places if place.group == group])


@dataclass(frozen=True, slots=True)
class _Place:
    """A file or folder, and what others may do with it: bits as in a mode, 0 for nothing."""

    path: str
    others: int
    group: str  # whose members may write; "" if there are none but the owner
    exists: bool
    beside: tuple[str, ...] = ()  # what must be closed with it


def _database(database: Database) -> Iterator[_Place]:
    path = database.file
    if path is not None:
        beside = tuple(one for one in (f"{path}-wal", f"{path}-shm") if Path(one).exists())
        found = _found(path, 0o666)
        others = found.mode & (stat.S_IROTH | stat.S_IWOTH) if _all_enter(path) else 0
        yield _Place(path, others, _writers(path, found), found.exists, beside)


def _logs(log_directory: str, folder: str | None) -> Iterator[_Place]:
    """Who may not enter the run's own folder, or one that it is in, reads no log."""
    found = _found(log_directory, 0o777)
    own = 0o777 if folder is None else _found(folder, 0o777).mode
    enters = found.mode & own & stat.S_IXOTH and _all_enter(log_directory)
    others = found.mode & (stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH) if enters else 0
    yield _Place(log_directory, others, _writers(log_directory, found), found.exists)


class _Found(NamedTuple):
    """The mode and the group of what is there, or those which mflow will make it with."""

    mode: int
    gid: int
    exists: bool


def _found(path: str, new: int) -> _Found:
    try:
        status = Path(path).stat()
    except OSError:
        return _Found(new & ~_umask(), os.getegid(), exists=False)
    return _Found(status.st_mode, status.st_gid, exists=True)


def _all_enter(path: str) -> bool:
    """Whether the folders above are open to everybody."""
    return all(one.mode & stat.S_IXOTH for one in _above(path))


def _above(path: str) -> Iterator[_Found]:
    return (_found(str(one), 0o777) for one in Path(os.path.realpath(path)).parents)


def _writers(path: str, found: _Found) -> str:
    """The group whose members may write there and can get there; "" if it is the user's own, or there is none."""
    if not found.mode & stat.S_IWGRP:
        return ""
    enter = (stat.S_IXGRP if one.gid == found.gid else stat.S_IXOTH for one in _above(path))
    if not all(one.mode & bit for one, bit in zip(_above(path), enter, strict=True)):
        return ""
    import grp
    import pwd

    try:
        group, user = grp.getgrgid(found.gid), pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return ""
    return "" if group.gr_name == user and set(group.gr_mem) <= {user} else group.gr_name


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _said(places: Sequence[_Place]) -> str:
    may = "read and change" if any(place.others & stat.S_IWOTH for place in places) else "read"
    what, cure = _listed(places), _cure(places, "o-rwx", 0o007)
    return f'by their modes everybody on this machine can {may} {what}, which hold values of "env": {cure}'


def _said_of_group(group: str, places: Sequence[_Place]) -> str:
    what, cure = _listed(places), _cure(places, "g-w", 0o020)
    return f'by their modes the group {group} can change {what}, which hold values of "env": {cure}'


def _listed(places: Sequence[_Place]) -> str:
    return " and ".join(place.path for place in places)


def _cure(places: Sequence[_Place], change: str, mask: int) -> str:
    there = [path for place in places if place.exists for path in (place.path, *place.beside)]
    cures = [f"chmod {change} {shlex.join(there)}"] if there else []
    if not all(place.exists for place in places):
        cures.append(f"umask {_umask() | mask:03o} before mflow makes what is not there yet")
    return "; ".join(cures)
