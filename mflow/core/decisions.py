"""What goes into the machine beside events, and what comes out beside batches."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from mflow.core.holders import Attempt
from mflow.core.model import Ending


class Now(NamedTuple):
    """One reading of the clocks: an aware UTC instant, and seconds that never jump."""

    wall: datetime
    mono: float


@dataclass(slots=True)
class Effects:
    """What to do now. Empty lists where there is nothing."""

    dispatch: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt: committed, runs now
    acknowledge: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt: outcome committed
    end: list[tuple[int, Attempt]] = field(default_factory=list)  # worker, attempt to be ended
    ask_back: list[tuple[int, list[Attempt]]] = field(default_factory=list)  # worker, claims not to begin
    let_go: list[int] = field(default_factory=list)  # retiring workers that hold and owe nothing: may exit
    endings: list[Ending] = field(default_factory=list)  # committed: may be shown
    notes: list[str] = field(default_factory=list)  # what an operator should know
    released: bool = False  # the run is no longer ours: leave
