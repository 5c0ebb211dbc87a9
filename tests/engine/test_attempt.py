"""Attempts of task types that are not bash: defects, threads, facts, and ends that do not come."""

import os
import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mflow.core.states import Outcome
from mflow.engine.messages import Ended, Facts, FactsKept, Lacking, Quit, Returned, Started, Stop
from tests.engine.boss import Boss, Fifo, doomed, is_over

RUNNERS = {
    name: f"tests.engine.odd_runners:{name}"
    for name in (
        "Exhausts",
        "NoThread",
        "StartFails",
        "StartFailsLate",
        "FinishFails",
        "StopFails",
        "StopForbidden",
        "SaysUnknown",
        "Deaf",
        "DoneAnyway",
        "Recorder",
        "StartRecorder",
        "Untellable",
    )
}
RUNNERS["bash"] = "mflow.tasks.bash:BashRunner"


@pytest.fixture
def boss(tmp_path: Path) -> Iterator[Boss]:
    boss = Boss(tmp_path, runners=RUNNERS, grace_seconds=0.2)
    yield boss
    boss.close()


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    fifo = Fifo(tmp_path / "told")
    yield fifo
    fifo.close()


def test_a_defect_at_the_start_ends_the_attempt_only(boss: Boss) -> None:
    given = boss.run("true", type="StartFails")
    end = boss.expect(Ended).end
    assert end.outcome is Outcome.ERROR
    assert end.message == "defect of task type 'StartFails' (start): RuntimeError: the start is broken"
    assert "Traceback" in boss.log(given)
    assert boss.end_of("true", task_no=2).ok


def test_a_lack_of_processes_is_no_end_and_leaves_no_log(boss: Boss, tmp_path: Path) -> None:
    (tmp_path / "exhausted").touch()
    given = boss.run("true", type="Exhausts", options={"command": "true", "facts": True})
    boss.run("true", task_no=2)
    lacking = boss.expect(Lacking)
    assert (lacking.task_no, lacking.attempt, lacking.spent) == (given.task_no, given.attempt, False)
    assert "ulimit -u" in lacking.what
    assert not Path(given.log).exists()
    first = boss.expect(Facts)
    (tmp_path / "exhausted").unlink()
    boss.run("true", type="Exhausts", options={"command": "true", "facts": True})  # under the same number
    assert boss.expect(Facts).serial > first.serial
    while (ended := boss.expect(Ended)).task_no != given.task_no:
        pass
    assert ended.end.ok


def test_a_thread_that_cannot_be_started_is_a_lack_too(boss: Boss) -> None:
    boss.run("true", type="NoThread")
    assert "ulimit -u" in boss.expect(Lacking).what


def test_a_log_that_cannot_be_opened_for_want_of_a_descriptor_is_a_lack(boss: Boss) -> None:
    soft, hard = resource.prlimit(boss.worker.identity.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(boss.worker.identity.pid, resource.RLIMIT_NOFILE, (3, hard))
    given = boss.run("true")
    assert "ulimit -n" in boss.expect(Lacking).what
    resource.prlimit(boss.worker.identity.pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert not Path(given.log).exists()
    assert boss.end_of("true").ok


def test_what_has_started_can_be_watched_though_no_descriptor_is_left(boss: Boss) -> None:
    assert boss.end_of("true").ok
    pid = boss.worker.identity.pid
    soft, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    highest = max(int(each.name) for each in Path(f"/proc/{pid}/fd").iterdir())
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (highest + 2, hard))  # one more: the log
    assert boss.end_of("true", task_no=2).ok
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (soft, hard))
    assert boss.end_of("true", task_no=3).ok


def test_what_was_started_before_a_failed_start_is_ended(boss: Boss, fifo: Fifo) -> None:
    """And it is not said that nothing ran."""
    boss.run(f"trap '' TERM; echo $$ > {fifo}; kill -STOP $$; sleep 1000", type="StartFailsLate")
    leader = fifo.pid()
    ended = boss.expect(Ended)
    assert ended.end.outcome is Outcome.ERROR
    assert ended.end.message == "cannot start: changed its mind"
    assert ended.end.started_at is not None
    assert not ended.retiring
    assert is_over(leader)
    assert boss.end_of("true", task_no=2).ok


def test_a_defect_at_the_finish(boss: Boss) -> None:
    boss.run("true", type="FinishFails")
    ended = boss.expect(Ended)
    assert ended.end.outcome is Outcome.ERROR
    assert ended.end.message is not None
    assert "(finish): KeyError: 'the finish is broken'" in ended.end.message
    assert boss.end_of("true", task_no=2).ok


