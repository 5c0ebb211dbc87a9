"""A real worker, real processes, real signals."""

import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mflow.core.model import LOG_FACT
from mflow.core.names import TOKENS_VARIABLE
from mflow.core.states import Outcome
from mflow.engine.attempt_log import WITNESS
from mflow.engine.identity import identity_of, signal_pidfd
from mflow.engine.messages import (
    Ack,
    Ended,
    Facts,
    GiveBack,
    Quit,
    Returned,
    Run,
    Started,
    Stop,
)
from mflow.engine.outcome_file import outcome_path
from mflow.engine.procfs import read_stat
from tests.chaos.site import eventually
from tests.engine.boss import RUN_UID, Boss, Fifo, await_exit, doomed, is_over, job

FIGHTER = Path(__file__).with_name("fighter.py")

BossMaker = Callable[..., Boss]


@pytest.fixture
def make_boss(tmp_path: Path) -> Iterator[BossMaker]:
    """Makes supervisors of workers with other settings; their workers end with the test."""
    made: list[Boss] = []

    def make(**changes: Any) -> Boss:
        made.append(Boss(tmp_path, **changes))
        return made[-1]

    yield make
    for boss in made:
        boss.close()


@pytest.fixture
def boss(make_boss: BossMaker) -> Boss:
    return make_boss()


@pytest.fixture
def fifo(tmp_path: Path) -> Iterator[Fifo]:
    """From the task to the test."""
    fifo = Fifo(tmp_path / "told")
    yield fifo
    fifo.close()


@pytest.fixture
def gate(tmp_path: Path) -> Iterator[Fifo]:
    """From the test to the task."""
    fifo = Fifo(tmp_path / "gate")
    yield fifo
    fifo.close()


# ------------------------------------------------------------------------------------------- how it ends


def test_a_command_that_succeeds(boss: Boss) -> None:
    before = datetime.now(UTC)
    given = boss.run("echo out; echo err >&2")
    ended = boss.expect(Ended)
    end = ended.end
    assert (end.outcome, end.exit_code, end.signal, end.message) == (Outcome.EXITED, 0, None, None)
    assert end.ok
    assert not ended.retiring
    assert boss.log(given) == "out\nerr\n"
    assert end.started_at is not None
    assert end.ended_at is not None
    assert before <= end.started_at <= end.ended_at <= datetime.now(UTC)
    assert end.cpu_seconds is not None
    assert end.cpu_seconds > 0
    assert end.max_rss_bytes is not None
    assert end.max_rss_bytes > 0


def test_a_short_attempt_sends_one_message(boss: Boss) -> None:
    boss.end_of("true")
    boss.end_of("false", task_no=2)
    assert boss.heard == []


def test_peak_memory_of_a_large_process(boss: Boss) -> None:
    end = boss.end_of(f"{sys.executable} -c 'b = bytearray(200_000_000); print(b.count(1))'")
    assert end.max_rss_bytes is not None
    assert 200_000_000 <= end.max_rss_bytes <= 400_000_000


def test_cpu_seconds_count_what_the_command_waited_for(boss: Boss) -> None:
    spin = f"{sys.executable} -c 'import time\nwhile time.process_time() < 0.3: pass'"
    end = boss.end_of(f"{spin}; true")
    assert end.cpu_seconds is not None
    assert end.cpu_seconds >= 0.3


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("exit 3", 3, None),
        ("no-such-command", 127, "a command was not found"),
        ("/etc/passwd", 126, "a command was found but could not be executed"),
        ("bash -c 'kill -9 $$'; exit $?", 137, "exit code 137: perhaps a command in it was ended by SIGKILL"),
    ],
)
def test_a_command_that_fails(boss: Boss, command: str, code: int, message: str | None) -> None:
    end = boss.end_of(command)
    assert (end.outcome, end.exit_code, end.message) == (Outcome.EXITED, code, message)


