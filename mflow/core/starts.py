"""What keeps attempts from starting: workers that die at it, a machine that lacks what it takes."""

from __future__ import annotations

from mflow.core.holders import Attempt, Holder

MOST_FALSE_STARTS = 3
"""How often in a row a worker may die at the start of one task before this fails as NOT_STARTED."""


class FalseStarts:
    """How often in a row workers died that had to begin a task."""

    def __init__(self) -> None:
        self._of_task: dict[int, int] = {}

    def strike(self, holder: Holder | None, attempt: Attempt, *, unheard: bool) -> int:
        """The attempt was not begun; the number of false starts if its worker died of it, else 0.

        Not if it waited behind another one, was asked back, or its worker has not heard of it (`unheard`).
        """
        if holder is None or holder.blamed or holder.asked or unheard or holder.held[0] != attempt:
            return 0
        holder.blamed = True
        self._of_task[attempt[0]] = self._of_task.get(attempt[0], 0) + 1
        return self._of_task[attempt[0]]

    def forget(self, task_no: int) -> None:
        """An attempt of the task is over, however it ended."""
        self._of_task.pop(task_no, None)


FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.25, 15.0
"""How long nothing new starts after a refusal; it doubles with each further one, as long as nothing starts."""

LACK_PATIENCE_SECONDS = 300.0
"""For so long a lack is nobody's fault; after that each task that is refused has failed."""

CALM_SECONDS = 30.0
"""A lack is over when something starts and nothing was refused for so long: what comes sooner is no news."""

AGAIN_NEWS_SECONDS = 5.0
"""But if nothing at all has started for so long once more, it is."""

_NO_BOUND = 1 << 30


class Lack:
    """What this machine has too little of for the moment: processes, memory, descriptors, a place on its disk.

    One claim at a time tries whether it is there again; each that does start lets one more be tried beside it, unless
    it was claimed before the last refusal. So a limit that is always too low only makes a run slower.
    """

    def __init__(self) -> None:
        self.what = ""  # in words; empty while nothing is lacking
        self._unproven: set[Attempt] = set()  # claimed since, and neither started nor refused yet
        self._outdated: set[Attempt] = set()  # of these, claimed before the last refusal
        self._window = 1
        self._eased = False  # it was told that tasks start again
        self._refusals = 0  # since something started
        self._since = self._refused_at = self._fruitless_since = self._again_at = 0.0  # monotonic seconds

    def refused(self, attempt: Attempt, what: str, mono: float) -> str:
        """The attempt was not begun, for lack of this; what is to be told, if it is news."""
        if not self.what:
            self._since = self._fruitless_since = self._again_at = mono
            self._refusals = 0
        is_news = not self.what or (self._eased and mono - self._fruitless_since >= AGAIN_NEWS_SECONDS)
        if is_news:
            self._since, self._eased = self._fruitless_since, False
        if attempt in self._unproven or not self.what:
            pause = min(FIRST_PAUSE_SECONDS * 2**self._refusals, LONGEST_PAUSE_SECONDS)
            self._again_at = mono + pause
            self._refusals = min(self._refusals + 1, 30)
        self._window = 1
        self._refused_at, self.what = mono, what
        self._unproven.discard(attempt)
        self._outdated = set(self._unproven)
        return f"{what}: nothing new starts until that is over, running tasks go on" if is_news else ""

    def is_too_long(self, mono: float) -> bool:
        """Whether nothing could be started for longer than can be blamed on a moment."""
        return mono - self._fruitless_since >= LACK_PATIENCE_SECONDS

    def for_so_long(self, mono: float) -> str:
        """What is lacking, and for how long nothing could be started."""
        return f"{self.what}, for {(mono - self._fruitless_since) / 60:.0f} minutes now"

    def claimed(self, attempt: Attempt) -> None:
        """It will show whether something can be started again."""
        if self.what:
            self._unproven.add(attempt)

    def started(self, attempt: Attempt, mono: float) -> str:
        """It was begun; what is to be told, if it is news."""
        if attempt not in self._unproven:
            return ""
        self._unproven.discard(attempt)
        self._fruitless_since = mono
        self._refusals = 0
        self._window += attempt not in self._outdated
        is_news, self._eased = not self._eased, True
        if mono - self._refused_at >= CALM_SECONDS:
            self.what, self._eased = "", False
            self._unproven.clear()
        return f"tasks start again after {mono - self._since:.0f} s" if is_news else ""

    def dropped(self, attempt: Attempt, mono: float) -> None:
        """The attempt is over, and has shown nothing unless `started` was told before."""
        if attempt in self._unproven:
            self._unproven.discard(attempt)
            self._again_at = max(self._again_at, mono + FIRST_PAUSE_SECONDS)

    def room(self, mono: float) -> int:
        """How many claims may be made now."""
        if not self.what:
            return _NO_BOUND
        return max(0, self._window - len(self._unproven)) if mono >= self._again_at else 0

    def holds_up(self, attempt: Attempt) -> bool:
        """Whether this claim, made before the lack was known, would only be refused, too."""
        return bool(self.what) and attempt not in self._unproven

    def again_in(self, mono: float) -> float | None:
        """Seconds until the next claim may be made; None if only events can tell."""
        return self._again_at - mono if self.what and self._again_at > mono else None
