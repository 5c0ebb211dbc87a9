"""What the tests of the supervisor have done in processes of their own. Each returns JSON values."""

import os
import signal
import threading
from pathlib import Path
from typing import Any

from mflow.core.contracts import Pulse
from mflow.core.errors import StoreRefused
from mflow.core.model import Batch, RetryPolicy
from mflow.engine import persistence, pool
from mflow.engine.clock import boot_seconds
from tests.engine.driven import Drive, bash


def _verdict(drive: Drive, **changes: Any) -> dict[str, Any]:
    verdict = drive.supervise(**changes)
    return {
        "ending": verdict.ending.value,
        "exit_code": verdict.exit_code,
        "message": verdict.message,
        **drive.told(),
    }


def diamond(folder: Path) -> dict[str, Any]:
    tasks = [bash("a", "true"), bash("b", "true", "a"), bash("c", "true", "a"), bash("d", "true", "b", "c")]
    return _verdict(Drive(folder, tasks))


def failure_blocks(folder: Path) -> dict[str, Any]:
    return _verdict(Drive(folder, [bash("a", "exit 3"), bash("b", "true", "a"), bash("c", "true")]))


def retried(folder: Path) -> dict[str, Any]:
    policy = RetryPolicy(attempts=3, wait_seconds=0.01)
    return _verdict(Drive(folder, [bash("a", '[ "$MFLOW_ATTEMPT" = 3 ]', retry=policy)]))


def outage(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "true"), bash("b", "true", "a")])
    drive.store.unavailable = 3
    drive.store.lost_answers = 2
    return _verdict(drive)


def patience_over(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "true")], database_patience_seconds=0.0)
    drive.store.unavailable = 10**6
    return _verdict(drive)


def refused(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "true")])
    drive.store.refused = StoreRefused("the account is locked", hint="ask the DBA")
    return _verdict(drive)


def superseded(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "true"), bash("b", "true", "a")])

    def lose_the_fence(batch: Batch) -> None:
        if batch.claims:
            drive.store.fence = 2

    drive.store.on_apply = lose_the_fence
    return _verdict(drive)


def stopped(folder: Path) -> dict[str, Any]:
    """SIGTERM once the task has begun: it says so through a FIFO that a thread reads."""
    drive = Drive(folder, [bash("a", "echo > began; sleep 600"), bash("b", "true", "a")])
    _when_begun(folder, lambda: os.kill(os.getpid(), signal.SIGTERM))
    return _verdict(drive)


def stopped_twice(folder: Path) -> dict[str, Any]:
    """A task that ignores TERM: the second and third signal shorten a grace of ten minutes to nothing."""
    drive = Drive(
        folder, [bash("a", "trap '' TERM; echo > began; while :; do sleep 1; done")], kill_grace_seconds=600
    )

    note = drive.listener.note

    def again(text: str) -> None:
        note(text)
        if text.startswith("SIGINT") and len(drive.listener.notes) < 3:
            os.kill(os.getpid(), signal.SIGINT)

    drive.listener.note = again  # type: ignore[method-assign]
    _when_begun(folder, lambda: os.kill(os.getpid(), signal.SIGINT))
    return _verdict(drive)


def stopped_in_doubt(folder: Path) -> dict[str, Any]:
    """SIGTERM while a committed claim waits for the proof that the run is still ours: its answer came too late."""
    drive = Drive(folder, [bash("a", "echo > ran; sleep 600")])
    late, stopping = [0.0], threading.Event()
    vars(persistence)["boot_seconds"] = lambda: boot_seconds() + late[0]

    def take_long(batch: Batch) -> None:
        late[0] += persistence.FRESH_SECONDS * len(batch.claims)

    def stop_meanwhile(run_id: int, fence: int) -> Pulse:
        if late[0] and not stopping.is_set():
            os.kill(os.getpid(), signal.SIGTERM)
            assert stopping.wait(60)
        return Pulse(None)

    drive.store.on_apply = take_long
    drive.store.heartbeat = stop_meanwhile  # type: ignore[method-assign]
    drive.listener.note = lambda text: stopping.set()  # type: ignore[method-assign]
    return {**_verdict(drive), "ran": (folder / "ran").exists()}


def cancelled(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "echo > began; sleep 600"), bash("b", "true", "a")])

    def cancel() -> None:
        drive.store.cancelled_by = "operator"
        os.kill(os.getpid(), signal.SIGUSR1)

    _when_begun(folder, cancel)
    return _verdict(drive)


def hang_up(folder: Path) -> dict[str, Any]:
    drive = Drive(folder, [bash("a", "echo > began; read line < go")])
    os.mkfifo(folder / "go")

    def hang_up_and_go() -> None:
        os.kill(os.getpid(), signal.SIGHUP)
        (folder / "go").write_text("go\n")

    _when_begun(folder, hang_up_and_go)
    return _verdict(drive)


def worker_killed(folder: Path) -> dict[str, Any]:
    """The worker (the task's parent) dies; the task's children must not survive, and the run goes on."""
    command = 'if [ "$MFLOW_ATTEMPT" = 1 ]; then setsid sleep 601 & echo $! > orphan; echo $PPID > began; sleep 600; fi'
    drive = Drive(folder, [bash("a", command, retry=RetryPolicy(attempts=2))], max_process_concurrency=1)
    _when_begun(folder, lambda: None, lambda said: os.kill(int(said), signal.SIGKILL))
    told = _verdict(drive)
    told["orphan_lives"] = Path(f"/proc/{(folder / 'orphan').read_text().strip()}").exists()
    return told


def servers_killed(folder: Path) -> dict[str, Any]:
    """Neither the fork server nor the resource tracker is needed by what runs, or missed by what comes."""
    command = "echo > began; read line < go"
    drive = Drive(folder, [bash("a", command), bash("b", "setsid true; exit 0", "a"), bash("c", "true", "b")])
    os.mkfifo(folder / "go")

    def kill_servers() -> None:
        for pid in pool.own_servers():
            os.kill(pid, signal.SIGKILL)
        (folder / "go").write_text("go\n")

    _when_begun(folder, kill_servers)
    return _verdict(drive)


def many_at_once(folder: Path) -> dict[str, Any]:
    """All of them meet at a barrier that opens only when each has come: so all run at once."""
    os.mkfifo(folder / "come")
    os.mkfifo(folder / "go")
    count = 30
    gate = f"exec 3<>{folder}/come 4<>{folder}/go; echo x >&3; read line <&4"
    drive = Drive(folder, [bash(f"t{no}", gate) for no in range(count)], max_process_concurrency=count)

    def open_gate() -> None:
        with (
            (folder / "come").open("rb+", buffering=0) as come,
            (folder / "go").open("rb+", buffering=0) as go,
        ):
            seen = 0
            while seen < count:
                seen += come.read(64).count(b"x")
            go.write(b"go\n" * count)

    _in_thread(open_gate)
    return _verdict(drive)


def _when_begun(folder: Path, action: Any, with_word: Any = None) -> None:
    """Do something as soon as the task writes to the FIFO `began`."""
    os.mkfifo(folder / "began")

    def wait() -> None:
        said = (folder / "began").read_text()
        if with_word is not None:
            with_word(said)
        action()

    _in_thread(wait)


def _in_thread(action: Any) -> None:
    import threading

    threading.Thread(target=action, daemon=True).start()
