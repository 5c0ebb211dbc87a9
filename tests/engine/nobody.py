"""What a user with few permissions would see."""

import os
import pwd
from collections.abc import Callable


def as_nobody(ask: Callable[[], str]) -> str:
    """The answer of a user with few permissions: of this one, unless it is root."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            if os.geteuid() == 0:
                os.setuid(pwd.getpwnam("nobody").pw_uid)
            os.write(write, ask().encode())
        finally:
            os._exit(0)
    os.close(write)
    os.waitpid(child, 0)
    answer = os.read(read, 100).decode()
    os.close(read)
    return answer
