"""What a killed worker's attempt has left is found and ended, also if it is another process at every look."""

import fcntl
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

from mflow.core.names import TOKENS_VARIABLE
from mflow.core.recovery import Swept
from mflow.engine import procfs
from mflow.engine.attempt_log import Leader, is_locked
from mflow.engine.family import Family
from mflow.engine.hunt import Hunt
from mflow.engine.trail import Trail
from tests.engine.boss import Fifo, is_over
from tests.engine.nobody import as_nobody

UID = "feedfacefeedfacefeedfacefeedface"
TOKEN = f"{UID}:3:1"

ENDED = Swept(found=True)

# Forks and exits in a circle; tells at the first turn, and keeps the FIFO open as long as any of it lives.
HOPPER = """
import os, sys, time
os.setsid()
told = os.open(sys.argv[1], os.O_WRONLY)
os.write(told, b"hops\\n")
while True:
    if os.fork():
        os._exit(0)
    time.sleep(0.005)
"""


def start(code: str, *arguments: str, tokens: str = TOKEN) -> None:
    """Start a Python process that is nobody's child."""
    argv = f"[sys.executable, '-c', {code!r}, *sys.argv[1:]]"
    starter = f"import os, subprocess, sys; subprocess.Popen({argv}); os._exit(0)"
    environ = os.environ | {TOKENS_VARIABLE: tokens}
    subprocess.run([sys.executable, "-c", starter, *arguments], env=environ, check=True)


def hunt(*logs: Path, family: Family | None = None, leader: Leader | None = None, ours: bool = True) -> Swept:
    """For one attempt; what the test's own process has for children already is spared."""
    trail = Trail((3, 1), TOKEN.encode(), tuple(map(str, logs)), 0, leader)
    return Hunt(UID, [trail], family or Family(), ours=ours).until(20)[3, 1]


def test_a_hopper_that_is_nobodys_child(tmp_path: Path) -> None:
    fifo = tmp_path / "told"
    os.mkfifo(fifo)
    start(HOPPER, str(fifo))
    with fifo.open("rb", buffering=0) as told:
        assert told.readline() == b"hops\n"
        assert hunt() == ENDED
        assert told.read() == b"", "the kernel says that nobody of it is left"


def test_nobody_lives_to_see_the_end_of_another(tmp_path: Path) -> None:
    """A script whose child is killed would go on as if nothing had happened."""
    fifo = Fifo(tmp_path / "told")
    seen = tmp_path / "seen"
    script = f"for no in {' '.join(map(str, range(20)))}; do sleep 600 & done; echo $$ > {fifo}; wait -n; echo > {seen}"
    for _ in range(5):
        start(f"import os; os.execvp('bash', ['bash', '-c', {script!r}])")
        fifo.pid()
        assert hunt() == ENDED
        assert not seen.exists()


def test_only_who_bears_the_token_is_ended(tmp_path: Path) -> None:
    one, other = Fifo(tmp_path / "one"), Fifo(tmp_path / "other")
    code = "import os, sys, time; open(sys.argv[1], 'w').write(f'{os.getpid()}\\n'); time.sleep(600)"
    start(code, str(one), tokens=f"outer:1:1 {TOKEN}")
    start(code, str(other), tokens=f"{TOKEN}1")
    bearer, stranger = one.pid(), other.pid()
    try:
        assert hunt() == ENDED
        assert is_over(bearer)
        assert not is_over(stranger)
    finally:
        os.kill(stranger.pid, 9)


def test_children_are_ended_with_or_without_the_token_unless_they_are_spared() -> None:
    family = Family()
    mine = [subprocess.Popen(["sleep", "600"], env={}) for _ in range(2)]
    family.spare(mine[1].pid)
    assert hunt(family=family).is_over
    assert mine[0].wait() == -9
    assert mine[1].poll() is None
    mine[1].kill()
    mine[1].wait()


