"""Who holds what: the workers of a run, and the attempts each was given.

A worker executes the first attempt it holds; the others are claims that it begins by itself, each at the end
of the one before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from mflow.core.model import Identity

Attempt = tuple[int, int]
"""(task number, attempt number)."""


@dataclass(slots=True, eq=False)
class Holder:
    """A worker as the machine sees it: who it is, and the attempts it holds, the executing one first."""

    number: int
    identity: Identity
    adopted: bool = False  # of a dead supervisor: only what it executes is ours
    retiring: bool = False  # takes no further attempt
    leaving: bool = False  # was told that it may go
    asked: bool = False  # claims were asked back and the answer is open
    blamed: bool = False  # if it dies, an attempt that is over already is the likely cause
    held: deque[Attempt] = field(default_factory=deque)
    owed: int = 0  # ends it keeps until they are acknowledged
    head_since: float = 0.0  # monotonic seconds

    @property
    def ahead(self) -> bool:
        """Whether it holds claims that can be asked back beside the attempt it executes."""
        return len(self.held) > 1 and not self.asked and not self.adopted


class Holders:
    """All workers, and all attempts that are claimed and not over."""

    def __init__(self) -> None:
        self._by_number: dict[int, Holder] = {}
        self._by_task: dict[int, Holder | None] = {}  # None: a RUNNING row nobody has accounted for yet
        self.adopted = 0
        self.busy = 0  # workers that hold something
        self.undecided = 0  # RUNNING rows nobody has accounted for yet

    def __iter__(self) -> Iterator[Holder]:
        return iter(self._by_number.values())

    def __getitem__(self, number: int) -> Holder:
        return self._by_number[number]

    def __len__(self) -> int:
        return len(self._by_number)

    @property
    def staying(self) -> int:
        """How many may be given attempts."""
        return sum(1 for holder in self if not holder.retiring)

    def idle(self) -> list[Holder]:
        """Those of ours that hold nothing and may be given attempts."""
        return [one for one in self if not (one.held or one.retiring or one.adopted)]

    def get(self, number: int) -> Holder | None:
        """The worker of this number, if it is there."""
        return self._by_number.get(number)

    def add(self, holder: Holder) -> None:
        """A worker is there."""
        assert holder.number not in self._by_number, f"worker {holder.number} is there already"
        self._by_number[holder.number] = holder
        self.adopted += holder.adopted

    def remove(self, number: int) -> None:
        """A worker is gone, and all it held is accounted for."""
        holder = self._by_number[number]
        assert not holder.held, f"worker {number} gone with {list(holder.held)}"
        del self._by_number[number]
        holder.leaving = True
        self.adopted -= holder.adopted

    # ------------------------------------------------------------------------------------------ who holds what

    @property
    def live_tasks(self) -> dict[int, Holder | None]:
        """Task number -> who holds its attempt. To be read only."""
        return self._by_task

    def leave_undecided(self, task_no: int) -> None:
        """A RUNNING row was found; what became of its attempt is not known yet."""
        self._by_task[task_no] = None
        self.undecided += 1

    def hold(self, holder: Holder, task_no: int, attempt: int) -> None:
        """The worker holds this attempt from now on."""
        if self._by_task.get(task_no, holder) is None:
            self.undecided -= 1
        if not holder.held:
            self.busy += 1
        holder.held.append((task_no, attempt))
        self._by_task[task_no] = holder

    def drop(self, task_no: int, attempt: int, mono: float) -> Holder | None:
        """The attempt is over; who held it, None if it was undecided. The next one's time begins."""
        holder = self._by_task.pop(task_no)
        if holder is None:
            self.undecided -= 1
            return None
        if holder.held[0] == (task_no, attempt):
            holder.held.popleft()
            holder.head_since = mono
        else:
            holder.held.remove((task_no, attempt))
        if not holder.held:
            self.busy -= 1
        return holder
