"""Workers die, and trees of tasks fight their death: the run goes on, and nobody is left."""

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mflow.core.states import Outcome
from mflow.engine.procfs import lives
from tests.chaos import census
from tests.chaos.site import Gate, Site, eventually

FIGHTER = '''
"""Processes that do not want to end. Each appends its pid to a file; the last one then tells that all are there."""

import os, signal, sys, time

pids, told = sys.argv[1:3]


def deaf():
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def enlist():
    with open(pids, "a") as file:
        file.write(f"{os.getpid()}\\n")


def forever():
    while True:
        time.sleep(600)


def in_child(act):
    if os.fork() == 0:
        act()
        os._exit(0)


def daemon():
    """Forks twice, and leads a session of its own."""
    os.setsid()
    in_child(lambda: (enlist(), forever()))


def renamed():
    """Bears another name, and an empty environment."""
    os.setsid()
    enlist()
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    os.execve(sys.executable, ["[kworker/0:1]", "-c", code], {})


def stopped():
    """Hears nothing, since it is stopped."""
    enlist()
    os.kill(os.getpid(), signal.SIGSTOP)
    forever()


def parent():
    """Makes a new child whenever one ends."""
    enlist()
    while True:
        in_child(lambda: time.sleep(600))
        os.wait()


def hopper():
    """Is another process at every look."""
    os.setsid()
    while True:
        if os.fork():
            os._exit(0)
        time.sleep(0.005)


deaf()
for act in (daemon, renamed, stopped, parent, hopper):
    in_child(act)
enlist()
while len(open(pids).read().split()) < 5:
    time.sleep(0.01)
with open(told, "w") as file:
    file.write("all\\n")
forever()
'''


def test_everybody_can_be_found(site: Site) -> None:
    """What the tests here kill, and look for at their end."""
    gate = site.gate("a")
    site.tasks(a=gate.command())
    run = site.run()
    gate.pid()
    roles = {process.role for process in census.census(site.mark)}
    assert roles == {"supervisor", "forkserver", "tracker", "worker", "task"}
    gate.open()
    assert run.end().code == 0


def test_a_killed_worker_is_named_and_replaced_and_its_orphans_are_ended(site: Site) -> None:
    gate = site.gate("a")
    orphans = "setsid sleep 601 & (setsid sleep 602 & sleep 603 &)"
    site.config(max_process_concurrency=1)
    site.tasks(a=f"{orphans}; {gate.tell('$PPID')}; sleep 604", b="true")
    run = site.run()
    worker = int(gate.told())
    bystanders = {one.pid for one in census.census(site.mark) if one.role != "task" and one.pid != worker}
    census.kill(worker)
    done = run.end()
    assert done.code == 1
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.outcome is Outcome.LOST
    assert "SIGKILL" in (end.message or "")
    assert site.states(run.id) == {"a": "FAILED", "b": "SUCCESS"}
    assert "a worker died while it held a" in done.err
    assert run.pid in bystanders
    site.assert_nobody_left()


def test_a_lost_attempt_is_tried_again_by_the_retry_policy(site: Site) -> None:
    gate = site.gate("a")
    command = f'[ "$MFLOW_ATTEMPT" = 2 ] || {{ {gate.tell("$PPID")}; sleep 600; }}'
    site.tasks(a={"command": command, "retries": 1})
    run = site.run()
    census.kill(int(gate.told()))
    assert run.end().code == 0
    assert [one.end.outcome for one in site.attempts(run.id, "a") if one.end] == [
        Outcome.LOST,
        Outcome.EXITED,
    ]
    site.assert_nobody_left()


def test_all_workers_and_their_server_die_at_once(site: Site) -> None:
    gate = site.gate("t")
    command = f'[ "$MFLOW_ATTEMPT" = 2 ] || {{ {gate.tell()}; sleep 600; }}'
    site.tasks(**{f"t{no}": {"command": command, "retries": 1} for no in range(4)})
    run = site.run()
    for _ in range(4):
        gate.told()
    for process in census.of_role(site.mark, "worker", "forkserver", "tracker"):
        census.kill(process.pid)
    assert run.end().code == 0
    for no in range(4):
        outcomes = [one.end.outcome for one in site.attempts(run.id, f"t{no}") if one.end]
        assert outcomes == [Outcome.LOST, Outcome.EXITED]
    site.assert_nobody_left()


