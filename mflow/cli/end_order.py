"""An operator's order for the end of a run: recorded, brought to the run's supervisor, and watched."""

import socket
import time
from dataclasses import dataclass, field

from mflow.cli.boundary import tell
from mflow.cli.driving import user_name
from mflow.cli.hints import Commands
from mflow.cli.owning import naming_who_is_stopped
from mflow.cli.waiting import patient, tell_of_wait
from mflow.cli.wording import clean
from mflow.core.contracts import LEASE_SECONDS, Store
from mflow.core.errors import StoreUnavailable
from mflow.core.model import RunRow
from mflow.core.states import OVER
from mflow.engine.ownership import is_stopped, only_lease_tells, owner_alive, wake
from mflow.store.patience import QUIET_SECONDS

LOOK_SECONDS = 0.25
"""How often the database is asked whether the run has ended."""

STOPPED_SECONDS = 1.0
SILENT_SECONDS = 8.0
"""How long a supervisor may be seen stopped, or leave its lease as it was although it was woken, until that is said."""

WAKE_SECONDS = 2.0
"""After so long without a sign of it a supervisor is woken: it writes its lease then, by itself much more rarely."""

PATIENCE_SECONDS = 30.0
"""How long a database may refuse to record the order, unless a supervisor that is stopped seems to be why."""


def is_over(run: RunRow) -> bool:
    """Whether the run has ended, and nobody is about to go on with it."""
    return run.state in OVER and not is_driven(run)


def is_driven(run: RunRow) -> bool:
    """Whether somebody is there to carry an order out."""
    return run.owner is not None and bool(owner_alive(run))


def requester() -> str:
    """Who asks, e.g. `ana@alpha`."""
    return f"{user_name()}@{socket.gethostname()}"


@dataclass(slots=True)
class EndOrder:
    """One order, from its record to the end of the run."""

    store: Store
    run_id: int
    commands: Commands
    takeover: bool = False  # carry it out here, in the place of a supervisor that does not
    _first_seen: dict[str, float] = field(default_factory=dict)
    _said: set[str] = field(default_factory=set)
    _hangs: bool = False

    def place(self, run: RunRow, *, patient: bool = True) -> RunRow:
        """Record who wants the run's end, and have its supervisor look; the run as it is then.

        While a supervisor that is stopped keeps the database from taking the order, this waits with the order, and
        says so; `patient` False raises then. Raises StoreUnavailable if nothing explains it.
        """
        began = time.monotonic()
        self._look_at_owner(run, asked=False)  # the first try may take seconds
        while not self._try_to_record(began, patient=patient):
            run = self._read(run)
            self._look_at_owner(run, asked=False)
            if is_over(run) or self.is_ours_to_carry_out(run):
                return run
            time.sleep(LOOK_SECONDS)
        run = self._read(run)
        wake(run)
        return run

    def _try_to_record(self, began: float, *, patient: bool) -> bool:
        with naming_who_is_stopped(self.store, self.commands):
            try:
                self.store.request_cancel(self.run_id, requester())
            except StoreUnavailable as error:
                waited = time.monotonic() - began
                if waited >= QUIET_SECONDS and "database" not in self._said and not self._is_seen_stopped():
                    self._said.add("database")
                    tell_of_wait(error, PATIENCE_SECONDS - waited)
                if not (patient and self._is_seen_stopped()) and waited > PATIENCE_SECONDS:
                    raise
                if not patient and self._is_seen_stopped():
                    raise
                return False
        return True

    def wait(self) -> RunRow:
        """Until the run has ended, nobody drives it any more, or (`takeover`) its supervisor is seen to hang."""
        while True:
            run = patient(lambda: self.store.read_run(self.run_id))
            self._look_at_owner(run)
            if is_over(run) or self.is_ours_to_carry_out(run):
                return run
            time.sleep(LOOK_SECONDS)

    def is_ours_to_carry_out(self, run: RunRow) -> bool:
        """Whether nobody else will end the run."""
        return not is_driven(run) or (self.takeover and self._hangs and not only_lease_tells(run))

    # ------------------------------------------------------------------------------ who should carry it out

    def _read(self, known: RunRow) -> RunRow:
        try:
            return self.store.read_run(self.run_id)
        except StoreUnavailable:
            return known

    def _look_at_owner(self, run: RunRow, *, asked: bool = True) -> None:
        """Say once what keeps the run's supervisor from carrying the order out, as far as it can be seen.

        `asked`: the order is in the database, so that it should be answered.
        """
        if run.owner is None or not is_driven(run):
            return
        stopped = is_stopped(run)
        stopped_for = self._since(f"stopped {run.fence}", stopped)
        if stopped and stopped_for >= STOPPED_SECONDS:
            pid = run.owner.identity.pid
            self._say_hangs(
                run, f"it is stopped (SIGSTOP, Ctrl-Z); waiting until it goes on (kill -CONT {pid})"
            )
        elif asked and self._is_silent(run):
            if only_lease_tells(run):
                self._say_elsewhere(run)
            else:
                self._say_hangs(run, f"it has not answered for {SILENT_SECONDS:.0f} s; waiting for it")
        else:
            self._hangs = False

    def _is_silent(self, run: RunRow) -> bool:
        """Whether the supervisor leaves its lease as it was, although it was woken and could write it."""
        lease = f"lease {run.fence} {run.lease_until}"
        unchanged = self._since(lease, True)
        if only_lease_tells(run):
            return unchanged >= SILENT_SECONDS
        if unchanged < WAKE_SECONDS:
            return False
        if f"woken {lease}" not in self._first_seen:
            wake(run)
        return self._since(f"woken {lease}", True) >= SILENT_SECONDS and self._takes_writes()

    def _takes_writes(self) -> bool:
        """Whether the database takes writes: the supervisor waits for it, too. (The order that is there stays.)"""
        try:
            self.store.request_cancel(self.run_id, requester())
        except StoreUnavailable as error:
            self._tell_once("no writes", f"{error.message}; the supervisor waits for it, too")
            return False
        return True

    def _is_seen_stopped(self) -> bool:
        return any(key.startswith("stopped") for key in self._first_seen)

    def _since(self, what: str, holds: bool) -> float:
        """For how many seconds this was so, at every look."""
        if not holds:
            self._first_seen.pop(what, None)
            return 0.0
        now = time.monotonic()
        return now - self._first_seen.setdefault(what, now)

    def _say_hangs(self, run: RunRow, why: str) -> None:
        assert run.owner is not None
        self._hangs = True
        if self.takeover:
            return
        self._tell_once(
            f"hangs {run.fence}",
            f"supervisor {run.owner.identity.pid} of run {run.id} is there but does nothing: {why}\n"
            f"to end it and the run now: {self.commands.of('cancel --takeover', run.id)}\n"
            f"to take the run from it: {self.commands.of('resume --takeover', run.id)}",
        )

    def _say_elsewhere(self, run: RunRow) -> None:
        assert run.owner is not None
        who = run.owner.identity
        self._tell_once(
            f"elsewhere {run.fence}",
            f"the supervisor of run {run.id} (host {clean(who.host)}, pid {who.pid}) cannot be seen from here: if it "
            f"lives it looks for orders every {LEASE_SECONDS / 3:.0f} s; if it does not, the run is ended from here "
            f"when its lease has run out, {LEASE_SECONDS:.0f} s after its last sign of life",
        )

    def _tell_once(self, key: str, text: str) -> None:
        if key not in self._said:
            self._said.add(key)
            tell(text)
