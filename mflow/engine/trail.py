"""By what the processes of an attempt are told from all others, when nobody watches them any more.

Proven to be of it is: who bears its token in the environment; who has its log open (by its path, or the attribute that
goes with the file wherever somebody moves it), as stdout, stderr or at the number that every process of an attempt
inherits; its first process, by pid and start; who is in the session of that
one; and (in `hunt`) whatever descends from such a one. An attempt may have dropped any of these, never the first.
"""

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto

from mflow.core.holders import Attempt
from mflow.core.model import RunRow, TaskRow
from mflow.core.names import TOKENS_VARIABLE, attempt_token
from mflow.engine import procfs
from mflow.engine.attempt_log import Leader, is_locked, noted_leader, noted_token, witness
from mflow.engine.outcome_file import fallback_path
from mflow.engine.procfs import Stat

_TOKENS = f"{TOKENS_VARIABLE}=".encode()


class Belongs(Enum):
    """What the looks of a process say, if it belongs to none of the attempts."""

    ELSEWHERE = auto()  # to another attempt of the run
    NOWHERE = auto()
    UNREADABLE = auto()  # this user may not look


@dataclass(frozen=True, slots=True)
class Trail:
    """What one attempt may have left on this machine."""

    attempt: Attempt
    token: bytes
    logs: tuple[str, ...]  # where its log may be
    since: int  # clock ticks since the boot: nothing of it started before
    leader: Leader | None = None
    exact: bool = False  # the leader started at that very tick
    began: bool = False  # there is a log, or its worker has said so
    folder: str = ""  # the run's working directory, if it is known
    astray: bool = False  # no path is known to lead to the log: somebody may have moved or replaced it

    @property
    def locked(self) -> bool:
        """Whether a process that has inherited the log lives."""
        return any(map(is_locked, self.logs))

    def led_by(self, pid: int, found: Stat) -> bool:
        """Whether a process is the attempt's first."""
        if self.leader is None or pid != self.leader.pid or found.start_ticks < self.since:
            return False
        ticks = self.leader.not_after
        return found.start_ticks == ticks if self.exact else found.start_ticks <= ticks


def trail_of(run: RunRow, row: TaskRow, fallback_folders: Iterable[str]) -> Trail:
    """Of the last attempt of a row. `row.worker` is known, and of this kernel."""
    assert row.worker is not None
    beside = (fallback_path(row.log, folder) for folder in fallback_folders) if row.log else ()
    logs = tuple(dict.fromkeys(filter(None, (row.log, row.output, *beside))))
    token = attempt_token(run.uid, row.task_no, row.attempts).encode()
    found = (noted for noted in map(noted_leader, logs) if noted and noted.token in (token, b""))
    noted = next(found, None)
    leader, exact = noted, False
    if row.pid is not None and row.leader_ticks is not None:
        leader = Leader(row.pid, row.leader_ticks, noted.origin if noted else b"-.-")
        exact = True
    since = row.leader_ticks if exact and row.leader_ticks is not None else row.worker.start_ticks
    began = noted is not None or row.pid is not None or row.started_at is not None
    return Trail(
        (row.task_no, row.attempts),
        token,
        logs,
        since,
        leader,
        exact,
        began,
        os.path.realpath(run.cwd),
        noted is None,
    )


