"""Imported once by multiprocessing's fork server: what its workers need is then in memory that they share.

It also makes the fork server deaf to HUP and TERM: these are for the supervisor to understand. The server leaves
when its last client is gone, which it learns from the end of a pipe.
"""

import gc
import multiprocessing.forkserver
import signal
import sys
from types import FrameType

import mflow.engine.worker  # noqa: F401


def _within_fork_server() -> bool:
    """Whether the fork server's main function is what imports us, and not, say, a test."""
    frame: FrameType | None = sys._getframe()
    while frame is not None:
        if frame.f_code is multiprocessing.forkserver.main.__code__:
            return True
        frame = frame.f_back
    return False


if _within_fork_server():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
