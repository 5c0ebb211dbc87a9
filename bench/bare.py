"""What a worker's system calls cost by themselves: the same ones in a bare loop, which decides and keeps nothing."""

import os
import resource
import select
import signal
import socket
from contextlib import suppress
from pathlib import Path

TASKS = 3000
AT_ONCE = 2

_TO_DEFAULT = (signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_MESSAGE = bytes(100)


def bare_cpu(folder: Path) -> float:
    """CPU seconds a task of such loops, the tasks' own not included; as many at once as there are workers."""
    results, result = os.pipe()
    for number in range(AT_ONCE):
        if not os.fork():
            place = folder / str(number)
            place.mkdir(parents=True)
            os.write(result, f"{_loop(str(place))}\n".encode())
            os._exit(0)
    os.close(result)
    for _ in range(AT_ONCE):
        os.wait()
    with open(results) as file:
        return sum(map(float, file)) / AT_ONCE


def _loop(place: str) -> float:
    epoll, environ, ends = select.epoll(), dict(os.environb), socket.socketpair()
    before = resource.getrusage(resource.RUSAGE_SELF)
    for number in range(TASKS):
        _run(f"{place}/{number}.log", place, environ, epoll, ends)
    after = resource.getrusage(resource.RUSAGE_SELF)
    return (after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime) / TASKS


def _run(
    log: str,
    cwd: str,
    environ: dict[bytes, bytes],
    epoll: select.epoll,
    ends: tuple[socket.socket, socket.socket],
) -> None:
    """One task: its log, its process, its end, a message there and a message back."""
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
    os.chdir(cwd)
    pid = os.posix_spawn(
        "/bin/bash",
        ("bash", "-c", "true"),
        environ,
        file_actions=((os.POSIX_SPAWN_DUP2, file, 1), (os.POSIX_SPAWN_DUP2, file, 2)),
        setsid=True,
        setsigmask=(),
        setsigdef=_TO_DEFAULT,
    )
    os.chdir("/")
    process = os.pidfd_open(pid)
    epoll.register(process, select.EPOLLIN)
    epoll.poll()
    epoll.unregister(process)
    os.wait4(pid, 0)
    with suppress(ChildProcessError):  # is anything left?
        os.wait4(-1, os.WNOHANG)
    os.close(process)
    os.close(file)
    ends[0].send(_MESSAGE)
    ends[1].recv(len(_MESSAGE))
