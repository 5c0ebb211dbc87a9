"""Where on the disk a run's folder comes to lie: away from what was made and removed there of late.

ext4 puts new files beside their folder, a folder beside its parent, and (without a journal) looks for a free inode
past every one that was removed in the last minutes: where the logs of a run of some thousand tasks were just tidied
away, making a log costs more than running a task. Only below a directory that is marked as the top of a hierarchy
(`chattr +T`, chattr(1)) folders are spread over the disk, by their names. So the folder is made below such a
directory, under a name drawn by lot, and moved to its place.
"""

import fcntl
import os
import struct
import tempfile
import uuid
from contextlib import suppress
from pathlib import Path

_LONG = struct.Struct("l")
_GET_FLAGS = 0x80006601 | _LONG.size << 16  # FS_IOC_GETFLAGS, FS_IOC_SETFLAGS: ioctl_iflags(2)
_SET_FLAGS = 0x40006602 | _LONG.size << 16
_TOP_OF_HIERARCHY = 0x20000  # FS_TOPDIR_FL


def place_apart(folder: str) -> None:
    """Put a folder in place of this one, which is ours, new and empty. Where that cannot be had, nothing happens."""
    with (
        suppress(OSError),
        tempfile.TemporaryDirectory(
            prefix=".new-", dir=Path(folder).parent, ignore_cleanup_errors=True
        ) as top,
    ):
        _mark_as_top(top)
        apart = Path(top, uuid.uuid4().hex)
        apart.mkdir(mode=Path(folder).stat().st_mode & 0o777)
        apart.rename(folder)  # fails if something is in it by now


def _mark_as_top(path: str) -> None:
    """Raises OSError where the file system knows no such mark."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        flags = bytearray(_LONG.size)
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
        (now,) = _LONG.unpack(flags)
        fcntl.ioctl(descriptor, _SET_FLAGS, _LONG.pack(now | _TOP_OF_HIERARCHY))
    finally:
        os.close(descriptor)
