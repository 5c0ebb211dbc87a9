"""Imported once by multiprocessing's fork server: what its workers need is then in memory that they share.

It also takes the fork server out of the supervisor's session and group, and makes it deaf to HUP and TERM: what a
terminal or a shell sends, a stop too, is for the supervisor to understand; and it survives that there can be no
further process for the moment. The server leaves when its last client is gone, which it learns from the end of a pipe.
"""

import gc
import multiprocessing.forkserver
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

import mflow.engine.worker  # noqa: F401

NO_PROCESS = -1
"""The pid of a worker that could not be forked."""


def _within_fork_server() -> bool:
    """Whether the fork server's main function is what imports us, and not, say, a test."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is multiprocessing.forkserver.main.__code__:
            return True
        frame = frame.f_back
    return False


def _forking_or_not(fork: Callable[[], int]) -> Callable[[], int]:
    """As `fork`, but where there can be no further process it says NO_PROCESS: the server would end of an error."""

    def fork_or_not() -> int:
        try:
            return fork()
        except OSError:
            return NO_PROCESS

    return fork_or_not


if _within_fork_server():
    os.fork = _forking_or_not(os.fork)
    if os.getpgrp() != os.getpid():  # never, as it is started
        os.setsid()
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
