"""A task that fights its death: run as a program, it tells the pid of each of its processes on the given FIFO.

It traps what can be trapped, double-forks, calls setsid, empties its environment, changes its name, answers each
child's death with a new child, and, as a comet, forks and exits in a circle, so that it is never the same process.
"""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

PR_SET_NAME = 15


def main(fifo: str, *kinds: str) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGQUIT):
        signal.signal(signum, signal.SIG_IGN)
    tell = os.open(fifo, os.O_WRONLY)
    fighters = {"daemon": daemon, "renamed": renamed, "phoenix": phoenix, "comet": comet, "session": session}
    for kind in kinds:
        in_child(fighters[kind], tell)
    say(tell)
    rest()


def say(tell: int) -> None:
    os.write(tell, f"{os.getpid()}\n".encode())


def rest() -> None:
    while True:
        time.sleep(1000)


def in_child(action: Callable[[int], None], tell: int) -> int:
    pid = os.fork()
    if pid == 0:
        action(tell)
        os._exit(0)
    return pid


def daemon(tell: int) -> None:
    """Double fork, a session of its own between."""
    os.setsid()
    if os.fork():
        os._exit(0)
    say(tell)
    rest()


def session(tell: int) -> None:
    os.setsid()
    say(tell)
    rest()


def renamed(tell: int) -> None:
    """Another name, another program, no environment that could give it away."""
    ctypes.CDLL(None).prctl(PR_SET_NAME, b"kworker/0:1")
    say(tell)
    os.execve("/bin/sleep", ["[kworker/0:1]", "1000"], {})


def phoenix(tell: int) -> None:
    """Replaces each child that dies."""
    say(tell)
    while True:
        pid = in_child(lambda _: rest(), tell)
        os.waitpid(pid, 0)


def comet(tell: int) -> None:
    """Never the same process for longer than a fork takes, each in a session of its own."""
    say(tell)
    while True:
        if os.fork():
            os._exit(0)
        os.setsid()


if __name__ == "__main__":
    main(*sys.argv[1:])
