"""One whole life of a run: random schedules, crashes, outages and an operator, until everything is over.

A rough time first, in which anything may happen; then a calm one, in which the run must come to its end; then a
healed one, in which every attempt ends well and so every task must be SUCCESS.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from mflow.core.contracts import LEASE_SECONDS
from mflow.core.machine import Stop
from mflow.core.model import Batch
from mflow.core.states import Outcome, RunState, TaskState
from tests.simulation.plan import draw_plan, draw_policy
from tests.simulation.store import Row, SimulatedStore
from tests.simulation.supervisor import WAIT, SimulatedSupervisor
from tests.simulation.worker import SimulatedWorker
from tests.simulation.world import SECURED, Broken, Host, World, expect

MOST_STEPS = 20_000
A_MOMENT = 2e-6  # so that a wait is over on the clock of microseconds, too

POINTS = (
    "a resume before it owns the run",
    "a takeover after the old one is ended",
    "a takeover before rows are read",
    "after an edit of the definition",
    "after rows are read",
    "a resume after it looked at a worker",
    "a resume after it asked what a worker holds",
    "a resume after it looked for an outcome",
    "a resume after a log was secured",
    "a resume after a sweep",
    "before a commit",
    "after a commit before its answer",
    "after a commit before anything follows from it",
    "after a commit before dispatch",
    "between two dispatches",
    "after outcomes before their commit",
    "after a commit before its acknowledgement",
    "between two effects",
    "after the last commit before the workers are let go",
    WAIT,
)
"""Where a supervisor may die."""


class Life:
    """A life by its seed."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.plan = draw_plan(self.rng)
        self.world = World(self.plan, self.rng)
        self.world.store = self.store = SimulatedStore(self.world)
        self.rough = True
        self.troubles = self.rng.randint(0, 10)  # crashes, deaths and meddling that are still to come
        self.resumes = self.rng.randint(0, 6)
        self.steps = 0
        self._next_no = len(self.plan.upstream)
        self._aim()

    def live(self) -> World:
        """From the first start to the last SUCCESS. Raises Broken."""
        while self.rough:
            self._episode()
            if self.resumes <= 0 or (self.store.run_state is RunState.SUCCESS and self.rng.random() < 0.8):
                self.rough = False
            self.resumes -= 1
        self._to_the_end()
        self._check_over()
        self.world.lacks_until = 0.0
        self.plan.healed, self.plan.unkillable, self.plan.unreadable = True, 0.0, 0.0
        for _ in range(3):
            self._resume(self._host())
            self._until_alone()
        left = {no: row for no, row in self.store.rows.items() if row.state is not TaskState.SUCCESS}
        expect(not left and self.store.run_state is RunState.SUCCESS, "not all SUCCESS at last", left)
        return self.world

    def _to_the_end(self) -> None:
        """Without trouble one resume must be enough, or two after an owner that nobody let go.

        One more, first, carries out an order for the run's end that is still open.
        """
        for _ in range(2 + self.store.ordered):
            self._resume(self._host())
            self._until_alone()
        done = self.store.owner is None and self.store.run_state in (RunState.SUCCESS, RunState.FAILED)
        expect(done, "a calm resume did not end the run", self.store.run_state, self.store.owner)

    # ----------------------------------------------------------------------------------------- episodes

    def _episode(self) -> None:
        """From a start or resume until no supervisor is left."""
        self._aim()
        cancel = self.store.fence > 0 and self.rng.random() < 0.06
        self._resume(self._host(), cancel=cancel)
        if self.rng.random() < 0.1:
            self._resume(self._host())  # two at once
        self._until_alone(drain=self.rng.random() < 0.3)

    def _until_alone(self, *, drain: bool = True) -> None:
        """Until no supervisor lives, and (if `drain`) no worker either."""
        while self.world.supervisors or (drain and self._workers_left()) or self.store.floating:
            self.steps += 1
            expect(self.steps < MOST_STEPS, "no end in sight")
            if self.rough and self.troubles > 0:
                self._make_trouble()
            self._one_step()

    def _workers_left(self) -> bool:
        return bool(self.world.workers or self.world.orphans)

    def _one_step(self) -> None:
        """Whoever can do something does it; if nobody can, time passes."""
        if self.world.workers and self.rng.random() < 0.02:
            self._burst(self.rng.choice(self.world.workers))
        acts = self._acts()
        if not acts or self.rng.random() >= self.plan.sluggish:
            acts += [worker.step for worker in self.world.workers]
        while acts:
            act = acts.pop(self.rng.randrange(len(acts)))
            if act() is not False:
                return
        self._pass_time()

    def _burst(self, worker: SimulatedWorker) -> None:
        """One worker is very quick for a moment."""
        for _ in range(self.rng.randint(2, 6)):
            if worker.alive:
                worker.step()

    def _acts(self) -> list[Callable[[], bool | None]]:
        """What supervisors and the store can do now."""
        acts: list[Callable[[], bool | None]] = []
        for supervisor in self.world.supervisors:
            if supervisor.runnable():
                acts.append(lambda one=supervisor: self._drive(one))  # type: ignore[misc]
            if supervisor.committing and not supervisor.stopped:
                acts.append(supervisor.commit_step)
        if self.store.floating:
            acts.append(self.store.deliver_floating)
        return acts

    def _drive(self, supervisor: SimulatedSupervisor) -> None:
        supervisor.step()
        if supervisor.point == "a resume after a log was secured":
            for worker in [one for one in self.world.workers if one.looked]:
                self._burst(worker)
        if self._target == supervisor.point and self.rough:
            self._countdown -= 1
            if self._countdown < 0 and supervisor.alive:
                self._crash(supervisor)

    def _pass_time(self) -> None:
        """To the next thing that happens by itself."""
        world = self.world
        world.end_orphans()
        times = [one.wake_at for one in world.supervisors if one.point is WAIT and not one.stopped]
        times += [worker.wake_at() for worker in world.workers]
        times += [one.finish_at for one in world.orphans]
        coming = [at for at in times if at is not None and at >= world.seconds]
        if coming:
            world.seconds = min(coming) + A_MOMENT
            world.end_orphans()
            return
        stopped = [one for one in world.supervisors if one.stopped]
        expect(bool(stopped) or not world.supervisors, "nothing can happen any more")
        for one in stopped[:1]:
            one.stopped = False

    # ------------------------------------------------------------------------------------------- trouble

    def _aim(self) -> None:
        """At which point the next supervisor dies, if at one that was chosen before."""
        self._target = self.rng.choice(POINTS) if self.rng.random() < 0.6 else None
        self._countdown = self.rng.choice((0, 0, 1, 2, 5))

    def _make_trouble(self) -> None:
        plan, dice = self.plan, self.rng.random()
        crashes = plan.crashes
        if crashes and any(worker.looked for worker in self.world.workers):
            crashes += 0.03  # the one moment in which a worker cannot know
        if dice < crashes:
            self._crash(self.rng.choice(self.world.supervisors) if self.world.supervisors else None)
        elif dice < crashes + plan.worker_deaths:
            self._kill_worker()
        elif dice < crashes + plan.worker_deaths + plan.meddling:
            self._meddle()
        elif dice > 0.98:
            self.world.jump(self.rng.choice((0.001, 0.01, 0.03)))

    def _crash(self, supervisor: SimulatedSupervisor | None) -> None:
        """kill -9."""
        if supervisor is None:
            return
        self.troubles -= 1
        point = supervisor.point
        if supervisor.in_flight is not None and supervisor.answer is not None:
            point = "after a commit before its answer"
        self.world.seen[f"crash: {point}"] += 1
        self.world.note("CRASH", supervisor.identity.pid, point)
        supervisor.die()
        self._aim()

    def _kill_worker(self) -> None:
        if not self.world.workers:
            return
        self.troubles -= 1
        worker = self.rng.choice(self.world.workers)
        self.world.seen[f"a worker died: {_doing(worker)}"] += 1
        self.world.note("WORKER DIED", worker.identity.pid, _doing(worker))
        worker.killed = True
        self.world.bury(worker)

    def _meddle(self) -> None:
        self.troubles -= 1
        deed = self.rng.choice(
            (self._change_limit, self._change_limit, self._stop, self._cancel, self._freeze, self._take_over)
            + (self._exhaust, self._exhaust, self._set_clock, self._set_clock)
            + (self._rare_deeds() if self.rng.random() < 0.5 else ())
        )
        if self.rng.random() < 0.3 and any(worker.queue for worker in self.world.workers):
            deed = self.rng.choice((self._stop, self._cancel))
        elif self.rng.random() < 0.3 and any(one.in_flight for one in self.world.supervisors):
            deed = self._lower_limit
        self.world.seen[f"operator: {deed.__name__.strip('_')}"] += 1
        self.world.note("OPERATOR", deed.__name__)
        deed()

    def _rare_deeds(self) -> tuple[Callable[[], None], ...]:
        return (self._reboot, self._rename, self._delete_folder, self._delete_logs, self._kill_all)

    def _exhaust(self) -> None:
        """Another program uses up what it takes to start a process."""
        self.world.lacks_until = self.world.seconds + self.rng.choice((0.1, 3.0, 40.0, 700.0))

    def _set_clock(self) -> None:
        self.world.set_clock(self.rng.choice((-7200.0, -3600.0, -1.0, 1.0, 86400.0)))

    def _change_limit(self) -> None:
        self.plan.limit = self.rng.randint(1, 4)
        self._tell("limit", self.plan.limit)

    def _lower_limit(self) -> None:
        """While claims may be under way."""
        self.plan.limit = 1
        self._tell("limit", 1)

    def _stop(self) -> None:
        self._tell("stop", Stop.SIGNAL)

    def _cancel(self) -> None:
        """Recorded; a supervisor may die or be superseded before it has looked."""
        self.store.request_cancel()
        if self.rng.random() < 0.8:
            self._tell("stop", Stop.CANCEL)

    def _tell(self, kind: str, what: object) -> None:
        for supervisor in self.world.supervisors:
            supervisor.events.append((kind, what))

    def _freeze(self) -> None:
        """SIGSTOP, and at some time SIGCONT."""
        for supervisor in self.world.supervisors[:1]:
            supervisor.stopped = not supervisor.stopped

    def _take_over(self) -> None:
        """`resume --takeover`, or a resume after the lease has run out."""
        for supervisor in self.world.supervisors[:1]:
            supervisor.stopped = supervisor.stopped or self.rng.random() < 0.7
        self._resume(self._host())

    def _reboot(self) -> None:
        """Everything on the host dies; what was not synced to its disk may be gone."""
        host = self._host()
        world = self.world
        for supervisor in [one for one in world.supervisors if one.host is host]:
            supervisor.die()
        for worker in [one for one in world.workers if one.host is host]:
            world.bury(worker)
        for execution in [one for one in world.orphans if one.worker.host is host]:
            world.orphans.remove(execution)
            world.finish(execution, world.ended_at(execution, Outcome.SIGNALLED))
        host.boots += 1
        host.logs = {
            attempt: log for attempt, log in host.logs.items() if log == SECURED or self.rng.random() < 0.5
        }
        world.rebooted = True

    def _rename(self) -> None:
        """The host gets another name: what runs there runs on."""
        host = self._host()
        host.name = "renamed" if host.name != "renamed" else "batch1"

    def _delete_folder(self) -> None:
        """rm -rf; not in the very moment between a worker's last look and its beginning."""
        host = self._host()
        if any(worker.looked for worker in self.world.workers):
            return
        host.logs = {attempt: log for attempt, log in host.logs.items() if log == SECURED}
        host.outcomes.clear()
        for worker in self.world.workers:
            worker.written.clear()
        host.intact = False

    def _delete_logs(self) -> None:
        """rm run-1/*; as above. The folder looks as it was made."""
        host = self._host()
        if any(worker.looked for worker in self.world.workers):
            return
        self.world.erased.update(attempt for attempt, log in host.logs.items() if log != SECURED)
        host.logs = {attempt: log for attempt, log in host.logs.items() if log == SECURED}
        host.outcomes.clear()
        if self.rng.random() < 0.5:
            self._kill_all()

    def _kill_all(self) -> None:
        """pkill -9 -u batch: supervisors and workers at once; what their tasks run as goes on."""
        for supervisor in list(self.world.supervisors):
            supervisor.die()
        for worker in list(self.world.workers):
            worker.killed = True
            self.world.bury(worker)

    # -------------------------------------------------------------------------------------------- resumes

    def _host(self) -> Host:
        """Where the next supervisor is started."""
        return self.world.hosts[1 if self.plan.two_hosts and self.rng.random() < 0.4 else 0]

    def _resume(self, host: Host, *, cancel: bool = False) -> None:
        owner = self.store.owner
        if owner is not None and not owner.same_kernel(host.identity(0)):
            self.world.jump(LEASE_SECONDS + 1)  # it counts as dead only then
        edit = self._edit if self.rough and self.store.fence and self.rng.random() < 0.15 else None
        SimulatedSupervisor(self.world, host, cancel=cancel, edit=edit)

    def _edit(self, fence: int) -> None:
        """An edited task file: a task less, a task more."""
        self.store.check_fence(fence)
        rows, plan = self.store.rows, self.plan
        loose = [no for no, row in rows.items() if not plan.downstream[no] and self._may_go(no, row)]
        if loose and len(rows) > 1:
            gone = self.rng.choice(loose)
            plan.remove(gone)
            del rows[gone]
            self.world.seen["a task was edited out"] += 1
        upstream = tuple(sorted(self.rng.sample(sorted(rows), self.rng.randint(0, min(2, len(rows))))))
        plan.add(self._next_no, upstream, draw_policy(self.rng))
        rows[self._next_no] = Row()
        self.store.used[self._next_no] = 0
        self._next_no += 1

    def _may_go(self, no: int, row: Row) -> bool:
        return row.state in (TaskState.PENDING, TaskState.FAILED) and not self.world.open.get(no)

    # --------------------------------------------------------------------------------------------- the end

    def _check_over(self) -> None:
        """Every task is SUCCESS, FAILED, or behind a failure; nobody holds anything."""
        rows = self.store.rows
        for no, row in rows.items():
            if row.state is TaskState.PENDING:
                stuck = any(rows[one].state is not TaskState.SUCCESS for one in self.plan.upstream[no])
                expect(stuck, "PENDING at the end, with nothing before it", no, row)
            else:
                expect(row.state is not TaskState.RUNNING, "RUNNING at the end", no, row)
        held = [worker.identity.pid for worker in self.world.workers if worker.holds_something]
        expect(not held, "workers hold something at the end", held)
        still = [one.attempt for group in self.world.open.values() for one in group if one.counted]
        expect(not still, "something still runs at the end", still)


def _doing(worker: SimulatedWorker) -> str:
    if worker.looked:
        return "about to begin"
    if worker.executing:
        return "executing"
    return "with an outcome" if worker.kept else "idle"


def _brief(what: object) -> str:
    """A batch in a line."""
    if not isinstance(what, Batch):
        return str(what)
    claims = [f"{one.task_no}.{one.attempt}@{one.worker.pid}" for one in what.claims]
    ends = [f"{one.task_no}.{one.attempt} {one.end.outcome}>{one.to}" for one in what.endings]
    backs = [f"{one.task_no}.{one.attempt}" for one in what.give_backs]
    resets = [one.task_no for one in what.resets]
    settles = [one.task_no for one in what.settles]
    return (
        f"#{what.number} claims {claims} ends {ends} backs {backs} resets {resets} settles {settles}"
        f" run {what.run_state} release {what.release}"
    )


def live(seed: int) -> World:
    """One life; a promise that is broken is raised with the seed and what happened last."""
    life = Life(seed)
    try:
        return life.live()
    except Exception as error:
        what = "\n".join(" ".join(map(_brief, line)) for line in list(life.world.trace)[-80:])
        raise Broken(f"seed {seed}: {error!r}\n{life.plan}\n{what}") from error
