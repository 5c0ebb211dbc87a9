"""What a machine may have too little of for a moment. Nothing is wrong with a task that could not start for that."""

import errno

_LACKS = {
    errno.EAGAIN: "no further process or thread may be started (ulimit -u, or a container's limit of pids)",
    errno.ENOMEM: "there is not enough memory",
    errno.ENOSPC: "no space or no inode is left on a disk",
    errno.EDQUOT: "a disk quota is used up",
    errno.EMFILE: "no further file may be opened in one process (ulimit -n)",
    errno.ENFILE: "no further file can be opened on this machine",
}


def is_lack(error: OSError) -> bool:
    """Whether waiting may help."""
    return error.errno in _LACKS


def lack_in(error: BaseException) -> str:
    """What was lacking, in words for a person; empty if the error says something else."""
    if isinstance(error, OSError):
        return _LACKS.get(error.errno or 0, "")
    if isinstance(error, MemoryError):
        return _LACKS[errno.ENOMEM]
    if isinstance(error, RuntimeError) and "start new thread" in str(
        error
    ):  # `threading` has no other word for it
        return _LACKS[errno.EAGAIN]
    return ""
