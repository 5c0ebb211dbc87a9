"""Several processes and threads on one database at once."""

import itertools
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mflow.core.errors import StoreRefused, Superseded
from mflow.core.model import Batch
from mflow.core.states import RunState, TaskState
from mflow.store.patience import patient
from mflow.store.statements import advance_run
from tests.store.databases import Database
from tests.store.samples import claim, create, owner, running

ROOT = Path(__file__).parents[2]


def start(where: str, tasks: int) -> "subprocess.Popen[str]":
    """A process that will make a run and drive it, as soon as it is told so."""
    command = [sys.executable, "-m", "tests.store.one_run", where, str(tasks)]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_eight_processes_make_one_file_and_run_on_it(sqlite: Database) -> None:
    assert isinstance(sqlite.where, str)
    processes = [start(sqlite.where, 25) for _ in range(8)]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    done = [process.communicate() for process in processes]

    assert [err for _, err in done] == [""] * 8
    assert [process.returncode for process in processes] == [0] * 8
    store = sqlite.open()
    assert sorted(int(out) for out, _ in done) == list(range(1, 9))
    for summary in store.list_runs():
        assert summary.run.state is RunState.SUCCESS
        assert summary.run.owner is None
        assert summary.counts[TaskState.SUCCESS] == 25
        assert all(row.attempts == 1 for row in store.read_tasks(summary.run.id))


def at_once(*calls: Callable[[], Any]) -> list[Any]:
    """Call all of them at the same time, each in a thread; their answers, or what they raised."""
    barrier = threading.Barrier(len(calls))
    answers: list[Any] = [None] * len(calls)

    def one(place: int, call: Callable[[], Any]) -> None:
        barrier.wait()
        try:
            answers[place] = call()
        except Exception as error:
            answers[place] = error

    threads = [threading.Thread(target=one, args=each) for each in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_who_acquire_a_run_one_wins(database: Database) -> None:
    first, second = database.open(), database.open()
    run = create(first)
    for fence in range(1, 16):
        answers = at_once(
            partial(patient, partial(first.acquire, run.id, owner(101), fence=fence)),
            partial(patient, partial(second.acquire, run.id, owner(102), fence=fence)),
        )
        won = [place for place, answer in enumerate(answers) if answer == fence + 1]
        lost = [answer for answer in answers if isinstance(answer, Superseded)]
        assert (len(won), len(lost)) == (1, 1)
        assert first.read_run(run.id).owner == owner(101 + won[0])


def test_owner_and_successor_never_both_write(database: Database) -> None:
    """The old owner writes on until it is refused; from the moment the new one has the run, nothing of it arrives."""
    old, new = database.open(), database.open()
    for _ in range(5):
        run = running(old, 2)

        def write_on(run_id: int = run.id) -> int:
            number = 2
            with suppress(Superseded):
                for number in itertools.count(2):  # as long as the successor is kept waiting
                    patient(partial(old.apply, run_id, 1, Batch(number)))
            return number - 1

        def take_over(run_id: int = run.id) -> tuple[int, int]:
            fence = patient(lambda: new.acquire(run_id, owner(101), fence=1))
            patient(lambda: new.apply(run_id, fence, Batch(1, claims=(claim(0),))))
            return fence, new.read_run(run_id).fence

        written, taken = at_once(write_on, take_over)
        assert taken == (2, 2)
        assert isinstance(written, int)
        assert new.was_applied(run.id, 2, 1)
        assert not new.was_applied(run.id, 2, 2)


def test_same_batch_from_two_threads_is_applied_once(database: Database) -> None:
    """Two stores under one fence would be a defect; even so the rows stay consistent."""
    first, second = database.open(), database.open()
    run = running(first)
    batch = Batch(2, claims=(claim(0),))
    answers = at_once(
        lambda: patient(lambda: first.apply(run.id, 1, batch)),
        lambda: patient(lambda: second.apply(run.id, 1, batch)),
    )
    assert sorted(type(answer).__name__ for answer in answers) == ["NoneType", StoreRefused.__name__]
    assert first.read_tasks(run.id)[0].attempts == 1


def test_commit_still_under_way_is_waited_for_before_it_is_said_what_was_applied(database: Database) -> None:
    """The connection may be lost while the database has yet to carry out the commit: no hasty answer then."""
    sender, asker = database.open(), database.open()
    run = running(sender)
    conn = sender.dialect.begin(sender.engine, run.id, write=True)
    sender.dialect.many(conn, advance_run(None, release=False), [(2, run.id, 1)])
    asked = threading.Event()
    answers: list[bool] = []

    def ask() -> None:
        asked.set()
        answers.append(asker.was_applied(run.id, 1, 2))

    thread = threading.Thread(target=ask)
    thread.start()
    asked.wait()
    thread.join(0.3)
    assert answers == []
    sender.dialect.commit(conn)
    thread.join()
    assert answers == [True]
