"""The keys of a bash task."""

from collections.abc import Iterable
from typing import Literal

from pydantic import Field

from mflow.core.secrets import password_in_command
from mflow.files.task_keys import TaskKeys
from mflow.files.values import Some


class BashKeys(TaskKeys):
    """A command line for bash."""

    type: Literal["bash"] = Field(description="A command line for bash.")
    command: Some = Field(description="Run by `bash -c`.")

    def remarks(self) -> Iterable[tuple[str, str]]:
        """A password that everybody on this machine could read."""
        seen = password_in_command(self.command)
        if seen:
            yield (
                "command",
                f"shows a {seen} to everybody on this machine (ps): give it in a file or an environment variable",
            )