def test_a_worker_that_dies_without_a_supervisor_leaves_a_lost_attempt_that_is_taken_up_again(
    site: Site,
) -> None:
    gate = site.gate("a")
    site.tasks(a=f'[ "$MFLOW_ATTEMPT" = 2 ] || {{ setsid sleep 601 & {gate.tell("$PPID")}; sleep 600; }}')
    run = site.run()
    worker = int(gate.told())
    run.kill()
    census.kill(worker)
    assert census.wait_gone([worker]) == []
    assert census.of_role(site.mark, "task"), "the orphans live on"
    assert site.resume(run.id).end().code == 0
    assert [one.end.outcome for one in site.attempts(run.id, "a") if one.end] == [
        Outcome.LOST,
        Outcome.EXITED,
    ]
    site.assert_nobody_left()


def test_a_child_that_was_there_before_mflow_is_none_of_its_business(site: Site) -> None:
    """A script that starts something in the background and then execs mflow."""
    gate = site.gate("a")
    site.tasks(a=f"{gate.tell('$PPID')}; sleep 604")
    script = f"sleep 605 & echo $! > before; exec {' '.join(site.command('run'))}"
    process = subprocess.Popen(["bash", "-c", script], cwd=site.folder, env=site.environ())
    census.kill(int(gate.told()))
    assert process.wait(60) == 1
    before = int((site.folder / "before").read_text())
    assert census.wait_gone([one.pid for one in census.census(site.mark) if one.pid != before]) == []
    assert [one.pid for one in census.census(site.mark)] == [before]
    census.kill(before)


def test_short_tasks_that_kill_their_workers_are_tried_again_and_nothing_else_suffers(site: Site) -> None:
    """Workers die with claims in their hands, and with claims that are just being committed for them."""
    killer = {"command": '[ "$MFLOW_ATTEMPT" != 1 ] || kill -9 $PPID', "retries": 1}
    site.tasks(**{f"t{no}": killer if no % 6 == 0 else "true" for no in range(120)})
    run = site.run()
    assert run.end().code == 0
    rows = site.rows(run.id)
    assert {name: row.attempts for name, row in rows.items() if row.attempts != 1} == {
        f"t{no}": 2 for no in range(0, 120, 6)
    }
    site.assert_nobody_left()


def test_a_machine_that_lacks_something_for_a_moment_costs_no_task_a_try(site: Site) -> None:
    """Every worker is out of descriptors, so that none can start anything; then they are there again."""
    gate = site.gate("a")
    site.config(max_process_concurrency=3)
    site.tasks(a=gate.command(), **{f"t{no}": {"command": "true", "depends": ["a"]} for no in range(30)})
    run = site.run()
    gate.pid()
    [worker] = [one.pid for one in census.of_role(site.mark, "worker")]
    soft, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (3, hard))
    gate.open()
    run.says("nothing new starts until that is over")
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (soft, hard))
    done = run.end()
    assert done.code == 0
    assert done.err.count("nothing new starts") == 1
    assert done.err.count("tasks start again") == 1
    assert {row.attempts for row in site.rows(run.id).values()} == {1}
    site.assert_nobody_left()


def test_a_stopped_worker_is_named_and_its_time_out_holds_after_all(site: Site) -> None:
    gate = site.gate("a")
    site.config(kill_grace_seconds=1, check_new_config_interval=0.1)
    site.tasks(a={"command": f"{gate.tell('$PPID')}; exec sleep 600", "timeout_seconds": 0.5})
    run = site.run()
    worker = int(gate.told())
    os.kill(worker, signal.SIGSTOP)
    done = run.end()
    assert done.code == 1
    assert done.err.count(f"its worker, pid {worker}, is stopped by a signal") == 1
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.outcome is Outcome.TIMED_OUT
    site.assert_nobody_left()