def test_a_cleared_environment_hides_neither_who_writes_the_log_nor_children(tmp_path: Path) -> None:
    folder = tmp_path / "real"
    folder.mkdir()
    (tmp_path / "logs").symlink_to(folder)
    log, writer, child = tmp_path / "logs" / "a.1.log", Fifo(tmp_path / "writer"), Fifo(tmp_path / "child")
    alone = (
        "import os, sys; os.execve('/bin/sh', ['sh', '-c', f'echo $$ > {sys.argv[1]}; exec sleep 600'], {})"
    )
    start(f"import os; os.dup2(os.open({str(log)!r}, os.O_WRONLY | os.O_CREAT), 1); {alone}", str(writer))
    start(f"import os; os.fork() and os.wait(); {alone}", str(child))
    ended = [writer.pid(), child.pid()]
    with log.open(encoding="ascii"):  # who reads it is no part of the attempt
        assert hunt(log) == ENDED
    assert all(is_over(one) for one in ended)


FEW_DESCRIPTORS = """
import os, resource, sys
from mflow.engine.family import Family
from mflow.engine.hunt import Hunt
from mflow.engine.trail import Trail
free = os.dup(0)
os.close(free)
family, hunt = Family(), Hunt(sys.argv[1], [Trail((3, 1), sys.argv[2].encode(), (), 0)], Family(), ours=False)
resource.setrlimit(resource.RLIMIT_NOFILE, (free + int(sys.argv[3]), free + int(sys.argv[3])))
try:
    print(hunt.until(20)[3, 1].found)
except OSError as error:
    print(error.strerror)
"""


def test_few_descriptors_are_enough_and_nobody_stays_stopped_without_any(tmp_path: Path) -> None:
    fifo = Fifo(tmp_path / "told")
    script = f"for no in {' '.join(map(str, range(30)))}; do sleep 600 & done; echo $$ > {fifo}; wait"
    start(f"import os; os.execvp('bash', ['bash', '-c', {script!r}])")
    shell = fifo.pid()
    for count, said in ((1, "Too many open files"), (4, "True")):
        argv = [sys.executable, "-c", FEW_DESCRIPTORS, UID, TOKEN, str(count)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        assert done.stdout.strip() == said
        if not is_over(shell):
            states = [
                found.state
                for pid in procfs.pids()
                if (found := procfs.read_stat(pid)) and shell.pid in (pid, found.parent)
            ]
            assert b"T" not in states
    assert is_over(shell)


UNDUMPABLE = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(4, 0)
os.write(os.open(sys.argv[1], os.O_WRONLY), f"{os.getpid()}\\n".encode())
time.sleep(600)
"""


def _is_doubtful(pid: int, trail: Trail) -> str:
    return str(pid in Hunt(UID, [trail], Family(), ours=False).until(20)[3, 1].doubtful)


def test_an_orphan_of_which_nothing_can_be_read_is_named_and_left_alone(tmp_path: Path) -> None:
    """What ran sudo looks like that; here a process that nobody but root may look into."""
    fifo = Fifo(tmp_path / "told")
    start(f"import os; os.setsid()\n{UNDUMPABLE}", str(fifo), tokens="")
    pid = fifo.pid().pid
    try:
        now = procfs.read_stat(pid)
        assert now is not None
        for since, named in ((now.start_ticks, True), (now.start_ticks + 1, False)):
            trail = Trail((3, 1), TOKEN.encode(), (), since)
            said = as_nobody(partial(_is_doubtful, pid, trail))
            assert said == str(named)
        assert procfs.lives(pid)
    finally:
        os.kill(pid, 9)


def test_the_first_process_and_its_session_are_ended_whatever_they_have_dropped() -> None:
    leader = subprocess.Popen(
        ["sh", "-c", "sleep 600 & exec sleep 600"], env={}, start_new_session=True, stdout=subprocess.DEVNULL
    )
    try:
        found = procfs.read_stat(leader.pid)
        assert found is not None
        other = Leader(leader.pid, found.start_ticks - 1, b"-.-")
        assert not hunt(leader=other, ours=False).found, "that was another process of this number"
        assert hunt(leader=Leader(leader.pid, found.start_ticks, b"-.-"), ours=False) == ENDED
    finally:
        leader.kill()
        leader.wait()


def test_a_lock_on_the_log_leads_to_who_has_it_open_at_any_number(tmp_path: Path) -> None:
    log = tmp_path / "a.1.log"
    with log.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        holder = subprocess.Popen(
            ["sleep", "600"], env={}, pass_fds=[file.fileno()], stdout=subprocess.DEVNULL
        )
    try:
        assert is_locked(str(log))
        assert hunt(log, ours=False) == ENDED
        assert not is_locked(str(log))
    finally:
        holder.kill()
        holder.wait()
