"""Claim-ahead: how many claims a worker may hold beside the attempt it executes, and until when.

Only while recent attempts are so short that a commit a task would be the bottleneck; a batch is then wanted when
a worker is about to run dry. A claim never waits behind an attempt that turns out long: it is asked back.
"""

from __future__ import annotations

from collections.abc import Iterator

from mflow.core.holders import Holder, Holders
from mflow.core.model import AttemptEnd

AHEAD_SECONDS = 0.02
"""How much work a worker may hold ahead, and how long a claim may wait behind a running attempt."""

MOST_AHEAD = 16
"""Claims a worker may hold beside the one it executes, however short they are."""

_WEIGHT_OF_THE_LAST = 0.2


class Pace:
    """How long recent attempts took, and so how many claims ahead are worth it."""

    def __init__(self) -> None:
        self._average = AHEAD_SECONDS
        self.depth = 0  # claims a worker may hold beside the one it executes

    def learn(self, end: AttemptEnd) -> None:
        """A moving average that believes a long attempt at once, and short ones only after a while."""
        if end.started_at is None or end.ended_at is None:
            return
        took = max(0.0, (end.ended_at - end.started_at).total_seconds())
        self._average += _WEIGHT_OF_THE_LAST * (took - self._average)
        self.depth = self._affordable()

    def _affordable(self) -> int:
        if self._average * MOST_AHEAD <= AHEAD_SECONDS:
            return MOST_AHEAD
        return max(0, int(AHEAD_SECONDS / self._average) - 1)


def late_at(holder: Holder) -> float:
    """When the claims behind the attempt that a worker executes will have waited too long (monotonic seconds)."""
    return holder.head_since + AHEAD_SECONDS


def late(holders: Holders, mono: float) -> list[Holder]:
    """Workers whose claims wait behind an attempt that has turned out long: they are to be asked back."""
    return [holder for holder in holders if holder.ahead and late_at(holder) <= mono]


def low_water(depth: int) -> int:
    """With so many claims left a worker will run dry before more are committed, or at least might on a busy machine."""
    return min(depth, 1 + depth // 6)


def is_hungry(holders: Holders, depth: int, limit: int, mono: float) -> bool:
    """Whether a worker that may be given claims has nothing to execute, or will not have in a moment."""
    room, low = holders.busy < limit, low_water(depth) if holders.busy <= limit else 0
    if not room and not low:
        return False
    return any(
        len(holder.held) <= low and (room or holder.held) and _takes(holder, mono) for holder in holders
    )


def takers(holders: Holders, depth: int, limit: int, mono: float) -> Iterator[Holder]:
    """Whom to give one claim each, in this order: the idle ones first, then ahead, evenly.

    The caller lets each hold its claim before it asks for the next.
    """
    willing = [holder for holder in holders if _takes(holder, mono)]
    for level in range(1 + (depth if holders.busy <= limit else 0)):
        for holder in willing:
            if len(holder.held) <= level and (holder.held or holders.busy < limit):
                yield holder


def _takes(holder: Holder, mono: float) -> bool:
    """Nothing is put behind an attempt that has turned out long: it would be asked back at once."""
    if holder.retiring or holder.asked:
        return False
    return not holder.held or mono < late_at(holder)