@dataclass(slots=True)
class Trails:
    """Of several attempts of one run, so that one look at all processes serves them all."""

    all: Sequence[Trail]
    run_uid: bytes
    _tokens: dict[bytes, Attempt] = field(default_factory=dict)
    _files: dict[str, Attempt] = field(default_factory=dict)
    _folders: tuple[str, ...] = ()
    _leaders: dict[int, Trail] = field(default_factory=dict)
    _sessions: dict[int, Trail] = field(default_factory=dict)  # of leaders that were met

    def __post_init__(self) -> None:
        self._tokens = {trail.token: trail.attempt for trail in self.all}
        self._files = {
            name: trail.attempt for trail in self.all for log in trail.logs for name in procfs.names_of(log)
        }
        self._folders = tuple({f"{name.rpartition('/')[0]}/" for name in self._files})
        self._leaders = {trail.leader.pid: trail for trail in self.all if trail.leader}

    def by_place(self, pid: int, session: int) -> Attempt | None:
        """Whose it is by its pid or session, which every user may see. Only what still is there has a session."""
        trail = self._leaders.get(pid) or self._sessions.get(session) or self._leaders.get(session)
        found = procfs.read_stat(pid) if trail else None
        if trail is None or found is None:
            return None
        if trail.leader and pid == trail.leader.pid:
            if not trail.led_by(pid, found):
                return None
            if found.session == pid:
                self._sessions[pid] = trail
            return trail.attempt if found.lives else None
        if session not in self._sessions:
            head = procfs.read_stat(session)
            if head is None or not trail.led_by(session, head):
                return None
            self._sessions[session] = trail
        return trail.attempt if found.lives and found.start_ticks >= trail.since else None

    def in_doubtful_session(self, session: int, found: Stat) -> Trail | None:
        """The attempt whose first process led a session of this number, which is gone: it may be another by now."""
        trail = self._leaders.get(session)
        if trail is None or session in self._sessions or procfs.read_stat(session) is not None:
            return None
        return trail if found.start_ticks >= trail.since else None

    def by_looks(self, pid: int) -> Attempt | Belongs | None:
        """Whose it is by its environment and open files. None: it has no environment, so look again."""
        block = procfs.environment(pid)
        named = self._named(block) if block else None
        if isinstance(named, tuple):
            return named
        written = self._by_files(pid)
        if isinstance(written, tuple):
            return written
        if named or written:
            return named or written
        if block is None:
            return Belongs.UNREADABLE
        return Belongs.NOWHERE if block else None

    def deep(self, wanted: Collection[Trail]) -> dict[int, Attempt]:
        """Who has one of these logs open at any number; a look at all descriptors that this user may see."""
        attempts = {trail.attempt for trail in wanted}
        since = min((trail.since for trail in wanted), default=0)
        found: dict[int, Attempt] = {}
        for pid in procfs.pids() if wanted else ():
            process = procfs.read_stat(pid)
            if process is None or process.start_ticks < since:
                continue
            try:
                held = {self._written(pid, number, path) for number, path in procfs.written_files(pid)}
            except OSError as error:
                procfs.unless_spent(error)
                continue
            for attempt in attempts.intersection(held):
                found[pid] = attempt
        return found

    def _written(self, pid: int, number: int | str, path: str) -> Attempt | Belongs | None:
        """Whose log that is."""
        if path in self._files:
            return self._files[path]
        token = noted_token(pid, number, path)
        if token is None:
            return None
        return self._tokens.get(token) or (
            Belongs.ELSEWHERE if token.startswith(self.run_uid + b":") else None
        )

    def _named(self, block: bytes) -> Attempt | Belongs | None:
        """By the tokens of an environment (which may name outer attempts, too)."""
        if self.run_uid not in block:
            return None
        entries = (entry for entry in block.split(b"\0") if entry.startswith(_TOKENS))
        tokens = [token for entry in entries for token in entry[len(_TOKENS) :].split()]
        for token in tokens:
            if token in self._tokens:
                return self._tokens[token]
        return Belongs.ELSEWHERE if any(token.startswith(self.run_uid + b":") for token in tokens) else None

    def _by_files(self, pid: int) -> Attempt | Belongs | None:
        """By stdout, stderr and the inherited log: all descriptors of all processes would take too long."""
        elsewhere = None
        for number in (1, 2, witness()):
            path = procfs.written_file(pid, number) if number is not None else None
            if path is None or number is None:
                continue
            whose = self._written(pid, number, path)
            if isinstance(whose, tuple):
                return whose
            if whose:
                elsewhere = Belongs.ELSEWHERE
            if path.startswith(self._folders) and path.removesuffix(" (deleted)").endswith(".log"):
                elsewhere = Belongs.ELSEWHERE
        return elsewhere
