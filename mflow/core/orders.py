"""What workers are told: to run, to end, to give claims back, that an outcome is kept, that they may go."""

from __future__ import annotations

from collections.abc import Iterable

from mflow.core.decisions import Effects
from mflow.core.holders import Attempt, Holder, Holders
from mflow.core.model import Claim


class Orders:
    """Collects the effects of decisions, and knows which claims workers have not heard of yet."""

    def __init__(self) -> None:
        self.effects = Effects()
        self._unheard: set[Attempt] = set()  # claims that are not committed, or not handed over yet
        self._committed: list[Attempt] = []  # claims to be handed over; some may be over by now
        self._owed: dict[Attempt, Holder] = {}  # ended, not committed yet -> whom to acknowledge

    def take(self) -> Effects:
        """What was decided since the last time."""
        effects, self.effects = self.effects, Effects()
        return effects

    def hold_off(self, claims: Iterable[Claim]) -> None:
        """These claims are being committed: no worker may hear of them before."""
        self._unheard.update((claim.task_no, claim.attempt) for claim in claims)

    def is_unheard(self, attempt: Attempt) -> bool:
        """Whether this claim has not been handed to its worker yet, and nobody has taken it back meanwhile."""
        return attempt in self._unheard

    def forget(self, attempt: Attempt) -> None:
        """The claim is over. If its worker has not heard of it, it never will; its number may be claimed anew."""
        if attempt in self._unheard:
            self._unheard.discard(attempt)
            if attempt in self._committed:
                self._committed.remove(attempt)

    def may_dispatch(self, attempt: Attempt) -> None:
        """The claim is committed: to be handed over, unless it is over before."""
        self._committed.append(attempt)

    @property
    def any_committed(self) -> bool:
        """Whether a committed claim waits to be handed over."""
        return bool(self._committed)

    def take_committed(self) -> list[Attempt]:
        """The claims to be handed over, in their order."""
        committed, self._committed = self._committed, []
        return committed

    def dispatch(self, holder: Holder, attempt: Attempt) -> None:
        """The worker may run it."""
        self._unheard.discard(attempt)
        self.effects.dispatch.append((holder.number, attempt))

    def owe(self, holder: Holder, attempt: Attempt) -> None:
        """The worker keeps this outcome until it is acknowledged."""
        self._owed[attempt] = holder
        holder.owed += 1

    def acknowledge(self, attempt: Attempt) -> None:
        """The outcome is committed: whoever keeps it need not any longer."""
        holder = self._owed.pop(attempt, None)
        if holder is None:
            return
        self.effects.acknowledge.append((holder.number, attempt))
        holder.owed -= 1
        self.let_go(holder)

    def ask_back(self, holder: Holder) -> None:
        """Have the worker give back what it has not begun, unless it was asked already."""
        if not holder.ahead:
            return
        waiting = [attempt for attempt in list(holder.held)[1:] if attempt not in self._unheard]
        if waiting:
            holder.asked = True
            self.effects.ask_back.append((holder.number, waiting))

    def halt(self, holder: Holder) -> None:
        """The run is stopping: ask back what the worker has not begun, end what it executes."""
        self.ask_back(holder)
        begun = holder.held if holder.adopted else list(holder.held)[:1]
        self.effects.end += [(holder.number, one) for one in begun if one not in self._unheard]

    def say(self, text: str) -> None:
        """Tell the operator, if there is anything to tell."""
        if text:
            self.effects.notes.append(text)

    def retire(self, holder: Holder) -> None:
        """The worker takes no further attempt."""
        holder.retiring = True
        self.ask_back(holder)
        self.let_go(holder)

    def reduce(self, holders: Holders, limit: int) -> None:
        """The limit is lower: workers beyond it take no further attempt, and give back what they have not begun."""
        own = [holder for holder in holders if not holder.adopted]
        leaving_first = sorted(own, key=lambda one: (not one.retiring, len(one.held), -one.number))
        for holder in leaving_first[: max(0, len(holders) - limit)]:
            self.retire(holder)
        if holders.busy > limit:
            for holder in own:
                self.ask_back(holder)

    def make_room(self, holders: Holders) -> None:
        """This machine lacks something: nothing waits in workers, and the idle ones may be what takes it."""
        for holder in holders:
            self.ask_back(holder)
        for holder in holders.idle()[1::2]:
            self.retire(holder)

    def let_go(self, holder: Holder) -> None:
        """A retiring worker of ours may exit as soon as it holds and keeps nothing."""
        if not holder.retiring or holder.adopted or holder.leaving or holder.held or holder.owed:
            return
        holder.leaving = True
        self.effects.let_go.append(holder.number)
