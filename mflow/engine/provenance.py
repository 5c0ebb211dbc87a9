"""Who can have written what lies on the disk: what another user could have put there counts for nothing.

A file counts if its owner is one of `Writers`, nobody else may write to it, and it has one name. Its folder only has
to be theirs, too: who may write to that can take a file away, or put one there that is his own. All is looked at
through descriptors, and opened without following a link and without waiting for a FIFO.
"""

import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

ROOT = 0
OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH

Writers = frozenset[int]
"""User ids whose files count."""


class Foreign(Exception):
    """What is there is another user's. The text says what it is, where, and whose."""


class Doubtful(Foreign):
    """What is there may be the run's own, and others could have changed or replaced it: it proves nothing at all."""


def writers(folder: str, worker: int | None = None) -> Writers:
    """Who may have written a run's files: root, this user, and whoever the run's workers ran as.

    `worker`: pid of a worker that lives: it runs as who it runs as. Else the folder's owner, if only root, this user
    or he himself can have put it there.
    """
    ours = frozenset({ROOT, os.geteuid()})
    if worker is not None:
        with suppress(OSError):
            return frozenset({ROOT, os.stat(f"/proc/{worker}").st_uid})
    owner = _owner_of_place(os.path.realpath(folder), ours)
    return ours if owner is None else ours | {owner}


def _owner_of_place(path: str, ours: Writers) -> int | None:
    """Who owns a folder (or what is left above it), unless somebody else could have put it in its place."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    try:
        owner = os.lstat(path).st_uid
        while owner not in ours:  # up to the folder that only we can write to, in which he was given his
            path = os.path.dirname(path)
            above = os.lstat(path)
            if above.st_mode & OTHERS_MAY_WRITE or above.st_uid not in ours | {owner}:
                return None
            if above.st_uid in ours:
                break
    except OSError:
        return None
    return owner


@contextmanager
def folder_of(path: str, allowed: Writers) -> Iterator[int]:
    """A descriptor of the folder that a file is in. Raises Doubtful if it is another user's, and OSError."""
    folder = os.path.dirname(path) or "."
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        owner = os.fstat(descriptor).st_uid
        if owner not in allowed:
            raise Doubtful(f"the folder {folder} belongs to {user(owner)}: what is in it counts for nothing")
        yield descriptor
    finally:
        os.close(descriptor)


def read_own(path: str, allowed: Writers, most: int) -> bytes:
    """The content of a file that can only be of one of these users, up to `most` bytes.

    Raises Foreign or Doubtful (what others can have put there), ValueError (too large) and OSError.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    with folder_of(path, allowed) as folder:
        _require_own(path, os.lstat(os.path.basename(path), dir_fd=folder), allowed)
        descriptor = os.open(os.path.basename(path), flags, dir_fd=folder)
    with open(descriptor, "rb") as file:
        _require_own(path, os.fstat(descriptor), allowed)
        content = file.read(most + 1)
    if len(content) > most:
        raise ValueError("too large")
    return content


def require_own(path: str, descriptor: int) -> None:
    """Raise Foreign unless what was opened is a regular file of this user that nobody else may write to."""
    _require_own(path, os.fstat(descriptor), frozenset({os.geteuid()}))


def _require_own(path: str, found: os.stat_result, allowed: Writers) -> None:
    if found.st_uid not in allowed:
        raise Foreign(f"{path} belongs to {user(found.st_uid)}: it counts for nothing")
    if not stat.S_ISREG(found.st_mode):
        raise Foreign(f"{path} is not a regular file: it counts for nothing")
    if found.st_mode & OTHERS_MAY_WRITE:
        raise Doubtful(f"{path} may be written to by others than {user(found.st_uid)}: it counts for nothing")
    if found.st_nlink != 1:
        raise Doubtful(f"{path} is a hard link ({found.st_nlink} names): it counts for nothing")


def is_theirs(path: str, allowed: Writers) -> bool:
    """Whether a name (a link is not followed) belongs to one of these users; False if there is none."""
    try:
        return os.lstat(path).st_uid in allowed
    except OSError:
        return False


def only_theirs_to_write(folder: str) -> bool:
    """Whether nobody but the folder's owner (and root) may add to it and take away from it."""
    try:
        return not os.stat(folder).st_mode & OTHERS_MAY_WRITE
    except OSError:
        return False


def is_withheld(path: str, allowed: Writers) -> bool:
    """Whether there may be a file of these users that this one may not read."""
    try:
        with folder_of(path, allowed) as folder:
            name = os.path.basename(path)
            theirs = os.lstat(name, dir_fd=folder).st_uid in allowed
            return theirs and not os.access(name, os.R_OK, dir_fd=folder, effective_ids=True)
    except PermissionError:
        return True
    except (OSError, Foreign):
        return False


# ------------------------------------------------------------------- a folder of ours where everybody may write


def make_folder(folder: str) -> None:
    """Make the folder, for this user alone. Raises OSError, also if it is somebody else's (it may be in /tmp)."""
    os.makedirs(folder, mode=0o700, exist_ok=True)
    if not _is_private(os.lstat(folder), frozenset({os.geteuid()})):
        raise PermissionError(f"{folder} is not this user's own folder")


def make_folder_like(base: str) -> str:
    """Make the folder `base` for this user alone, or, if its name is taken by somebody, one beside it; its path.

    Who looks for it finds it by `folders_like`. Raises OSError.
    """
    try:
        make_folder(base)
    except (PermissionError, FileExistsError, NotADirectoryError):
        parent = os.path.dirname(base)
        if not os.path.lexists(base):
            raise
        own, _ = folders_like(base, frozenset({os.geteuid()}))
        return own[0] if own else tempfile.mkdtemp(prefix=f"{os.path.basename(base)}-", dir=parent)
    return base


def folders_like(base: str, allowed: Writers) -> tuple[list[str], list[str]]:
    """The folders that `make_folder_like` has made for one of these users, and in words what others put there."""
    parent, name = os.path.split(base)
    try:
        with os.scandir(parent or ".") as entries:
            names = sorted(
                each.name for each in entries if each.name == name or each.name.startswith(f"{name}-")
            )
    except OSError:
        names = [name]
    own, foreign = [], []
    for each in names:
        path = os.path.join(parent, each)
        try:
            found = os.lstat(path)
        except OSError:
            continue
        if _is_private(found, allowed):
            own.append(path)
        else:
            foreign.append(
                f"{path} belongs to {user(found.st_uid)}, or others may write to it: it counts for nothing"
            )
    return own, foreign[:_MOST_NAMED]


_MOST_NAMED = 3
"""Anybody can make thousands of them."""


def _is_private(found: os.stat_result, allowed: Writers) -> bool:
    return stat.S_ISDIR(found.st_mode) and found.st_uid in allowed and not found.st_mode & OTHERS_MAY_WRITE


def user(uid: int) -> str:
    """`user ana (uid 1001)`, for a person."""
    try:
        return f"user {pwd.getpwuid(uid).pw_name} (uid {uid})"
    except KeyError:
        return f"uid {uid}"
