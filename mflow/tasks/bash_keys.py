"""The keys of a bash task."""

import os
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from mflow.core.secrets import password_in_command
from mflow.files.task_keys import TaskKeys
from mflow.files.values import Some

_LONGEST_BYTES = 32 * os.sysconf("SC_PAGE_SIZE") - 1
"""Of one argument of a process, its final NUL not counted (execve(2), MAX_ARG_STRLEN)."""


def _not_too_long(value: str) -> str:
    """What the kernel would refuse at the start of the task is refused here."""
    if len(value) * 4 > _LONGEST_BYTES and len(value.encode("utf-8", "surrogatepass")) > _LONGEST_BYTES:
        raise ValueError(f"is longer than a command may be ({_LONGEST_BYTES:,} bytes): put it into a script")
    return value


class BashKeys(TaskKeys):
    """A command line for bash."""

    type: Literal["bash"] = Field(description="A command line for bash.")
    command: Annotated[Some, AfterValidator(_not_too_long)] = Field(description="Run by `bash -c`.")

    def remarks(self) -> Iterable[tuple[str, str]]:
        """A password that everybody on this machine could read."""
        seen = password_in_command(self.command)
        if seen:
            yield (
                "command",
                f"shows a {seen} to everybody on this machine (ps): give it in a file or an environment variable",
            )
