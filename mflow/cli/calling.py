"""`mflow run` inside a task: it goes on with the run that an earlier attempt of the task had made by the same call."""

import os
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from mflow.cli.boundary import tell, warn
from mflow.cli.end_order import is_driven
from mflow.cli.kept_files import kept_environment
from mflow.cli.waiting import patient
from mflow.cli.wording import clean, names
from mflow.core.calls import Call, difference, earlier, may_go_on, was_cancelled_itself
from mflow.core.environment import is_secret
from mflow.core.errors import RunOwned, StoreUnavailable
from mflow.core.model import RunRow
from mflow.core.states import RunState

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mflow.cli.database import Database
    from mflow.cli.hints import Commands
    from mflow.core.contracts import Store

LOOK_SECONDS = 0.5
"""How often the database is asked whether a run that another supervisor drives has ended."""


@dataclass(frozen=True, slots=True)
class Calling:
    """A call, and the database in which its runs are."""

    call: Call
    store: "Store"
    database: "Database"
    commands: "Commands"

    def go_on(self) -> int | None:
        """Go on with the run of an earlier attempt to its end: the exit code. None: a new run is to be made.

        A run that this process must drive itself ends this process.
        """
        parent = self.call.parent
        children = patient(lambda: self.store.children(parent.run, parent.uid, parent.task))
        for child in may_go_on(self.call, children):
            if self._take(child):
                return self._follow(child)
        self._say_why_new(earlier(self.call, children), len(children))
        return None

    def _take(self, child: RunRow) -> bool:
        """Make it a run of this attempt: of equal calls at one time only one may have it."""
        read, attempt = child.parent_attempt, self.call.parent.attempt
        assert read is not None
        doubtful = False

        def once() -> bool:
            nonlocal doubtful
            try:
                if self.store.take_child(child.id, read=read, attempt=attempt):
                    return True
                return doubtful and self.store.read_run(child.id).parent_attempt == attempt
            except StoreUnavailable as error:
                doubtful = doubtful or error.applied_unknown
                raise

        return patient(once)

    # ------------------------------------------------------------------------------------------ to its end

    def _follow(self, child: RunRow) -> int:
        """Resume it, or wait for whoever drives it: there are never two."""
        tell(
            f"attempt {self.call.parent.attempt} of task {clean(self.call.parent.task)} of run {self.call.parent.run} "
            f"goes on with run {child.id}, which attempt {child.parent_attempt} began by the same call"
        )
        attached = False
        while True:
            run = patient(lambda: self.store.read_run(child.id))
            if is_driven(run):
                attached = True
                self._attach(run)
            elif run.state is RunState.SUCCESS:
                return self._over(run, "is SUCCESS: there is nothing to do", 0)
            elif was_cancelled_itself(run):
                resume = self._by_hand(run)
                by = clean(run.cancelled_by or "")
                return self._over(run, f"was cancelled by {by}: only this revives it: {resume}", 1)
            elif attached and run.state is RunState.FAILED:
                return self._over(run, "is FAILED", 1)  # by that other supervisor, now
            else:
                self._resume(run)

    def _resume(self, run: RunRow) -> None:
        """Returns only if somebody else has taken it at this moment."""
        from mflow.cli.resuming import Resumption

        try:
            resumption = Resumption(self.store, run, self.database, self.commands, called=True)
            resumption.go_on(None, None, None, takeover=False)
        except RunOwned:
            if patient(lambda: self.store.read_run(run.id)).fence == run.fence:
                raise

    def _by_hand(self, run: RunRow) -> str:
        """The command that resumes it as this call would, from any shell; secrets are not written out."""
        from mflow.cli.ancestry import set_by_calls

        kept = kept_environment(self.store, run)
        told = sorted(set_by_calls(self.store, run, kept) & os.environ.keys()) if kept else ()
        values = {
            name: None
            if name in self.call.names - self.call.told.keys() or is_secret(name, os.environ[name])
            else os.environ[name]
            for name in told
        }
        return self.commands.with_variables(values, "resume", run.id)

    def _over(self, run: RunRow, how: str, code: int) -> int:
        print(f"run {run.id}")
        tell(f"run {run.id} {how}")
        return code

    def _attach(self, run: RunRow) -> None:
        """Wait until nobody drives it any more. What would stop this process is passed on to its supervisor."""
        assert run.owner is not None
        child_id = run.id
        who = run.owner.identity
        tell(f"run {run.id} is driven by pid {who.pid} on {clean(who.host)}: waiting for it")
        print(f"run {run.id}", flush=True)
        passed_on = 0
        with _Stops() as stops:
            while is_driven(run):
                if stops.came and not passed_on:
                    passed_on = stops.came
                    _pass_on(run, passed_on)
                time.sleep(LOOK_SECONDS)
                run = patient(lambda: self.store.read_run(child_id))
        if stops.came:
            from mflow.engine.supervisor import leave

            leave(128 + stops.came)

    # ------------------------------------------------------------------------------------------ a new one

    def _say_why_new(self, left: "Sequence[RunRow]", before: int) -> None:
        """Earlier attempts have made runs that this call is none of."""
        if not left:
            return
        last = max(left, key=lambda run: run.id)
        call = f"call {before - len(left) + 1} of task {clean(self.call.parent.task)}"
        warn(f"{call} is none of earlier attempts, a new run begins: {self._differs(last)}")

    def _differs(self, last: RunRow) -> str:
        kept = kept_environment(self.store, last)
        found = difference(self.call, last, kept.files, kept.seen) if kept else ()
        if found:
            return f"{names([clean(one) for one in found], 10)} in run {last.id}"
        return f"run {last.id} was of {clean(last.taskfile)} in {clean(last.cwd)}"


class _Stops:
    """Remembers the last of TERM and INT that came while this lasted."""

    def __init__(self) -> None:
        self.came = 0

    def __enter__(self) -> "_Stops":
        self._before = {
            number: signal.signal(number, self._note) for number in (signal.SIGTERM, signal.SIGINT)
        }
        return self

    def __exit__(self, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _note(self, number: int, _: object) -> None:
        self.came = number


def _pass_on(run: RunRow, number: int) -> None:
    """To a supervisor on this machine; one elsewhere is left to its own."""
    from mflow.engine.identity import signal_verified
    from mflow.engine.supervisor import leave

    assert run.owner is not None
    try:
        reached = signal_verified(run.owner.identity, number)
    except PermissionError:
        reached = False
    if not reached:
        leave(128 + number)
