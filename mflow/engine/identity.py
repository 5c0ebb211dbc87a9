"""Which process is meant: a pid together with what makes it unmistakable, and signals that cannot hit another."""

import errno
import functools
import os
import re
import select
import signal
import socket
from pathlib import Path

from mflow.core.model import Identity

_MACHINE_ID = re.compile(r"[0-9a-f]{32}")
_START_TICKS = 22 - 3  # its place among the fields behind the command's name, which is the second


def identity_of(pid: int) -> Identity | None:
    """The identity of a living process (or zombie) of this pid namespace; None if there is none."""
    ticks = _start_ticks(pid)
    return None if ticks is None else Identity(*_this_kernel(), pid, ticks, _machine_id())


def own_identity() -> Identity:
    """The identity of this process."""
    identity = identity_of(os.getpid())
    assert identity is not None
    return identity


def open_verified(identity: Identity) -> int | None:
    """A pidfd of exactly this process, or None if it is gone or belongs to another kernel or pid namespace.

    The descriptor is opened before the identity is compared, so that a pid used again in between is noticed. It
    becomes readable when the process ends; the caller closes it. Raises OSError if that cannot be found out.
    """
    pidfd = _open(identity.pid)
    if pidfd is None or identity_of(identity.pid) == identity:
        return pidfd
    os.close(pidfd)
    return None


def is_over(pidfd: int) -> bool:
    """Whether the process of a pidfd has ended (a zombie has)."""
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def is_alive(identity: Identity) -> bool | None:
    """Whether exactly this process of our own kernel runs; None if this user may not see it (a /proc with hidepid).

    Raises OSError if that cannot be found out.
    """
    pidfd = _open(identity.pid)
    if pidfd is None:
        return False
    try:
        found = identity_of(identity.pid)
        if is_over(pidfd):
            return False
        return None if found is None else found == identity
    finally:
        os.close(pidfd)


def is_stopped(identity: Identity) -> bool:
    """Whether exactly this process of our own kernel is stopped (SIGSTOP, Ctrl-Z, a debugger); False if not known."""
    fields = _stat(identity.pid)
    return (
        fields is not None and fields[0] in (b"T", b"t") and int(fields[_START_TICKS]) == identity.start_ticks
    )


def signal_pidfd(pidfd: int, signum: int) -> bool:
    """Send a signal; false if the process has been reaped. Raises PermissionError."""
    try:
        signal.pidfd_send_signal(pidfd, signum)
    except ProcessLookupError:
        return False
    return True


def signal_verified(identity: Identity, signum: int) -> bool:
    """Send a signal to exactly this process; false if it is gone. Raises PermissionError."""
    pidfd = open_verified(identity)
    if pidfd is None:
        return False
    try:
        return signal_pidfd(pidfd, signum)
    finally:
        os.close(pidfd)


def _open(pid: int) -> int | None:
    """A pidfd, None if there is no such process. That none can be had (no descriptor left) must not look like that."""
    try:
        return os.pidfd_open(pid)
    except (ValueError, OverflowError):
        return None
    except OSError as error:
        if error.errno in (
            errno.ESRCH,
            errno.EINVAL,
            errno.ENOENT,
        ):  # the latter two: now a mere thread's number
            return None
        raise


@functools.cache
def _this_kernel() -> tuple[str, str, int]:
    """Host name, boot id and pid namespace: the same for all that this process can look up."""
    boot_id = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return socket.gethostname(), boot_id, os.stat("/proc/self/ns/pid").st_ino


@functools.cache
def _machine_id() -> str | None:
    """Of the installed system (machine-id(5)); None where there is none, as in many containers."""
    try:
        text = Path("/etc/machine-id").read_text("ascii").strip()
    except (OSError, ValueError):
        return None
    return text if _MACHINE_ID.fullmatch(text) else None  # "uninitialized" is on every new disk


def _start_ticks(pid: int) -> int | None:
    fields = _stat(pid)
    return None if fields is None else int(fields[_START_TICKS])


def _stat(pid: int) -> list[bytes] | None:
    """The fields of /proc/PID/stat (proc_pid_stat(5)) from its state on; the name before it may hold anything."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return stat.rpartition(b")")[2].split()
