"""The ends of attempts that are not known to be committed: kept in memory, after a while in files too.

The attempt's log stays open until its end is acknowledged or in its file: whoever sees that a living worker has it open
no more, will find the file.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

from mflow.core.model import AttemptEnd, Identity
from mflow.engine.messages import AttemptKey, WorkerSettings
from mflow.engine.outcome_file import KeptOutcome, remove_folder_if_empty, remove_outcome, write_outcome

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 30.0


@dataclass(slots=True)
class _Kept:
    key: AttemptKey
    end: AttemptEnd
    facts: Mapping[str, Any]
    log: str
    log_is_ours: bool
    log_fd: int | None
    write_at: float  # monotonic
    pause_seconds: float = _FIRST_PAUSE_SECONDS  # before a write that failed is tried again
    path: str | None = None  # of its file, once written

    def close_log(self) -> None:
        """Its end is where it can be found."""
        if self.log_fd is not None:
            os.close(self.log_fd)
            self.log_fd = None


class Keeper:
    """Keeps each end until it is acknowledged, and writes it to its file when its time has come."""

    def __init__(self, settings: WorkerSettings, worker: Identity) -> None:
        self.next_at = inf
        """When `write_due` wants to be called (monotonic); infinite if never."""
        self._settings, self._worker = settings, worker
        self._kept: dict[AttemptKey, _Kept] = {}

    @property
    def is_empty(self) -> bool:
        """Everything is acknowledged."""
        return not self._kept

    @property
    def all_written(self) -> bool:
        """What is not acknowledged is in files."""
        return all(kept.path for kept in self._kept.values())

    @property
    def struggles(self) -> bool:
        """Something could not be written."""
        return any(kept.pause_seconds > _FIRST_PAUSE_SECONDS for kept in self._kept.values())

    def keep(
        self,
        key: AttemptKey,
        end: AttemptEnd,
        log: str,
        facts: Mapping[str, Any],
        *,
        write_at: float,
        log_is_ours: bool,
        log_fd: int | None,
    ) -> None:
        """Keep an end, and its log open; it goes to its file at `write_at` (monotonic) if not acknowledged before."""
        self._kept[key] = _Kept(key, end, facts, log, log_is_ours, log_fd, write_at)
        self.next_at = min(self.next_at, write_at)

    def acknowledge(self, keys: Iterable[AttemptKey]) -> None:
        """These are committed: forget them, and remove their files."""
        for key in keys:
            kept = self._kept.pop(key, None)
            if kept:
                kept.close_log()
            if kept and kept.path:
                remove_outcome(kept.path)
                if (folder := os.path.dirname(kept.path)) != os.path.dirname(kept.log):
                    remove_folder_if_empty(folder)

    def hurry(self) -> None:
        """No acknowledgement is to be hoped for: write all at once."""
        for kept in self._kept.values():
            kept.write_at = -inf
        self._plan()

    def write_due(self, now: float) -> None:
        """Write what is due. What cannot be written stays in memory and is tried again, ever more rarely."""
        for kept in self._kept.values():
            if kept.path is None and kept.write_at <= now:
                self._write(kept, now)
        self._plan()

    def _write(self, kept: _Kept, now: float) -> None:
        try:
            kept.path = write_outcome(
                kept.log,
                KeptOutcome(self._settings.run_uid, *kept.key, self._worker, kept.end, kept.facts),
                fallback_folder=self._settings.fallback_folder,
                log_is_ours=kept.log_is_ours,
            )
            kept.close_log()
        except OSError:
            kept.write_at = now + kept.pause_seconds
            kept.pause_seconds = min(2 * kept.pause_seconds, _LONGEST_PAUSE_SECONDS)

    def _plan(self) -> None:
        self.next_at = min((kept.write_at for kept in self._kept.values() if kept.path is None), default=inf)
