"""config.json read again while a run is driven: only the concurrency limit is live."""

import os

from mflow.core.errors import MflowError
from mflow.engine.assignment import Assignment

_Seen = tuple[int, int, int] | None


class ConfigWatch:
    """One stat a look; the file is read only when it has changed. A broken one keeps the last good values."""

    def __init__(self, assignment: Assignment) -> None:
        self._path = assignment.definition.config
        self._read = assignment.reload_config
        self._seen = self._stat()

    def look(self) -> tuple[int | None, str]:
        """The limit if the file has changed (else None), and something to tell the operator, or ''."""
        if self._path is None or self._read is None:
            return None, ""
        seen = self._stat()
        if seen == self._seen:
            return None, ""
        self._seen = seen
        try:
            return self._read().max_process_concurrency, ""
        except MflowError as error:
            return None, f"config.json cannot be used any more, the values read before stay: {error.message}"

    def _stat(self) -> _Seen:
        if self._path is None:
            return None
        try:
            found = os.stat(self._path)
        except OSError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size
