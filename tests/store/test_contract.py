"""What every state database must do: one suite, run on each kind there is (see `databases.py`)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa

from mflow.core.contracts import LEASE_SECONDS, Edit, NewRun
from mflow.core.errors import RunNotFound, StoreRefused, Superseded
from mflow.core.model import (
    AttemptEnd,
    Batch,
    Ending,
    GiveBack,
    Progress,
    Reset,
    RetryPolicy,
    RunRow,
    Settle,
    Task,
    TaskRow,
)
from mflow.core.states import Outcome, RunState, TaskState
from mflow.store.repository import SqlStore
from mflow.store.tables import runs
from tests.store.databases import Database
from tests.store.samples import (
    at,
    claim,
    create,
    definition,
    exited,
    failure,
    go,
    identity,
    new_run,
    owner,
    running,
    success,
)

PENDING, RUNNING, SUCCESS, FAILED = TaskState
NASTY = [
    "  blanks  ",
    "a/b",
    "añ→",
    "\N{OLD PERSIAN SIGN A}" * 1000,
    "quote ' \" -- ;",
    "%s :x ?",
    "new\nline",
    "x" * 1000,
]


def states(store: SqlStore, run_id: int) -> list[TaskState]:
    return [row.state for row in store.read_tasks(run_id)]


# --------------------------------------------------------------------------------------------------- a run


def test_new_run_is_read_as_it_was_made(store: SqlStore) -> None:
    new = replace(
        new_run(3, parent_run=7, parent_task="outer ✓", parent_attempt=2),
        definition=definition(3, config="/c.json", datasources="/o.json", oneshot="task 1"),
    )
    before = datetime.now(UTC) - timedelta(minutes=5)
    made = store.create_run(new, log_directory="/srv/logs/")
    run = store.read_run(made.id)

    assert run == made
    assert (run.uid, run.state, run.fence, run.owner) == (new.uid, RunState.PENDING, 1, new.owner)
    assert (run.taskfile, run.cwd) == ("/srv/jobs/tasks.json", "/srv/jobs")
    assert (run.config, run.datasources, run.oneshot) == ("/c.json", "/o.json", "task 1")
    assert run.folder == f"/srv/logs/run-{run.id}"
    assert (run.parent_run, run.parent_task, run.parent_attempt) == (7, "outer ✓", 2)
    assert before < run.created_at < datetime.now(UTC) + timedelta(minutes=5)
    assert (run.started_at, run.ended_at, run.cancelled_by, run.cancelled_at) == (None,) * 4
    assert run.lease_expired is False
    assert store.read_definition(run.id) == new.definition


def test_tasks_of_a_new_run(store: SqlStore) -> None:
    run = create(store, 2)
    assert store.read_tasks(run.id) == [
        TaskRow(0, "task 0", "bash", PENDING, max_attempts=2),
        TaskRow(1, "task 1", "bash", PENDING, max_attempts=2),
    ]
    assert store.read_attempts(run.id, 0) == []
    assert store.counts(run.id) == {PENDING: 2, RUNNING: 0, SUCCESS: 0, FAILED: 0}


def test_ids_ascend_and_the_newest_comes_first(store: SqlStore) -> None:
    assert store.newest_run() is None
    assert store.list_runs() == []
    runs = [create(store, count) for count in (1, 2, 3)]
    assert runs[0].id < runs[1].id < runs[2].id
    assert store.newest_run() == runs[2]
    assert [each.run for each in store.list_runs()] == runs[::-1]
    assert [each.counts[PENDING] for each in store.list_runs(2)] == [3, 2]
    assert all(set(each.counts) == set(TaskState) for each in store.list_runs())


def test_the_newest_run_is_an_outer_one_if_there_is_any(store: SqlStore) -> None:
    inner = create(store, 1, parent_run=4711)
    assert store.newest_run() == inner
    outer = create(store, 1)
    create(store, 1, parent_run=outer.id)
    assert store.newest_run() == outer
    assert len(store.list_runs()) == 3


def test_runs_that_have_an_owner(store: SqlStore) -> None:
    left, driven = running(store), running(store)
    store.apply(left.id, 1, Batch(2, release=True))
    assert [run.id for run in store.owned_runs()] == [driven.id]


def test_tasks_that_run(store: SqlStore) -> None:
    run = running(store)
    assert store.read_running(run.id) == []
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1), claim(2))))
    store.apply(run.id, 1, Batch(3, endings=(success(0),)))
    assert store.read_running(run.id) == store.read_tasks(run.id)[1:3]


def test_all_attempts_of_a_run(store: SqlStore) -> None:
    run = running(store)
    assert store.read_all_attempts(run.id) == []
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1))))
    store.apply(run.id, 1, Batch(3, endings=(success(0), failure(1)._replace(to=PENDING))))
    store.apply(run.id, 1, Batch(4, claims=(claim(1, 2),)))
    assert store.read_all_attempts(run.id) == [
        *store.read_attempts(run.id, 0),
        *store.read_attempts(run.id, 1),
    ]


def test_what_was_touched_since_the_last_look(store: SqlStore) -> None:
    run = running(store)
    since = datetime(1970, 1, 1, tzinfo=UTC)
    nothing, last = store.read_touched(run.id, since)
    assert nothing == []  # not tried yet
    assert last is not None
    store.apply(run.id, 1, Batch(2, claims=(claim(1),)))
    rows, last = store.read_touched(run.id, last)
    assert rows == [store.read_tasks(run.id)[1]]
    assert last is not None
    assert store.read_touched(run.id, last + timedelta(milliseconds=1)) == ([], last)


@pytest.mark.oracle
def test_newest_run_is_the_last_one_made_whatever_its_number(oracle: Database) -> None:
    """A sequence may have been made anew, or hand out numbers that another instance has kept back."""
    store = oracle.open()
    runs = [create(store, count) for count in (1, 2, 3)]
    oracle.execute(
        f"UPDATE mflow_runs SET created_at = created_at + INTERVAL '1' HOUR WHERE id = {runs[0].id}"
    )
    newest = store.newest_run()
    assert newest is not None
    assert newest.id == runs[0].id
    listed = store.list_runs()
    assert [each.run.id for each in listed] == [runs[0].id, runs[2].id, runs[1].id]
    assert [each.counts[PENDING] for each in listed] == [1, 3, 2]


def test_nasty_task_ids_come_back(store: SqlStore) -> None:
    tasks = tuple(Task(id=name, type="bash", options={"command": name}) for name in NASTY)
    run = store.create_run(new_run(definition=definition(tasks=tasks)), log_directory="/l")
    assert [row.id for row in store.read_tasks(run.id)] == NASTY
    assert store.read_definition(run.id).tasks == tasks


def test_numbers_of_an_edited_definition_are_kept(store: SqlStore) -> None:
    run = store.create_run(new_run(definition=definition(3, numbers=(1, 4, 9))), log_directory="/l")
    assert [row.task_no for row in store.read_tasks(run.id)] == [1, 4, 9]


def test_large_definition(store: SqlStore) -> None:
    tasks = tuple(Task(f"t{n}", "bash", options={"command": "x" * 100}) for n in range(2500))
    run = store.create_run(new_run(definition=definition(tasks=tasks)), log_directory="/l")
    assert store.read_definition(run.id).tasks == tasks
    assert len(store.read_tasks(run.id)) == 2500


def test_run_made_again_after_a_lost_answer_is_found(store: SqlStore) -> None:
    new = new_run()
    made = store.create_run(new, log_directory="/l")
    assert store.create_run(new, log_directory="/l") == made
    assert len(store.list_runs()) == 1


@pytest.mark.parametrize(
    "changed",
    [
        {"taskfile": "/srv/\udcff.json"},
        {"cwd": "/" + "x" * 4001},
        {"tasks": (Task("", "bash"),)},
        {"tasks": (Task("x" * 1001, "bash"),)},
        {"tasks": (Task("nul\0", "bash"),)},
        {"tasks": (Task("\udcff", "bash"),)},
    ],
)
def test_what_no_column_can_hold_is_refused(store: SqlStore, changed: dict[str, Any]) -> None:
    with pytest.raises(StoreRefused, match=r"path|task id"):
        store.create_run(new_run(definition=definition(**changed)), log_directory="/l")
    assert store.list_runs() == []


def test_no_such_run(store: SqlStore) -> None:
    for call in (
        lambda: store.read_run(987654321),
        lambda: store.read_definition(987654321),
        lambda: store.heartbeat(987654321, 1),
        lambda: store.apply(987654321, 1, Batch(1)),
        lambda: store.was_applied(987654321, 1, 1),
        lambda: store.set_folder(987654321, 1, "/l"),
        lambda: store.request_cancel(987654321, "ana"),
        lambda: store.acquire(987654321, owner(), fence=1),
        lambda: store.edit(987654321, 1, Edit(definition())),
    ):
        with pytest.raises(RunNotFound, match="no run 987654321"):
            call()
    assert store.read_tasks(987654321) == []
    assert store.read_attempts(987654321, 0) == []


def test_folder(store: SqlStore) -> None:
    run = create(store)
    store.set_folder(run.id, 1, "/srv/logs/run-1-0a1b2c3d")
    assert store.read_run(run.id).folder == "/srv/logs/run-1-0a1b2c3d"
    with pytest.raises(Superseded):
        store.set_folder(run.id, 2, "/elsewhere")


# ------------------------------------------------------------------------------------------ states of a run


def test_life_of_a_run(store: SqlStore) -> None:
    run = create(store, 1)
    store.apply(run.id, 1, Batch(1, run_state=RunState.RUNNING))
    begun = store.read_run(run.id)
    assert begun.state is RunState.RUNNING
    assert begun.started_at is not None
    assert begun.ended_at is None

    go(
        store,
        run,
        [Batch(2, claims=(claim(0),)), Batch(3, (), (success(0),), run_state=RunState.SUCCESS, release=True)],
    )
    over = store.read_run(run.id)
    assert (over.state, over.owner, over.lease_expired, over.fence) == (RunState.SUCCESS, None, None, 1)
    assert over.started_at == begun.started_at
    assert over.ended_at is not None
    assert over.ended_at >= begun.started_at


def test_resumed_run_has_no_end_and_keeps_its_start(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, run_state=RunState.FAILED, release=True))
    failed = store.read_run(run.id)
    fence = store.acquire(run.id, owner(101), fence=1)
    store.apply(run.id, fence, Batch(1, run_state=RunState.RUNNING))
    resumed = store.read_run(run.id)
    assert (resumed.state, resumed.started_at, resumed.ended_at) == (
        RunState.RUNNING,
        failed.started_at,
        None,
    )


def test_run_goes_only_where_runs_go(store: SqlStore) -> None:
    run = create(store)
    with pytest.raises(StoreRefused, match="does not go from PENDING to SUCCESS"):
        store.apply(run.id, 1, Batch(1, run_state=RunState.SUCCESS))
    assert store.read_run(run.id).state is RunState.PENDING


# ------------------------------------------------------------------------------------------- transitions


def test_claim(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(2, pid=201))))
    rows = store.read_tasks(run.id)
    assert rows[0] == TaskRow(
        0,
        "task 0",
        "bash",
        RUNNING,
        attempts=1,
        max_attempts=2,
        worker=identity(200),
        claimed_at=at(0),
        log="/srv/logs/run-1/0.1.log",
    )
    assert (rows[2].state, rows[2].worker) == (RUNNING, identity(201))
    assert [row.state for row in rows] == [RUNNING, PENDING, RUNNING, PENDING]
    [attempt] = store.read_attempts(run.id, 0)
    assert (attempt.task_no, attempt.attempt, attempt.log, attempt.claimed_at) == (0, 1, rows[0].log, at(0))
    assert (attempt.started_at, attempt.end) == (None, None)


def test_end_is_read_as_it_was_told(store: SqlStore) -> None:
    ends = [
        exited(0, leftovers=(7, 8)),
        AttemptEnd(
            Outcome.SIGNALLED,
            signal="SIGKILL",
            message="ended by SIGKILL ✗",
            started_at=at(1),
            ended_at=at(2),
        ),
        AttemptEnd(Outcome.ERROR, error="ORA-01403", message="no data\tfound", survivors=(11, 12, 4194304)),
        AttemptEnd(Outcome.LOST),
    ]
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=tuple(claim(no) for no in range(4))))
    store.apply(
        run.id, 1, Batch(3, endings=tuple(Ending(no, 1, FAILED, 1, end) for no, end in enumerate(ends)))
    )
    rows = store.read_tasks(run.id)
    assert [row.end for row in rows] == ends
    assert [row.started_at for row in rows] == [end.started_at for end in ends]
    assert [store.read_attempts(run.id, no)[0].end for no in range(4)] == ends


def test_retry_waits_and_its_attempts_are_all_kept(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    store.apply(run.id, 1, Batch(3, endings=(Ending(0, 1, PENDING, 1, exited(1), at(60)),)))
    waiting = store.read_tasks(run.id)[0]
    assert (waiting.state, waiting.attempts, waiting.tries, waiting.not_before) == (PENDING, 1, 1, at(60))
    assert waiting.end == exited(1)

    store.apply(run.id, 1, Batch(4, claims=(claim(0, 2, pid=201),)))
    again = store.read_tasks(run.id)[0]
    assert (again.state, again.attempts, again.tries, again.not_before, again.end) == (
        RUNNING,
        2,
        1,
        None,
        None,
    )
    store.apply(run.id, 1, Batch(5, endings=(Ending(0, 2, SUCCESS, 2, exited(0)),)))
    assert [(each.attempt, each.end) for each in store.read_attempts(run.id, 0)] == [
        (1, exited(1)),
        (2, exited(0)),
    ]
    assert store.read_tasks(run.id)[0].tries == 2


def test_task_ends_and_is_claimed_again_in_one_batch(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    retried = Ending(0, 1, PENDING, 1, exited(1))
    store.apply(run.id, 1, Batch(3, endings=(retried,), claims=(claim(0, 2), claim(1))))
    rows = store.read_tasks(run.id)
    assert [(row.state, row.attempts) for row in rows[:2]] == [(RUNNING, 2), (RUNNING, 1)]


def test_give_back_leaves_no_attempt_and_its_number_is_used_again(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1))))
    store.apply(run.id, 1, Batch(3, give_backs=(GiveBack(0, 1),)))
    row = store.read_tasks(run.id)[0]
    assert (row.state, row.attempts, row.worker, row.tries) == (PENDING, 0, None, 0)
    assert store.read_attempts(run.id, 0) == []
    store.apply(run.id, 1, Batch(4, give_backs=(GiveBack(1, 1),), claims=(claim(1, 1, pid=205), claim(0))))
    assert [row.attempts for row in store.read_tasks(run.id)[:2]] == [1, 1]
    assert store.read_tasks(run.id)[1].worker == identity(205)


def test_reset_renews_the_budget(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1))))
    store.apply(run.id, 1, Batch(3, endings=(failure(0), Ending(1, 1, PENDING, 1, exited(1), at(99)))))
    store.apply(run.id, 1, Batch(4, resets=(Reset(0), Reset(1), Reset(2))))
    rows = store.read_tasks(run.id)
    assert [(row.state, row.tries, row.not_before, row.attempts) for row in rows[:3]] == [
        (PENDING, 0, None, 1),
        (PENDING, 0, None, 1),
        (PENDING, 0, None, 0),
    ]


def test_settle_after_proof_of_a_good_end(store: SqlStore) -> None:
    run = running(store)
    unknown = AttemptEnd(Outcome.UNKNOWN, message="on host beta")
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    store.apply(run.id, 1, Batch(3, endings=(failure(0, end=unknown),)))
    store.apply(run.id, 1, Batch(4, settles=(Settle(0, 1, exited(0)),)))
    row = store.read_tasks(run.id)[0]
    assert (row.state, row.end) == (SUCCESS, exited(0))


def test_only_an_unknown_end_is_settled(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    store.apply(run.id, 1, Batch(3, endings=(failure(0),)))
    with pytest.raises(StoreRefused, match="settle"):
        store.apply(run.id, 1, Batch(4, settles=(Settle(0, 1, exited(0)),)))
    assert store.read_tasks(run.id)[0].end == exited(3)
    assert states(store, run.id)[0] is FAILED


def test_progress_is_kept_and_none_leaves_a_column(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1))))
    facts = {"sid": 101, "serial": 7, "name": "ñ", "nested": {"b": [1, None, True], "a": 2.5}}
    store.apply(run.id, 1, Batch(3, progress=(Progress(0, 1, at(3), 4711), Progress(1, 1, facts=facts))))
    store.apply(
        run.id, 1, Batch(4, progress=(Progress(0, 1, facts={"x": "y" * 5000}), Progress(1, 1, pid=99)))
    )
    first, second = store.read_tasks(run.id)[:2]
    assert (first.started_at, first.pid, first.facts) == (at(3), 4711, {"x": "y" * 5000})
    assert (second.started_at, second.pid, second.facts) == (None, 99, facts)


def test_progress_and_end_in_one_batch(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    ended = AttemptEnd(Outcome.LOST, ended_at=at(9))
    told = Batch(3, endings=(failure(0, end=ended),), progress=(Progress(0, 1, at(3), 4711, {"a": 1}),))
    store.apply(run.id, 1, told)
    row = store.read_tasks(run.id)[0]
    assert (row.pid, row.started_at, row.facts) == (4711, at(3), {"a": 1})
    assert row.end == ended._replace(started_at=at(3))


def test_instants_are_utc_to_the_microsecond(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0)._replace(claimed_at=at(0.000001)),)))
    local = datetime(2026, 7, 1, 1, 30, 0, 1, tzinfo=UTC).astimezone(timezone(timedelta(hours=2)))
    store.apply(run.id, 1, Batch(3, progress=(Progress(0, 1, local),)))
    row = store.read_tasks(run.id)[0]
    assert row.claimed_at == at(0.000001)
    assert row.started_at == local
    assert row.started_at is not None
    assert row.started_at.tzinfo is UTC


def test_long_and_strange_texts_of_an_end_are_cut_by_bytes(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1), claim(2))))
    message = "→" * 4000
    pids = tuple(range(4_000_000, 4_002_000))
    store.apply(
        run.id,
        1,
        Batch(
            3,
            endings=(
                failure(0, end=AttemptEnd(Outcome.ERROR, error="E" * 500, message=message, survivors=pids)),
                failure(1, end=AttemptEnd(Outcome.ERROR, error="", message="a\0b\udcffc")),
                failure(2, end=AttemptEnd(Outcome.ERROR, message="x" * 4000)),
            ),
        ),
    )
    ends = [row.end for row in store.read_tasks(run.id)[:3]]
    assert ends[0] is not None
    assert ends[0].message == "→" * 1332 + "..."
    assert ends[0].survivors == pids[: len(ends[0].survivors)]
    assert len(ends[0].survivors) == 500
    assert ends[0].error is not None
    assert len(ends[0].error) == 200
    assert ends[1] == AttemptEnd(Outcome.ERROR, message="a?b?c")
    assert ends[2] == AttemptEnd(Outcome.ERROR, message="x" * 4000)


# --------------------------------------------------------------------------------- what must not match


@pytest.mark.parametrize(
    ("batch", "kind"),
    [
        (Batch(3, claims=(claim(0, 2),)), "claim"),  # it is RUNNING
        (Batch(3, claims=(claim(1, 2),)), "claim"),  # its first attempt would be 1
        (Batch(3, claims=(claim(3, 1),)), "claim"),  # it is SUCCESS
        (Batch(3, claims=(claim(9, 1),)), "claim"),  # no such task
        (Batch(3, endings=(success(0, 2),)), "ending"),  # another attempt runs
        (Batch(3, endings=(success(1),)), "ending"),  # it is PENDING
        (Batch(3, endings=(success(3),)), "ending"),  # it is SUCCESS
        (Batch(3, give_backs=(GiveBack(1, 1),)), "give-back"),
        (Batch(3, give_backs=(GiveBack(3, 1),)), "give-back"),
        (Batch(3, resets=(Reset(0),)), "reset"),  # it is RUNNING
        (Batch(3, resets=(Reset(3),)), "reset"),  # SUCCESS stays SUCCESS
        (Batch(3, settles=(Settle(0, 1, exited()),)), "settle"),
        (Batch(3, progress=(Progress(1, 1, pid=1),)), "progress"),  # no such attempt
        (Batch(3, progress=(Progress(1, 1, facts={"a": 1}),)), "progress"),
    ],
)
def test_transition_that_does_not_match_undoes_the_batch(store: SqlStore, batch: Batch, kind: str) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(2), claim(3))))
    store.apply(run.id, 1, Batch(3, endings=(success(3),)))
    before = store.read_tasks(run.id), store.read_run(run.id)

    good = replace(
        batch, number=4, progress=(Progress(2, 1, pid=55), *batch.progress), run_state=RunState.RUNNING
    )
    with pytest.raises(StoreRefused, match=f"[12] x {kind} expected, but [01] matched"):
        store.apply(run.id, 1, good)
    after = store.read_tasks(run.id), store.read_run(run.id)
    assert after == before
    assert store.was_applied(run.id, 1, 4) is False


def test_batch_is_not_applied_twice(store: SqlStore) -> None:
    run = running(store)
    batch = Batch(2, claims=(claim(0),))
    store.apply(run.id, 1, batch)
    with pytest.raises(StoreRefused):
        store.apply(run.id, 1, batch)
    assert store.read_tasks(run.id)[0].attempts == 1


# ------------------------------------------------------------------------------------------- ownership


def test_acquire_by_compare_and_set(database: Database) -> None:
    first, second = database.open(), database.open()
    run = create(first)
    seen = second.read_run(run.id)
    assert first.acquire(run.id, owner(101), fence=seen.fence) == 2
    with pytest.raises(Superseded, match=f"run {run.id} is no longer owned"):
        second.acquire(run.id, owner(102), fence=seen.fence)
    assert first.read_run(run.id).owner == owner(101)


def test_superseded_owner_touches_nothing(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0),)))
    store.acquire(run.id, owner(101), fence=1)
    before = store.read_tasks(run.id), store.read_run(run.id)
    for call in (
        lambda: store.apply(run.id, 1, Batch(3, endings=(success(0),), claims=(claim(1),))),
        lambda: store.heartbeat(run.id, 1),
        lambda: store.was_applied(run.id, 1, 2),
        lambda: store.set_folder(run.id, 1, "/x"),
        lambda: store.edit(run.id, 1, Edit(definition(1))),
    ):
        with pytest.raises(Superseded):
            call()
    assert (store.read_tasks(run.id), store.read_run(run.id)) == before


def test_released_run_is_written_by_nobody_until_acquired(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, release=True))
    assert store.was_applied(run.id, 1, 2) is True
    with pytest.raises(Superseded):
        store.apply(run.id, 1, Batch(3, claims=(claim(0),)))
    with pytest.raises(Superseded):
        store.heartbeat(run.id, 1)
    assert store.acquire(run.id, owner(101), fence=1) == 2


def test_batches_are_counted_anew_by_each_owner(store: SqlStore) -> None:
    run = running(store)
    go(store, run, [Batch(2), Batch(3)])
    assert [store.was_applied(run.id, 1, number) for number in (2, 3, 4)] == [True, True, False]
    fence = store.acquire(run.id, owner(101), fence=1)
    assert store.was_applied(run.id, fence, 1) is False
    store.apply(run.id, fence, Batch(1))
    assert store.was_applied(run.id, fence, 1) is True


def test_acquired_again_after_a_lost_answer(store: SqlStore) -> None:
    run = create(store)
    mine = owner(101)
    assert store.acquire(run.id, mine, fence=1) == 2
    assert store.acquire(run.id, mine, fence=1) == 2
    with pytest.raises(Superseded):
        store.acquire(run.id, replace(mine, since=at(500)), fence=1)


def test_lease_is_renewed_and_runs_out_by_the_databases_clock(database: Database) -> None:
    store = database.open()
    run = create(store)
    with pytest.raises(Superseded):
        store.acquire(run.id, owner(101), fence=1, lapsed=True)
    expire(database)
    assert store.read_run(run.id).lease_expired is True
    store.heartbeat(run.id, 1)
    assert store.read_run(run.id).lease_expired is False
    expire(database)
    store.apply(run.id, 1, Batch(1))
    assert store.read_run(run.id).lease_expired is False
    expire(database)
    assert store.acquire(run.id, owner(101), fence=1, lapsed=True) == 2
    assert store.read_run(run.id).lease_expired is False


def test_lease_lasts_as_promised(database: Database) -> None:
    store = database.open()
    before = datetime.now(UTC)
    run = create(store)
    [(until,)] = database.select(f"SELECT lease_until_at FROM mflow_runs WHERE id = {run.id}")
    ends = (datetime.fromisoformat(until) if isinstance(until, str) else until).replace(tzinfo=UTC)
    assert LEASE_SECONDS - 5 < (ends - before).total_seconds() < LEASE_SECONDS + 60


def expire(database: Database) -> None:
    database.execute("UPDATE mflow_runs SET lease_until_at = created_at")


# ----------------------------------------------------------------------------------------------- cancel


def test_first_request_for_the_end_stays(store: SqlStore) -> None:
    run = running(store)
    assert store.heartbeat(run.id, 1).cancelled_by is None
    store.request_cancel(run.id, "ana")
    store.request_cancel(run.id, "bob")
    assert store.heartbeat(run.id, 1).cancelled_by == "ana"
    kept = store.read_run(run.id)
    assert kept.cancelled_by == "ana"
    assert kept.cancelled_at is not None
    assert abs((datetime.now(UTC) - kept.cancelled_at).total_seconds()) < 300


def test_an_order_for_the_end_survives_a_new_owner(store: SqlStore) -> None:
    run = running(store)
    store.request_cancel(run.id, "ana")
    asked = store.read_run(run.id)
    fence = store.acquire(run.id, owner(101), fence=1)
    assert store.heartbeat(run.id, fence).cancelled_by == "ana"
    store.request_cancel(run.id, "bob")
    kept = store.read_run(run.id)
    assert (kept.cancelled_by, kept.cancelled_at) == ("ana", asked.cancelled_at)


def test_an_order_survives_an_owner_that_let_go(store: SqlStore) -> None:
    run = running(store)
    store.request_cancel(run.id, "ana")
    store.apply(run.id, 1, Batch(2, release=True, interrupted_by="SIGTERM"))
    fence = store.acquire(run.id, owner(101), fence=1)
    assert store.heartbeat(run.id, fence).cancelled_by == "ana"


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.SUCCESS])
def test_an_order_is_done_with_when_the_run_has_ended(store: SqlStore, state: RunState) -> None:
    run = running(store)
    store.request_cancel(run.id, "ana")
    store.apply(run.id, 1, Batch(2, run_state=state, release=True))
    assert store.read_run(run.id).cancelled_by == "ana"
    fence = store.acquire(run.id, owner(101), fence=1)
    again = store.read_run(run.id)
    assert (again.cancelled_by, again.cancelled_at) == (None, None)
    assert store.heartbeat(run.id, fence).cancelled_by is None
    store.request_cancel(run.id, "bob")  # its new owner is about to go on with it
    assert store.read_run(run.id).cancelled_by == "bob"


def test_a_run_that_has_ended_is_not_cancelled_any_more(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, run_state=RunState.FAILED, release=True))
    store.request_cancel(run.id, "ana")
    assert store.read_run(run.id).cancelled_by is None


# ------------------------------------------------------------------------------- interruptions, idle time


def test_an_interruption_is_told_until_somebody_goes_on(store: SqlStore) -> None:
    run = running(store)
    assert (run.interrupted_at, run.interrupted_by, run.idle_seconds) == (None, None, 0.0)
    store.apply(run.id, 1, Batch(2, release=True, interrupted_by="SIGTERM"))
    left = store.read_run(run.id)
    assert left.interrupted_by == "SIGTERM"
    assert left.interrupted_at is not None
    assert left.started_at is not None
    assert left.interrupted_at >= left.started_at
    store.acquire(run.id, owner(101), fence=1)
    taken = store.read_run(run.id)
    assert (taken.interrupted_at, taken.interrupted_by) == (None, None)


def test_the_time_in_which_nobody_drove_a_run_is_added_up(store: SqlStore) -> None:
    run = running(store)
    store.apply(run.id, 1, Batch(2, release=True, interrupted_by="SIGTERM"))
    an_hour_earlier(store, run.id, runs.c.interrupted_at)
    fence = store.acquire(run.id, owner(101), fence=1)
    assert store.acquire(run.id, owner(101), fence=1) == fence  # after a lost answer: once is enough
    assert 3600 <= store.read_run(run.id).idle_seconds < 3900
    an_hour_earlier(store, run.id, runs.c.lease_until_at)  # it died without a word
    fence = store.acquire(run.id, owner(102), fence=fence)
    assert 7200 <= store.read_run(run.id).idle_seconds < 7800
    store.apply(run.id, fence, Batch(1, run_state=RunState.FAILED, release=True))
    an_hour_earlier(store, run.id, runs.c.ended_at)
    store.acquire(run.id, owner(103), fence=fence)
    assert 10800 <= store.read_run(run.id).idle_seconds < 11700


def an_hour_earlier(store: SqlStore, run_id: int, column: sa.Column[Any]) -> None:
    """As if that had been an hour ago."""
    found = runs.select().with_only_columns(column).where(runs.c.id == run_id)
    with store.engine.begin() as conn:
        then = conn.execute(found).scalar_one() - timedelta(hours=1)
        conn.execute(runs.update().where(runs.c.id == run_id).values({column: then}))
    store.close()


# ------------------------------------------------------------------------------------------------- edit


def edited(store: SqlStore) -> tuple[int, Edit]:
    """A run with a task in each state, and an edit that drops one, changes one, adds one and resets one."""
    run = running(store)
    store.apply(run.id, 1, Batch(2, claims=(claim(0), claim(1), claim(2))))
    store.apply(run.id, 1, Batch(3, endings=(success(0), failure(1))))
    old = definition()
    changed = replace(old.tasks[1], type="oracle", retry=RetryPolicy(attempts=5))
    added = Task("new", "bash", ("task 0",))
    tasks = (old.tasks[0], changed, old.tasks[2], added)
    return run.id, Edit(
        definition(tasks=tasks, numbers=(0, 1, 2, 4)),
        added=((4, added),),
        removed=(3,),
        changed=((1, changed),),
        resets=(Reset(1),),
    )


def test_edit(store: SqlStore) -> None:
    run_id, edit = edited(store)
    store.edit(run_id, 1, edit)
    rows = store.read_tasks(run_id)
    assert [(row.task_no, row.id, row.state, row.type, row.max_attempts) for row in rows] == [
        (0, "task 0", SUCCESS, "bash", 2),
        (1, "task 1", PENDING, "oracle", 5),
        (2, "task 2", RUNNING, "bash", 2),
        (4, "new", PENDING, "bash", 1),
    ]
    assert store.read_definition(run_id) == edit.definition
    assert len(store.read_attempts(run_id, 1)) == 1


def test_a_task_that_comes_back_goes_on_counting_its_attempts(store: SqlStore) -> None:
    run_id, edit = edited(store)
    store.edit(run_id, 1, replace(edit, attempts={4: 3}))
    back = store.read_tasks(run_id)[-1]
    assert (back.id, back.state, back.attempts, back.tries, back.log) == ("new", PENDING, 3, 0, None)
    store.apply(run_id, 1, Batch(4, claims=(claim(4)._replace(attempt=4),)))
    assert store.read_tasks(run_id)[-1].attempts == 4


def test_edit_repeated_after_a_lost_answer(store: SqlStore) -> None:
    run_id, edit = edited(store)
    store.edit(run_id, 1, edit)
    once = store.read_tasks(run_id)
    store.edit(run_id, 1, edit)
    assert store.read_tasks(run_id) == once


def test_failed_task_leaves_with_its_attempts(store: SqlStore) -> None:
    run_id, _ = edited(store)
    kept = definition(2, numbers=(0, 2))
    store.edit(run_id, 1, Edit(kept, removed=(1, 3)))
    assert [row.task_no for row in store.read_tasks(run_id)] == [0, 2]
    assert store.read_attempts(run_id, 1) == []


@pytest.mark.parametrize("number", [0, 2])
def test_what_is_done_or_runs_cannot_leave(store: SqlStore, number: int) -> None:
    run_id, edit = edited(store)
    before = store.read_tasks(run_id)
    with pytest.raises(StoreRefused, match="removed task"):
        store.edit(run_id, 1, replace(edit, removed=(3, number)))
    assert store.read_tasks(run_id) == before
    assert store.read_definition(run_id) == definition()


# ----------------------------------------------------------------------------------------------- secrets


def test_store_shows_no_password(store: SqlStore) -> None:
    assert "MFLOW:MFLOW" not in store.url
    assert store.url in repr(store)
    store.close()
    store.close()


# ------------------------------------------------------------------------------------------ environments


def test_environment_is_kept_with_the_run(store: SqlStore) -> None:
    text = '{"files":{"A":"' + "x" * 40_000 + '"}}'
    new = new_run(environment=text)
    run = store.create_run(new, log_directory="/l")
    assert store.read_environment(run.id) == text
    assert store.create_run(new, log_directory="/l") == run, "made again after a lost answer"
    assert store.read_environment(run.id) == text


def test_environment_may_be_missing_and_is_replaced_by_the_owner_alone(store: SqlStore) -> None:
    run = create(store)
    assert store.read_environment(run.id) is None
    for text in ("{}", "{}", '{"a":1}'):
        store.keep_environment(run.id, 1, text)
        assert store.read_environment(run.id) == text
    with pytest.raises(Superseded):
        store.keep_environment(run.id, 2, "{}")
    assert store.read_environment(run.id) == '{"a":1}'


# ----------------------------------------------------------------------------------------------- children


def child_of(parent: RunRow, digest: str, attempt: int = 1, task: str = "load ñ") -> NewRun:
    """A run that a task of another made."""
    return new_run(
        parent_run=parent.id,
        parent_uid=parent.uid,
        parent_task=task,
        parent_attempt=attempt,
        call_digest=digest,
    )


def test_children_are_found_by_number_and_uid_of_their_parent(store: SqlStore) -> None:
    parent, stranger = create(store), replace(create(store), uid="0" * 32)
    made = [
        store.create_run(child_of(parent, digest, task=task), log_directory="/l")
        for digest, task in (("a" * 64, "x"), ("b" * 64, "x"), ("a" * 64, "y"), ("a" * 64, "x"))
    ]
    store.create_run(child_of(stranger, "a" * 64, task="x"), log_directory="/l")
    assert store.children(parent.id, parent.uid) == made
    assert store.children(parent.id, parent.uid, "x") == [made[0], made[1], made[3]]
    assert store.children(parent.id, stranger.uid) == []
    assert [run.call_no for run in made] == [1, 1, 1, 2]


def test_of_two_calls_one_takes_a_child(store: SqlStore) -> None:
    parent = create(store)
    made = store.create_run(child_of(parent, "a" * 64), log_directory="/l")
    assert store.take_child(made.id, read=1, attempt=3)
    assert not store.take_child(made.id, read=1, attempt=3)
    assert store.read_run(made.id).parent_attempt == 3
    assert not store.take_child(made.id, read=1, attempt=2)