@pytest.mark.parametrize("adopted", [False, True])
def test_a_stopped_worker_hears_a_cancel(site: Site, adopted: bool) -> None:
    gate = site.gate("a")
    site.config(kill_grace_seconds=1)
    site.tasks(a=f"{gate.tell('$PPID')}; exec sleep 600")
    run = site.run()
    worker = int(gate.told())
    if adopted:
        run.kill()
        run = site.resume(run.id)
        run.says("adopted")
    os.kill(worker, signal.SIGSTOP)
    assert site.mflow("cancel", str(run.id)).code == 0
    assert run.end().code == 1
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.outcome is Outcome.CANCELLED
    site.assert_nobody_left()


def test_what_a_good_task_has_left_is_none_of_another_dead_worker(site: Site) -> None:
    """It has started a further process meanwhile, which bears nothing and has landed with the supervisor."""
    gate, go, pids = site.gate("a"), site.gate("go"), site.folder / "pids"
    alone = f"sh -c 'echo $$ >> {pids}; exec sleep 600' > /dev/null 2>&1 187>&-"
    later = (
        f"(read -r word < {site.folder}/go.go; env -i setsid {alone} & echo left > {site.folder}/go.begun)"
    )
    site.tasks(
        a=f"setsid bash -c 'setsid bash {site.folder}/later.sh & wait' > /dev/null 2>&1 &",
        b={"depends": ["a"], "command": f"{gate.tell('$PPID')}; exec sleep 601"},
    )
    site.file("later.sh", later)
    run = site.run()
    worker = int(gate.told())
    go.open()
    go.told()
    eventually(lambda: pids.exists() and pids.read_text().strip())
    census.kill(worker)
    assert run.end().code == 1
    daemon = int(pids.read_text())
    assert lives(daemon)
    assert site.states(run.id) == {"a": "SUCCESS", "b": "FAILED"}
    census.kill(daemon)
    for process in census.of_role(site.mark, "task"):
        census.kill(process.pid)


def fighters(site: Site, gate: Gate) -> tuple[str, Path]:
    """The command of a tree that fights, and the file with the pids of its members."""
    pids = site.folder / "pids"
    site.file("fighter.py", FIGHTER)
    return f"exec {sys.executable} {site.folder}/fighter.py {pids} {site.folder}/a.begun", pids


@pytest.mark.parametrize("how", ["cancel", "timeout", "sigterm"])
def test_a_tree_that_fights_its_death_is_ended_wholly(site: Site, how: str) -> None:
    gate = site.gate("a")
    command, pids = fighters(site, gate)
    site.config(kill_grace_seconds=1)
    site.tasks(a={"command": command} | ({"timeout_seconds": 3} if how == "timeout" else {}))
    run = site.run()
    gate.told()
    if how == "cancel":
        assert site.mflow("cancel", str(run.id)).code == 0
    elif how == "sigterm":
        run.kill(signal.SIGTERM)
    assert run.end().code == (143 if how == "sigterm" else 1)
    members = [int(pid) for pid in pids.read_text().split()]
    assert len(members) >= 5
    assert [pid for pid in members if Path(f"/proc/{pid}").exists()] == []
    end = site.rows(run.id)["a"].end
    assert end is not None
    assert end.survivors == ()
    assert end.outcome is (Outcome.TIMED_OUT if how == "timeout" else Outcome.CANCELLED)
    site.assert_nobody_left()


def test_a_tree_that_fights_is_ended_after_its_worker_was_killed(site: Site) -> None:
    gate = site.gate("a")
    command, pids = fighters(site, gate)
    site.tasks(a=command)
    run = site.run()
    gate.told()
    [worker] = [one.pid for one in census.of_role(site.mark, "worker") if _is_parent(one.pid, site.mark)]
    census.kill(worker)
    assert run.end().code == 1
    members = [int(pid) for pid in pids.read_text().split()]
    assert [pid for pid in members if Path(f"/proc/{pid}").exists()] == []
    site.assert_nobody_left()


def _is_parent(pid: int, mark: str) -> bool:
    return any(one.ppid == pid for one in census.of_role(mark, "task"))
