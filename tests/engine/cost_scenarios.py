"""What a supervisor does for its tasks, counted: messages, their sendings, batches, turns. Each returns JSON values."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mflow.engine.channel import Channel
from mflow.engine.supervisor import Supervisor
from tests.engine.driven import Drive, bash


def counted(drive: Drive) -> dict[str, int]:
    """Drive it to the end; how often each thing was done by the supervisor."""
    counts: Counter[str] = Counter()

    def count(what: str, call: Callable[..., Any], weigh: Callable[[Any], int]) -> Callable[..., Any]:
        def calling(*arguments: Any) -> Any:
            result = call(*arguments)
            counts[what] += weigh(result)
            return result

        return calling

    Channel.queue = count("said", Channel.queue, lambda _: 1)  # type: ignore[method-assign]
    Channel.flush = count("sendings", Channel.flush, lambda _: 1)  # type: ignore[method-assign]
    Channel.receive = count("received", Channel.receive, len)  # type: ignore[method-assign]
    Supervisor._turn = count("turns", Supervisor._turn, lambda _: 1)  # type: ignore[method-assign]
    assert drive.supervise().exit_code == 0
    return {**counts, "batches": len(drive.store.batches)}


def chain(folder: Path) -> dict[str, int]:
    """Thirty short tasks, each after the one before."""
    names = [f"t{number}" for number in range(30)]
    before = [[], *([name] for name in names)]
    tasks = [bash(name, "true", *depends) for name, depends in zip(names, before, strict=False)]
    return counted(Drive(folder, tasks, max_process_concurrency=1))


def wide(folder: Path) -> dict[str, int]:
    """Two hundred short tasks that depend on nothing."""
    return counted(Drive(folder, [bash(f"t{number}", "true") for number in range(200)]))


def patient(folder: Path) -> dict[str, int]:
    """Three tasks that take their time, one after the other: nothing is to be done meanwhile."""
    tasks = [bash("a", "sleep 0.5"), bash("b", "sleep 0.5", "a"), bash("c", "sleep 0.5", "b")]
    return counted(Drive(folder, tasks, check_new_config_interval=3600))
