"""A disk that is full, and what that means for what a task has printed: the same when it ends and later."""

import os

from mflow.core.model import AttemptEnd

LOG_DISK_WAS_FULL = "the disk of its log was full: what it printed may be lost"
"""A part of the message of an end, put there by who saw it: later the disk may be free again."""

_LEAST_BYTES = 4096


def is_full(disk: os.statvfs_result, *, as_root: bool) -> bool:
    """Whether no block or no inode is free for a user (statvfs(3): some are kept for root)."""
    blocks, files = (disk.f_bfree, disk.f_ffree) if as_root else (disk.f_bavail, disk.f_favail)
    return blocks * disk.f_frsize < _LEAST_BYTES or (disk.f_files > 0 and not files)


def with_lost_output(message: str | None) -> str:
    """The message of an end at which the disk of the log was full."""
    return f"{message}; {LOG_DISK_WAS_FULL}" if message else LOG_DISK_WAS_FULL


def may_have_lost_output(end: AttemptEnd | None) -> bool:
    """Whether the disk of the log was full when the attempt ended."""
    return end is not None and LOG_DISK_WAS_FULL in (end.message or "")