def test_a_defect_in_stopping_does_not_save_the_attempt(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"trap '' TERM; echo $$ > {fifo}; sleep 1000", type="StopFails")
    leader = fifo.pid()
    boss.say(Stop(1, 1, 0.1))
    assert boss.expect(Ended).end.outcome is Outcome.CANCELLED
    assert is_over(leader)


def test_a_leader_that_must_not_be_signalled_is_no_defect(boss: Boss, fifo: Fifo) -> None:
    given = boss.run(f"trap '' TERM; echo $$ > {fifo}; sleep 1000", type="StopForbidden")
    fifo.pid()
    boss.say(Stop(1, 1, 0.1))
    ended = boss.expect(Ended)
    assert ended.end.outcome is Outcome.CANCELLED
    assert "Traceback" not in boss.log(given)


def test_unknown_stays_unknown_though_it_was_stopped(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"echo > {fifo}; sleep 1000", type="SaysUnknown")
    fifo.line()
    boss.say(Stop(1, 1, 10.0))
    end = boss.expect(Ended).end
    assert end.outcome is Outcome.UNKNOWN
    assert end.message == "stopped on request; the far side does not answer"


def test_an_end_that_does_not_come(boss: Boss) -> None:
    """Nothing is proven, and the worker is no good for another attempt."""
    boss.run("", type="Deaf", timeout_seconds=0.1)
    boss.run("true", task_no=2)
    ended = boss.expect(Ended)
    assert ended.end.outcome is Outcome.UNKNOWN
    assert ended.end.message == "timed out after 0.1 s; it did not end when told to"
    assert ended.retiring
    assert boss.expect(Returned).attempts == ((2, 1),)
    boss.run("true", task_no=3)
    assert boss.expect(Returned).attempts == ((3, 1),)
    boss.say(Quit())
    boss.wait_for_exit()


def test_work_elsewhere_that_is_done_counts_in_spite_of_a_stop(boss: Boss) -> None:
    boss.run("", type="DoneAnyway", timeout_seconds=0.1)
    end = boss.expect(Ended).end
    assert end.ok
    assert end.message == "timed out after 0.1 s"


def test_facts_from_a_thread(boss: Boss) -> None:
    boss.run("", type="Recorder")
    first, second = boss.expect(Facts), boss.expect(Facts)
    assert first == Facts(1, 1, {"session": "1,2", "tries": 1}, 1)
    assert second == Facts(1, 1, {"tries": 2}, 2)
    boss.say(FactsKept(1, 1, 1), FactsKept(9, 9, 9))
    boss.expect(Started)  # it still waits
    boss.say(FactsKept(1, 1, 2))
    assert boss.expect(Ended).end.message == "kept: [True]"


def test_facts_from_the_workers_own_thread(boss: Boss) -> None:
    boss.run("", type="StartRecorder")
    assert boss.expect(Facts) == Facts(1, 1, {"session": "3,4"}, 1)
    boss.run("true", task_no=2)  # must not be lost while the first attempt waits
    boss.say(FactsKept(1, 1, 1))
    assert boss.expect(Ended).end.message == "kept: True"
    assert boss.expect(Ended).end.ok


@pytest.mark.parametrize("kind", ["Recorder", "StartRecorder"])
def test_nobody_waits_for_a_dead_supervisor(tmp_path: Path, kind: str) -> None:
    """What was recorded is in the outcome file."""
    runners: dict[str, Any] = {"bash": RUNNERS[kind]}
    with doomed(tmp_path, "", runners=runners) as left:
        log = tmp_path / "logs" / "task-1.1.log"
        _wait_until_there(log)
        left.kill()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert kept.end.message in ("kept: [False]", "kept: False")
    assert "session" in kept.facts


def test_facts_that_json_cannot_hold_are_a_defect(boss: Boss) -> None:
    end = boss.end_of("", type="Untellable")
    assert end.outcome is Outcome.ERROR
    assert end.message is not None
    assert "TypeError" in end.message


def _wait_until_there(path: Path) -> None:
    """By watching the folder."""
    import ctypes

    libc = ctypes.CDLL(None)
    path.parent.mkdir(exist_ok=True)
    watch = libc.inotify_init1(0)
    assert libc.inotify_add_watch(watch, os.fsencode(path.parent), 0x100) >= 0  # IN_CREATE
    while not path.exists():
        os.read(watch, 4096)
    os.close(watch)