@pytest.mark.parametrize(
    ("name", "hint"), [("SIGKILL", "out of memory"), ("SIGSEGV", "crashed"), ("SIGUSR2", "killed by SIGUSR2")]
)
def test_a_command_that_is_killed(boss: Boss, name: str, hint: str) -> None:
    end = boss.end_of(f"ulimit -c 0; kill -s {name[3:]} $$")
    assert (end.outcome, end.exit_code, end.signal) == (Outcome.SIGNALLED, None, name)
    assert end.message is not None
    assert hint in end.message


# --------------------------------------------------------------------------------------- it cannot start


def test_no_such_cwd(boss: Boss, tmp_path: Path) -> None:
    end = boss.end_of("true", cwd=f"{tmp_path}/nowhere")
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message == f"cannot start: no such directory: {tmp_path}/nowhere (cwd)"
    assert end.started_at is None
    assert boss.end_of("true", task_no=2).ok


def test_cwd_is_a_file(boss: Boss, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    end = boss.end_of("true", cwd=f"{tmp_path}/file")
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message == f"cannot start: Not a directory: {tmp_path}/file (cwd)"


def test_bash_is_looked_up_in_the_path_of_the_task(boss: Boss, tmp_path: Path) -> None:
    ours = tmp_path / "bin"
    ours.mkdir()
    end = boss.end_of("true", env={"PATH": str(ours)})
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message == f"cannot start: no such command: bash (PATH is {str(ours)!r})"
    bash = ours / "bash"
    bash.write_text("#!/bin/sh\necho our own bash\n")
    end = boss.end_of("true", env={"PATH": str(ours)}, task_no=2)
    assert (end.outcome, end.message) == (
        Outcome.NOT_STARTED,
        f"cannot start: not executable: {bash}",
    )
    bash.chmod(0o755)
    given = boss.run("true", env={"PATH": str(ours)}, task_no=3)
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == "our own bash\n"


def test_an_exec_that_fails_in_the_child(boss: Boss, tmp_path: Path) -> None:
    """Only the kernel finds out, after the vfork: its answer still comes back as an error."""
    bash = tmp_path / "bash"
    bash.write_text("#!/no/such/interpreter\n")
    bash.chmod(0o755)
    for number in (1, 2):
        end = boss.end_of("true", env={"PATH": str(tmp_path)}, task_no=number)
        assert end.outcome is Outcome.NOT_STARTED
        assert end.message == f"cannot start: No such file or directory: {bash}"


def test_a_command_that_moved_is_found_again(boss: Boss, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        (folder / "bash").symlink_to("/bin/bash")
    path = {"PATH": f"{first}:{second}"}
    assert boss.end_of("true", env=path).ok
    (first / "bash").unlink()
    assert boss.end_of("true", env=path, task_no=2).ok


def test_a_command_longer_than_the_system_allows(boss: Boss) -> None:
    end = boss.end_of("true " + "x" * 200_000)
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message is not None
    assert end.message.startswith("cannot start: Argument list too long")


def test_a_nul_byte(boss: Boss) -> None:
    end = boss.end_of("echo \0")
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message == "cannot start: embedded null byte"


@pytest.mark.parametrize("taken_by", ["file", "link to nowhere"])
def test_a_log_that_is_there_is_never_appended_to(boss: Boss, tmp_path: Path, taken_by: str) -> None:
    given = job(tmp_path, "echo not me")
    log = Path(given.log)
    log.parent.mkdir()
    if taken_by == "file":
        log.write_text("another attempt")
    else:
        log.symlink_to("mflow-not-begun")
    boss.say(Run(given))
    end = boss.expect(Ended).end
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message is not None
    assert str(log) in end.message
    assert log.is_symlink() or log.read_text() == "another attempt"
    assert not (tmp_path / "fallback").exists()


def test_an_unknown_task_type(boss: Boss) -> None:
    end = boss.end_of("true", type="cobol")
    assert (end.outcome, end.message) == (Outcome.ERROR, "there is no task type 'cobol'")
    assert boss.end_of("true", task_no=2).ok


def test_a_task_type_that_cannot_be_imported(make_boss: BossMaker) -> None:
    boss = make_boss(runners={"bash": "mflow.no_such_module:Runner"})
    end = boss.end_of("true")
    assert end.outcome is Outcome.ERROR
    assert end.message is not None
    assert "mflow.no_such_module" in end.message


# ----------------------------------------------------------------------------------- what the child gets


def test_the_child_has_its_three_descriptors_and_its_log_once_more(boss: Boss) -> None:
    given = boss.run(
        f"{sys.executable} -c 'import os; print(sorted(os.listdir(\"/proc/self/fd\"), key=int))'"
    )
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == f"['0', '1', '2', '3', '{WITNESS}']\n"  # 3 is the listing itself


def test_stdin_is_empty(boss: Boss) -> None:
    given = boss.run("cat; readlink /proc/self/fd/0")
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == "/dev/null\n"


def test_signals_are_at_their_defaults_in_the_child(boss: Boss) -> None:
    """All but 32 and 33, which the C library keeps for itself (and ignores in what posix_spawn starts)."""
    given = boss.run("exec cat /proc/self/status")
    assert boss.expect(Ended).end.ok
    status = dict(line.split(":\t", 1) for line in boss.log(given).splitlines() if ":\t" in line)
    internal = 1 << 31 | 1 << 32
    assert int(status["SigIgn"], 16) & ~internal == 0
    assert int(status["SigBlk"], 16) == int(status["SigPnd"], 16) == 0


def test_the_child_leads_a_session_below_the_worker(boss: Boss) -> None:
    given = boss.run(
        "read -r _ _ _ ppid pgrp session _ < /proc/$$/stat; echo $ppid $(($pgrp == $$)) $(($session == $$))"
    )
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == f"{boss.worker.identity.pid} 1 1\n"


def test_the_environment(make_boss: BossMaker, tmp_path: Path) -> None:
    boss = make_boss(
        environ={"PATH": os.environ["PATH"], "BASE": "base", "BOTH": "base", TOKENS_VARIABLE: "outer"}
    )
    given = boss.run(
        "env", env={"BOTH": "task", "MINE": "ñandú", TOKENS_VARIABLE: "forged", "MFLOW_ATTEMPT": "9"}
    )
    assert boss.expect(Ended).end.ok
    found = dict(line.split("=", 1) for line in boss.log(given).splitlines())
    for added_by_bash in ("PWD", "SHLVL", "_"):
        found.pop(added_by_bash, None)
    assert found == {
        "PATH": os.environ["PATH"],
        "BASE": "base",
        "BOTH": "task",
        "MINE": "ñandú",
        "MFLOW_RUN_ID": "7",
        "MFLOW_TASK_ID": "task-1",
        "MFLOW_ATTEMPT": "1",
        TOKENS_VARIABLE: f"outer {RUN_UID}:1:1",
    }


def test_cwd_and_a_worker_that_pins_no_folder(boss: Boss, tmp_path: Path, gate: Fifo) -> None:
    given = boss.run(f"pwd; read -r < {gate}", cwd=str(tmp_path))
    boss.expect(Started)
    assert Path(f"/proc/{boss.worker.identity.pid}/cwd").readlink() == Path("/")
    gate.write("go")
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == f"{tmp_path}\n"


def test_what_a_worker_holds(boss: Boss) -> None:
    """Only its own: a pipe of `mflow run | tee`, or of the fork server, would be kept open beyond its supervisor."""
    boss.end_of("true")
    boss.say(GiveBack(()))
    boss.expect(Returned)  # so the acknowledgement has been heard, and the log let go of
    folder = Path(f"/proc/{boss.worker.identity.pid}/fd")
    held = sorted(str(each.readlink()).partition(":")[0] for each in folder.iterdir())
    null = ["/dev/null"] * 4  # one of them in reserve
    assert held == sorted([*null, "anon_inode", "anon_inode", "pipe", "pipe", "socket"])  # epoll, pidfd
    assert os.getsid(boss.worker.identity.pid) == boss.worker.identity.pid


# ------------------------------------------------------------------------------------------- the queue


def test_attempts_run_one_after_another(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    boss.run(f"echo first > {fifo}; read -r < {gate}", task_no=1)
    boss.run(f"echo second > {fifo}", task_no=2)
    assert fifo.line() == "first"
    gate.write("go")
    assert fifo.line() == "second"
    assert [boss.expect(Ended).task_no, boss.expect(Ended).task_no] == [1, 2]


def test_a_long_attempt_says_that_it_has_started(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    boss.run(f"echo $$ > {fifo}; read -r < {gate}")
    started = boss.expect(Started)
    assert (started.task_no, started.attempt) == (1, 1)
    assert started.pid == int(fifo.line())
    gate.write("go")
    assert boss.expect(Ended).end.started_at == started.started_at


def test_what_has_not_begun_is_given_back(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    boss.run(f"echo first > {fifo}; read -r < {gate}", task_no=1)
    for number in (2, 3, 4):
        boss.run("true", task_no=number)
    assert fifo.line() == "first"
    boss.say(GiveBack(((1, 1), (3, 1), (4, 1), (5, 1))))
    assert boss.expect(Returned).attempts == ((3, 1), (4, 1))
    gate.write("go")
    assert [boss.expect(Ended).task_no, boss.expect(Ended).task_no] == [1, 2]
    boss.run("true", task_no=3)
    assert boss.expect(Ended).end.ok
    assert not Path(job(boss.folder, "", task_no=4).log).exists()


def test_a_queued_attempt_that_is_stopped_is_given_back(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    boss.run(f"echo first > {fifo}; read -r < {gate}", task_no=1)
    boss.run("true", task_no=2)
    assert fifo.line() == "first"
    boss.say(Stop(2, 1, 5.0), Stop(9, 9, 5.0))
    assert boss.expect(Returned).attempts == ((2, 1),)
    gate.write("go")
    assert boss.expect(Ended).task_no == 1


def test_a_worker_that_is_told_to_quit(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    given = boss.run(f"echo first > {fifo}; read -r < {gate}", task_no=1)
    boss.run("true", task_no=2)
    assert fifo.line() == "first"
    boss.say(Quit())
    boss.run("true", task_no=3)
    assert boss.expect(Returned).attempts == ((3, 1),)
    gate.write("go")
    assert boss.expect(Ended).end.ok
    boss.wait_for_exit()
    assert Path(outcome_path(given.log)).exists()  # nobody had acknowledged


# --------------------------------------------------------------------------------------- told to end


def test_stop(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"sleep 1000 & echo $! > {fifo}; wait")
    sleeper = fifo.pid()
    boss.say(Stop(1, 1, 30.0))
    end = boss.expect(Ended).end
    assert (end.outcome, end.signal, end.message) == (Outcome.CANCELLED, "SIGTERM", "stopped on request")
    assert is_over(sleeper)


def test_a_task_that_ends_well_when_told_to_was_still_told_to(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"trap 'exit 0' TERM; echo > {fifo}; while :; do sleep 0.01; done")
    fifo.line()
    boss.say(Stop(1, 1, 30.0))
    end = boss.expect(Ended).end
    assert (end.outcome, end.exit_code) == (Outcome.CANCELLED, 0)
    assert not end.ok


def test_a_stopped_process_hears_it(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"echo $$ > {fifo}; kill -STOP $$; sleep 1000")
    fifo.line()
    boss.say(Stop(1, 1, 1000.0))
    assert boss.expect(Ended).end.outcome is Outcome.CANCELLED


def test_ending_goes_top_down(boss: Boss, fifo: Fifo) -> None:
    """The leader hears TERM first and alone: it may end its children in its own way."""
    child = f"trap 'echo the child was told > {fifo}' TERM; echo > {fifo}; while :; do sleep 0.01; done"
    leader = f"trap 'echo the leader was told > {fifo}; kill -9 $child; exit 5' TERM"
    boss.run(f"{leader}; bash -c {shlex.quote(child)} & child=$!; wait; wait")
    fifo.line()
    boss.say(Stop(1, 1, 1000.0))
    assert boss.expect(Ended).end.exit_code == 5
    assert fifo.line() == "the leader was told"


def test_a_second_stop_shortens_the_grace(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"trap 'echo heard > {fifo}' TERM; echo > {fifo}; while :; do sleep 0.01; done")
    fifo.line()
    boss.say(Stop(1, 1, 1000.0))
    assert fifo.line() == "heard"
    boss.say(Stop(1, 1, 0.0))
    end = boss.expect(Ended).end
    assert (end.outcome, end.signal) == (Outcome.CANCELLED, "SIGKILL")


def test_a_time_limit(boss: Boss) -> None:
    end = boss.end_of("sleep 1000", timeout_seconds=0.1)
    assert (end.outcome, end.signal, end.message) == (Outcome.TIMED_OUT, "SIGTERM", "timed out after 0.1 s")
    assert boss.end_of("true", task_no=2).ok


def test_a_time_limit_beyond_all_limits(boss: Boss) -> None:
    assert boss.end_of("true", timeout_seconds=1e300).ok


def test_an_end_in_time_counts_though_the_worker_slept_past_the_deadline(boss: Boss, tmp_path: Path) -> None:
    boss.run(f"until [ -e {tmp_path}/go ]; do read -t 0.02 < <(:); done", timeout_seconds=0.5)
    pid, deadline = boss.expect(Started).pid, time.monotonic() + 0.5
    assert pid is not None
    signal_pidfd(boss.worker.pidfd, signal.SIGSTOP)
    (tmp_path / "go").touch()
    eventually(lambda: (leader := read_stat(pid)) and leader.state == b"Z")  # over, and nobody has looked
    eventually(lambda: time.monotonic() > deadline)
    signal_pidfd(boss.worker.pidfd, signal.SIGCONT)
    assert boss.expect(Ended).end.outcome is Outcome.EXITED


def test_a_time_limit_and_a_task_that_ignores_term(make_boss: BossMaker, fifo: Fifo) -> None:
    boss = make_boss(grace_seconds=0.2)
    boss.run(f"trap '' TERM; sleep 1000 & echo $! > {fifo}; wait; sleep 1000", timeout_seconds=0.1)
    sleeper = fifo.pid()
    end = boss.expect(Ended).end
    assert (end.outcome, end.signal) == (Outcome.TIMED_OUT, "SIGKILL")
    assert is_over(sleeper)


@pytest.mark.parametrize(
    "kinds", ["daemon session renamed phoenix", "comet", "comet comet comet phoenix daemon"]
)
def test_a_tree_that_fights_its_death(boss: Boss, fifo: Fifo, kinds: str) -> None:
    given = boss.run(f"exec {sys.executable} {FIGHTER} {fifo} {kinds}")
    told = [fifo.line() for _ in range(1 + len(kinds.split()))]
    fighters = [identity for pid in told if (identity := identity_of(int(pid)))]
    boss.say(Stop(1, 1, 0.2))
    ended = boss.expect(Ended)
    assert (ended.end.outcome, ended.end.survivors, ended.retiring) == (Outcome.CANCELLED, (), False)
    assert [fighter for fighter in fighters if not is_over(fighter)] == []
    assert _bearers(f"{RUN_UID}:1:1") == []
    assert boss.log(given) == ""
    assert boss.end_of("true", task_no=2).ok


# --------------------------------------------------------------------------------------- what it leaves


def test_a_background_child_does_not_hold_the_attempt(boss: Boss, fifo: Fifo) -> None:
    boss.run(f"sleep 1000 & echo $! > {fifo}; echo done", task_no=1)
    boss.run("true", task_no=2)
    sleeper = fifo.pid()
    ended = boss.expect(Ended)
    assert ended.end.ok
    assert ended.end.leftovers == (sleeper.pid,)
    assert ended.end.message == f"left running: sleep (pid {sleeper.pid})"
    assert ended.retiring
    assert boss.expect(Returned).attempts == ((2, 1),)
    boss.say(Ack(((1, 1),)))
    boss.wait_for_exit()
    assert not is_over(sleeper)
    os.kill(sleeper.pid, signal.SIGKILL)
    await_exit(sleeper.pid)


def test_leftovers_may_be_killed(make_boss: BossMaker, fifo: Fifo) -> None:
    boss = make_boss(leftovers="kill")
    boss.run(f"sleep 1000 & echo $! > {fifo}")
    sleeper = fifo.pid()
    ended = boss.expect(Ended)
    assert ended.end.ok
    assert (ended.end.leftovers, ended.retiring) == ((), False)
    assert is_over(sleeper)


def test_what_ends_by_itself_in_a_moment_is_no_leftover(boss: Boss) -> None:
    """Like a `tee` behind the output: it ends when it sees that the leader has."""
    ended = boss.end_of("exec > >(cat); echo through a pipe")
    assert ended.ok
    assert ended.leftovers == ()
    assert boss.end_of("true", task_no=2).ok


def test_after_a_failure_nothing_is_left(make_boss: BossMaker, fifo: Fifo, gate: Fifo) -> None:
    """A second try must not meet the first: its children end, politely at first."""
    boss = make_boss(grace_seconds=0.3)
    polite = f"trap 'echo told > {fifo}; exit' TERM; echo $BASHPID > {fifo}; while :; do sleep 0.01; done"
    rude = f"trap '' TERM; echo $BASHPID > {fifo}; while :; do sleep 0.01; done"
    boss.run(f"({polite}) & ({rude}) & read -r < {gate}; exit 4")
    children = [fifo.pid(), fifo.pid()]
    gate.write("go")
    ended = boss.expect(Ended)
    assert (ended.end.outcome, ended.end.exit_code, ended.retiring) == (Outcome.EXITED, 4, False)
    assert fifo.line() == "told"
    assert all(is_over(child) for child in children)


def test_orphans_that_end_leave_no_zombies(boss: Boss, fifo: Fifo, gate: Fifo) -> None:
    boss.run(f"(sleep 0.2 & echo $! > {fifo}); read -r < {gate}")
    orphan = fifo.pid()
    boss.expect(Started)
    await_exit(orphan.pid)
    gate.write("go")
    assert boss.expect(Ended).end.ok
    assert identity_of(orphan.pid) != orphan


# ------------------------------------------------------------------------- acknowledgements and files


def test_an_end_that_is_not_acknowledged_goes_to_a_file(make_boss: BossMaker) -> None:
    boss = make_boss(ack_seconds=0.0)
    given = boss.run("exit 3")
    boss.expect(Ended)
    path = Path(outcome_path(given.log))
    boss.run("true", task_no=2)  # by its end, the file of the first is written
    boss.expect(Ended)
    assert path.exists()
    boss.say(Ack(((1, 1), (2, 1))))
    boss.run("true", task_no=3)
    boss.expect(Ended)
    assert not path.exists()


def test_an_acknowledged_end_leaves_no_file(make_boss: BossMaker) -> None:
    boss = make_boss()
    given = boss.run("exit 3")
    boss.expect(Ended)
    boss.say(Ack(((1, 1),)), Quit())
    boss.wait_for_exit()
    assert not Path(outcome_path(given.log)).exists()


def test_a_folder_that_vanished_is_made_again(boss: Boss, tmp_path: Path) -> None:
    given = boss.run("echo here", log=str(tmp_path / "run" / "deep" / "task.1.log"))
    assert boss.expect(Ended).end.ok
    assert boss.log(given) == "here\n"
    assert boss.heard == []


def test_a_log_that_cannot_be_goes_to_the_fallback_folder(boss: Boss, tmp_path: Path) -> None:
    (tmp_path / "not-a-folder").touch()
    boss.run("echo here", log=str(tmp_path / "not-a-folder" / "task.1.log"))
    facts = boss.expect(Facts)
    assert boss.expect(Ended).end.ok
    path = Path(facts.facts[LOG_FACT])
    assert path == tmp_path / "fallback" / "task.1.log"
    assert path.read_text() == "here\n"
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_no_log_anywhere(make_boss: BossMaker, tmp_path: Path) -> None:
    (tmp_path / "not-a-folder").touch()
    boss = make_boss(fallback_folder=str(tmp_path / "not-a-folder" / "fallback"))
    end = boss.end_of("true", log=str(tmp_path / "not-a-folder" / "task.1.log"))
    assert end.outcome is Outcome.NOT_STARTED
    assert end.message is not None
    assert end.message.startswith(
        f"cannot start: no log: {tmp_path}/not-a-folder/task.1.log: Not a directory"
    )


# ------------------------------------------------------------------------------- without a supervisor


def test_a_running_attempt_outlives_its_supervisor(tmp_path: Path, fifo: Fifo, gate: Fifo) -> None:
    command = f"echo before; echo > {fifo}; read -r word < {gate}; echo after $word; exit 3"
    with doomed(tmp_path, command, "echo never") as left:
        fifo.line()
        left.kill()
        gate.write("all")
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert (kept.end.outcome, kept.end.exit_code, kept.worker) == (Outcome.EXITED, 3, left.worker)
    assert Path(job(tmp_path, "").log).read_text() == "before\nafter all\n"
    assert not Path(job(tmp_path, "", task_no=2).log).exists()  # nothing that was queued begins
    assert left.outcome(task_no=2) is None


def test_nothing_of_a_dead_supervisor_keeps_its_output_open(tmp_path: Path, fifo: Fifo, gate: Fifo) -> None:
    """`mflow run | tee` ends with mflow: not the worker, the fork server nor the resource tracker hold the pipe."""
    with doomed(tmp_path, f"echo > {fifo}; read -r word < {gate}") as left:
        fifo.line()
        left.kill()
        assert left.process.stdout is not None
        assert left.process.stdout.read() == ""  # the end of the pipe, while the attempt still runs
        assert not is_over(left.worker)
        gate.write("go")
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert kept.end.ok


def test_a_time_limit_holds_without_a_supervisor(tmp_path: Path, fifo: Fifo) -> None:
    with doomed(tmp_path, f"echo > {fifo}; sleep 1000", timeout_seconds=0.5) as left:
        fifo.line()
        left.kill()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert kept.end.outcome is Outcome.TIMED_OUT


def test_a_worker_may_be_told_to_end_its_attempt_then(tmp_path: Path, fifo: Fifo) -> None:
    with doomed(tmp_path, f"sleep 1000 & echo $! > {fifo}; wait", on_supervisor_death="kill") as left:
        sleeper = fifo.pid()
        left.kill()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert (kept.end.outcome, kept.end.message) == (Outcome.CANCELLED, "its supervisor is gone")
    assert is_over(sleeper)


def test_an_adopter_asks_by_a_signal(tmp_path: Path, fifo: Fifo) -> None:
    with doomed(tmp_path, f"sleep 1000 & echo $! > {fifo}; wait") as left:
        sleeper = fifo.pid()
        left.kill()
        left.ask_worker_to_end()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert (kept.end.outcome, kept.end.signal) == (Outcome.CANCELLED, "SIGTERM")
    assert kept.end.message == "stopped on request"
    assert is_over(sleeper)


def test_without_a_supervisor_a_term_ends_the_attempt_in_order(tmp_path: Path, fifo: Fifo) -> None:
    with doomed(tmp_path, f"sleep 1000 & echo $! > {fifo}; wait") as left:
        sleeper = fifo.pid()
        left.kill()
        left.ask_worker_to_end(signal.SIGTERM)  # it may not have noticed the death yet
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert (kept.end.outcome, kept.end.signal) == (Outcome.CANCELLED, "SIGTERM")
    assert kept.end.message == "ended from outside while its supervisor was gone"
    assert is_over(sleeper)


def test_an_adopter_that_asks_again_is_obeyed_sooner(tmp_path: Path, fifo: Fifo) -> None:
    command = f"trap 'echo heard > {fifo}' TERM; echo > {fifo}; while :; do sleep 0.01; done"
    with doomed(tmp_path, command, grace_seconds=1000.0) as left:
        fifo.line()
        left.kill()
        left.ask_worker_to_end()
        assert fifo.line() == "heard"
        left.ask_worker_to_end()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert (kept.end.outcome, kept.end.signal) == (Outcome.CANCELLED, "SIGKILL")


def test_an_end_that_was_not_acknowledged_is_in_a_file(tmp_path: Path, fifo: Fifo) -> None:
    with doomed(tmp_path, f"echo > {fifo}; exit 3", f"echo > {fifo}") as left:
        fifo.line()
        fifo.line()
        left.kill()
        left.worker_exits()
        first, second = left.outcome(1), left.outcome(2)
    assert first is not None
    assert second is not None
    assert (first.end.exit_code, second.end.exit_code) == (3, 0)


def _without_folders(tmp_path: Path) -> None:
    """Take the run's folder away, and put something in its place that cannot be one."""
    (tmp_path / "logs").rename(tmp_path / "moved")
    (tmp_path / "logs").touch()


def test_an_end_that_cannot_be_written_is_kept_until_it_can(tmp_path: Path, fifo: Fifo, gate: Fifo) -> None:
    nowhere = str(tmp_path / "logs" / "fallback")
    command = f"echo $$ > {fifo}; read -r < {gate}; exit 3"
    with doomed(tmp_path, command, fallback_folder=nowhere) as left:
        leader = fifo.pid()
        left.kill()
        _without_folders(tmp_path)
        gate.write("go")
        await_exit(leader.pid)
        (tmp_path / "logs").unlink()
        left.worker_exits()
        kept = left.outcome()
    assert kept is not None
    assert kept.end.exit_code == 3


def test_an_end_that_cannot_be_written_does_not_hold_who_is_asked(tmp_path: Path, fifo: Fifo) -> None:
    nowhere = str(tmp_path / "logs" / "fallback")
    with doomed(tmp_path, f"echo > {fifo}; sleep 1000", fallback_folder=nowhere) as left:
        fifo.line()
        left.kill()
        _without_folders(tmp_path)
        left.ask_worker_until_it_exits()
    assert (tmp_path / "logs").is_file()


def test_an_idle_worker_leaves_with_its_supervisor(tmp_path: Path) -> None:
    with doomed(tmp_path) as left:
        left.kill()
        left.worker_exits()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTSTP])
def test_signals_that_mean_nothing_to_a_worker(boss: Boss, fifo: Fifo, gate: Fifo, signum: int) -> None:
    boss.run(f"echo > {fifo}; read -r < {gate}")
    fifo.line()
    signal.pidfd_send_signal(boss.worker.pidfd, signum)
    gate.write("go")
    assert boss.expect(Ended).end.ok


def _bearers(token: str) -> list[str]:
    """Commands of living processes that have this token in their environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            if token.encode() in (each / "environ").read_bytes():
                found.append((each / "comm").read_text().strip())
        except OSError:
            continue
    return found
