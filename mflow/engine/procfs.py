"""What /proc says of a process (proc(5)), as quickly as can be: no psutil, and one small file a question."""

import errno
import os
import stat
import zlib
from collections.abc import Iterator
from typing import NamedTuple

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_DEAD = (b"Z", b"X")


class Stat(NamedTuple):
    """Of /proc/PID/stat, which every user may read."""

    state: bytes
    parent: int
    session: int
    start_ticks: int  # clock ticks between the boot and its start

    @property
    def lives(self) -> bool:
        """Whether it is no zombie."""
        return self.state not in _DEAD


def unless_spent(error: OSError) -> None:
    """Raise it again if it says that no descriptor was left to look with: then it says nothing of a process."""
    if error.errno in (errno.EMFILE, errno.ENFILE):
        raise error


def read_stat(pid: int) -> Stat | None:
    """None if there is no such process, or this user may not know of it (hidepid). Raises OSError for EMFILE."""
    try:
        descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        try:
            text = os.read(descriptor, 4096)
        finally:
            os.close(descriptor)
    except OSError as error:
        unless_spent(error)
        return None
    words = text.rpartition(b")")[2].split()  # the name before it may hold blanks and parentheses
    return Stat(words[0], int(words[1]), int(words[3]), int(words[19]))


def lives(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    found = read_stat(pid)
    return found is not None and found.lives


def is_hidden(pid: int) -> bool:
    """Whether there is a process of which this user may not even see that (hidepid)."""
    if os.path.exists(f"/proc/{pid}"):
        return False
    try:
        os.close(os.pidfd_open(pid))
    except OSError:
        return False
    return True


def pids() -> list[int]:
    """All that can be seen, those of the highest numbers (the newest, as a rule) first."""
    return sorted((int(name) for name in os.listdir("/proc") if name.isdigit()), reverse=True)


def environment(pid: int) -> bytes | None:
    """What it was started with, entries ended by NUL; empty if it is gone. None if this user may not read it."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read()
    except PermissionError:
        return None
    except OSError as error:
        unless_spent(error)
        return b""


def written_file(pid: int, descriptor: int | str) -> str | None:
    """The path behind a descriptor that is open for writing, ` (deleted)` behind it if it has no name any more.

    None if there is no such descriptor or this user may not see it.
    """
    entry = f"/proc/{pid}/fd/{descriptor}"
    try:
        path = os.readlink(entry)
        return path if os.lstat(entry).st_mode & stat.S_IWUSR else None
    except OSError:
        return None


def written_files(pid: int) -> Iterator[tuple[str, str]]:
    """Its descriptors that are open for writing, and their paths. Raises OSError if they cannot be listed."""
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = written_file(pid, name)
        if path is not None:
            yield name, path


def names_of(path: str) -> tuple[str, str]:
    """How /proc/PID/fd names a file: by its real folder, and so when it was deleted. The file itself may be a link."""
    folder, name = os.path.split(path)
    real = os.path.join(os.path.realpath(folder), name)
    return real, f"{real} (deleted)"


def origin(pid: int | str = "self") -> bytes:
    """What a process inherits and a change of the user or environment keeps; ``<session>.<service>``, without blanks.

    The id of the login session of the audit system, which only a new login changes, and a digest of the systemd
    service whose control group it is in, which only systemd puts processes into. `-` where there is none.
    """
    return b".".join((_login_session(pid), _service(pid)))


def comes_from_elsewhere(theirs: bytes, ours: bytes) -> bool:
    """Whether a process of that origin cannot descend from one of ours."""
    (session, _, service), (our_session, _, our_service) = theirs.partition(b"."), ours.partition(b".")
    other_login = b"-" not in (session, our_session) and session != our_session
    return other_login or service not in (b"-", our_service)


def _login_session(pid: int | str) -> bytes:
    try:
        with open(f"/proc/{pid}/sessionid", "rb") as file:
            return file.read().strip() or b"-"
    except OSError:
        return b"-"


def _service(pid: int | str) -> bytes:
    try:
        with open(f"/proc/{pid}/cgroup", "rb") as file:
            lines = file.read().splitlines()
    except OSError:
        return b"-"
    for line in lines:
        head, is_service, _ = line.rpartition(b":")[2].partition(b".service")
        if is_service:
            return b"%08x" % zlib.crc32(head)
    return b"-"
