"""What makes a worker independent: of the terminal, of signals to its group, of every descriptor it was born with."""

import fcntl
import os
import signal
import socket
import traceback
from collections.abc import Mapping
from contextlib import suppress

from mflow.engine.provenance import make_folder_like
from mflow.engine.tree import become_subreaper

CRASHED = 70
"""Exit code of a worker with a defect (EX_SOFTWARE of sysexits.h)."""

_IGNORED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


def detach(sock: socket.socket) -> socket.socket:
    """Make this process a worker; the same socket, as its only descriptor beside 0, 1 and 2, which are /dev/null.

    Had it kept more, it would hold the pipe of `mflow run | tee` open beyond its supervisor's end, and
    multiprocessing's fork server and resource tracker, which live as long as anybody has their pipes.
    """
    for signum in _IGNORED:
        signal.signal(signum, signal.SIG_IGN)
    if os.getsid(0) != os.getpid():
        os.setsid()
    become_subreaper()
    os.chdir("/")
    ours = fcntl.fcntl(sock.detach(), fcntl.F_DUPFD_CLOEXEC, 3)
    _close_all_but(ours)
    for descriptor, flags in ((0, os.O_RDONLY), (1, os.O_WRONLY), (2, os.O_WRONLY)):
        _open_null(descriptor, flags)
    return socket.socket(fileno=ours)


def take_environment(environ: Mapping[str, str]) -> None:
    """Have what every task has, for drivers that read variables: the fork server has next to none (see `pool`)."""
    for name, value in environ.items():
        with suppress(ValueError):  # a name that only a task could be told
            os.environ[name] = value


def leave_traceback(error: BaseException, folder: str) -> int:
    """Write down a worker's defect in a folder of its run, since it has no stderr; its exit code."""
    with suppress(OSError):
        path = os.path.join(make_folder_like(folder), f"worker-{os.getpid()}.traceback")
        with open(path, "w", encoding="utf-8") as file:
            traceback.print_exception(error, file=file)
    return CRASHED


def _close_all_but(kept: int) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) != kept:
            with suppress(OSError):  # the listing's own is closed already
                os.close(int(name))


def _open_null(descriptor: int, flags: int) -> None:
    opened = os.open("/dev/null", flags)
    if opened == descriptor:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(opened, descriptor)
        os.close(opened)
