"""Being a parent: orphans of a killed worker land here, where they can be named, and must be reaped."""

import os
from contextlib import suppress

from mflow.engine.pool import own_servers
from mflow.engine.tree import child_pids


def reap_orphans() -> None:
    """Take the exit status of dead orphans; multiprocessing's own servers are left to it."""
    for pid in set(child_pids()) - own_servers():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
