"""Every line of the table of `mflow.core.recovery`."""

import itertools
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from mflow.core.model import AttemptEnd, Identity, TaskRow
from mflow.core.recovery import (
    Adopt,
    Again,
    Decision,
    Evidence,
    LogTrace,
    NotBegun,
    Secure,
    Settled,
    Stays,
    Sweep,
    Swept,
    Take,
    decide,
    is_unproven,
)
from mflow.core.states import Outcome, TaskState

HERE = Identity("batch1", "boot-a", 1, 50, 500, "machine-a")
WORKER = Identity("batch1", "boot-a", 1, 4700, 900, "machine-a")
STARTED = datetime(2024, 1, 1, tzinfo=UTC)

SUCCEEDED = AttemptEnd(Outcome.EXITED, 0)
FAILED = AttemptEnd(Outcome.EXITED, 3)
REFUSED = AttemptEnd(Outcome.NOT_STARTED)
UNKNOWN = AttemptEnd(Outcome.UNKNOWN)

ELSEWHERE = replace(WORKER, host="batch2", boot_id="boot-y", machine_id="machine-b")
CONTAINER = replace(WORKER, pid_ns=2)
REBOOTED = replace(WORKER, boot_id="boot-z")
NAMESAKE = replace(REBOOTED, machine_id="machine-b")
NAMELESS = replace(REBOOTED, machine_id=None)  # as rows of version 0001 are
RENAMED = replace(WORKER, host="batch1-old")
EVERYWHERE = (WORKER, ELSEWHERE, CONTAINER, REBOOTED, NAMESAKE, NAMELESS, RENAMED, None)


def _running(worker: Identity | None = WORKER, *, pid: int | None = None) -> TaskRow:
    started_at = STARTED if pid else None
    return TaskRow(
        0, "load", "bash", TaskState.RUNNING, attempts=2, worker=worker, pid=pid, started_at=started_at
    )


def _failed(end: AttemptEnd, worker: Identity | None = WORKER) -> TaskRow:
    return replace(_running(worker), state=TaskState.FAILED, end=end)


def _seen(
    alive: bool | None,
    log: LogTrace,
    outcome: AttemptEnd | None = None,
    swept: Swept | None = None,
    *,
    holds: bool | None = None,
    adopted: bool = False,
) -> Evidence:
    return Evidence(HERE, alive, outcome, log, holds, swept, adopted)


def _taken(decision: Decision) -> AttemptEnd:
    assert isinstance(decision, Take)
    return decision.end


# ------------------------------------------------------------------------------------------- running rows


@pytest.mark.parametrize("worker", EVERYWHERE)
@pytest.mark.parametrize("log", LogTrace)
@pytest.mark.parametrize("end", [SUCCEEDED, FAILED])
def test_a_matching_file_is_taken_wherever_the_worker_ran(
    worker: Identity | None, log: LogTrace, end: AttemptEnd
) -> None:
    alive = True if worker is WORKER else None
    assert decide(_running(worker), _seen(alive, log, end)) == Take(end)


@pytest.mark.parametrize(
    ("worker", "words"),
    [
        (ELSEWHERE, "batch2"),
        (CONTAINER, "pid namespace"),
        (NAMESAKE, "another machine of the same name"),
        (NAMELESS, "without a machine id"),
        (None, "no worker"),
        (WORKER, "may not see"),
        (RENAMED, "may not see"),
    ],
)
@pytest.mark.parametrize("log", LogTrace)
def test_what_cannot_be_probed_is_unknown_and_says_where_it_ran(
    worker: Identity | None, words: str, log: LogTrace
) -> None:
    end = _taken(decide(_running(worker), _seen(None, log)))
    assert end.outcome is Outcome.UNKNOWN
    assert end.message is not None
    assert words in end.message
    assert worker is None or "4700" in end.message


@pytest.mark.parametrize("log", [LogTrace.FOUND, LogTrace.ABSENT, LogTrace.UNPROVEN])
def test_a_restarted_host_ended_everything_but_proves_no_missing_start(log: LogTrace) -> None:
    end = _taken(decide(_running(REBOOTED), _seen(None, log)))
    assert end.outcome is Outcome.LOST
    assert end.message is not None
    assert "batch1" in end.message


def test_a_changed_host_name_is_no_other_host() -> None:
    assert isinstance(decide(_running(RENAMED), _seen(True, LogTrace.FOUND)), Adopt)
    assert isinstance(decide(_failed(UNKNOWN, RENAMED), _seen(True, LogTrace.FOUND)), Stays)


@pytest.mark.parametrize("log", [LogTrace.FOUND, LogTrace.UNPROVEN])
def test_what_lives_is_adopted_and_named(log: LogTrace) -> None:
    decision = decide(_running(pid=4711), _seen(True, log))
    assert isinstance(decision, Adopt)
    assert "batch1" in decision.message
    assert "4711" in decision.message
    assert "4700" in decision.message


def test_what_a_live_worker_has_not_begun_is_secured_first() -> None:
    assert decide(_running(), _seen(True, LogTrace.ABSENT)) == Secure()


@pytest.mark.parametrize("alive", [True, False])
@pytest.mark.parametrize("outcome", [None, REFUSED])
def test_what_was_secured_never_begins(alive: bool, outcome: AttemptEnd | None) -> None:
    holds, swept = (False, None) if alive else (None, Swept())
    seen = _seen(alive, LogTrace.SECURED, outcome, swept, holds=holds)
    assert decide(_running(), seen) == NotBegun(spent=True)


@pytest.mark.parametrize("log", [LogTrace.ABSENT, LogTrace.SECURED])
def test_a_log_that_its_worker_holds_was_deleted(log: LogTrace) -> None:
    assert isinstance(decide(_running(), _seen(True, log, holds=True)), Adopt)
    assert isinstance(decide(_failed(UNKNOWN), _seen(True, log, holds=True)), Stays)


def test_a_worker_that_cannot_be_asked_is_watched() -> None:
    assert isinstance(decide(_running(), _seen(True, LogTrace.SECURED, holds=None)), Adopt)
    assert isinstance(decide(_failed(UNKNOWN), _seen(True, LogTrace.SECURED, holds=None)), Stays)


def test_what_could_not_start_by_itself_is_taken_from_its_file() -> None:
    assert decide(_running(), _seen(False, LogTrace.FOUND, REFUSED)) == Take(REFUSED)


def test_a_dead_worker_without_a_log_has_begun_nothing_if_nothing_of_it_is_found() -> None:
    assert decide(_running(), _seen(False, LogTrace.ABSENT)) == Sweep()
    assert decide(_running(), _seen(False, LogTrace.ABSENT, swept=Swept())) == NotBegun(spent=False)


@pytest.mark.parametrize("log", [LogTrace.ABSENT, LogTrace.SECURED])
@pytest.mark.parametrize(("found", "adopted"), [(True, False), (False, True)])
def test_what_was_there_or_was_adopted_had_begun(log: LogTrace, found: bool, adopted: bool) -> None:
    end = _taken(decide(_running(), _seen(False, log, swept=Swept(found), adopted=adopted)))
    assert end.outcome is Outcome.LOST


def test_a_missing_log_proves_nothing_if_the_worker_had_said_that_it_began() -> None:
    assert decide(_running(pid=4711), _seen(False, LogTrace.ABSENT)) == Sweep()
    assert isinstance(decide(_running(pid=4711), _seen(True, LogTrace.ABSENT)), Adopt)


@pytest.mark.parametrize("log", [LogTrace.FOUND, LogTrace.UNPROVEN])
def test_a_dead_worker_is_lost_once_its_orphans_are_ended(log: LogTrace) -> None:
    assert decide(_running(), _seen(False, log)) == Sweep()
    end = _taken(decide(_running(), _seen(False, log, swept=Swept())))
    assert end.outcome is Outcome.LOST
    assert end.message is not None
    assert "4700" in end.message


def test_orphans_that_cannot_be_ended_make_it_unknown_by_their_pids() -> None:
    end = _taken(decide(_running(), _seen(False, LogTrace.FOUND, swept=Swept(True, (7, 8)))))
    assert (end.outcome, end.survivors) == (Outcome.UNKNOWN, (7, 8))
    assert end.message is not None
    assert "7, 8" in end.message


@pytest.mark.parametrize("log", LogTrace)
def test_what_is_in_doubt_makes_it_unknown_and_is_named(log: LogTrace) -> None:
    end = _taken(decide(_running(), _seen(False, log, swept=Swept(doubtful=(7, 8)))))
    assert (end.outcome, end.survivors) == (Outcome.UNKNOWN, (7, 8))
    assert "cannot be told: pid 7, 8" in (end.message or "")
    decision = decide(_failed(UNKNOWN), _seen(False, log, swept=Swept(doubtful=(7, 8))))
    assert isinstance(decision, Stays)
    assert "pid 7, 8" in decision.message


def test_a_lock_that_nobody_seems_to_hold_makes_it_unknown() -> None:
    row = replace(_running(), log="/logs/load.2.log")
    end = _taken(decide(row, _seen(False, LogTrace.FOUND, swept=Swept(held=True))))
    assert (end.outcome, end.survivors) == (Outcome.UNKNOWN, ())
    assert "fuser -v /logs/load.2.log" in (end.message or "")


def test_a_lost_attempt_keeps_the_start_that_was_known() -> None:
    end = _taken(decide(_running(pid=4711), _seen(False, LogTrace.FOUND, swept=Swept())))
    assert end.started_at == STARTED


# -------------------------------------------------------------------------------------------- failed rows

NOT_ENDED = AttemptEnd(Outcome.TIMED_OUT, survivors=(9,))


def test_only_an_end_that_was_not_proven_needs_evidence() -> None:
    assert is_unproven(_failed(UNKNOWN))
    assert is_unproven(_failed(NOT_ENDED))
    assert not is_unproven(_failed(FAILED))
    assert not is_unproven(_failed(AttemptEnd(Outcome.LOST)))
    assert not is_unproven(replace(_failed(UNKNOWN), end=None))
    assert not is_unproven(_running())


def test_a_file_with_a_good_end_settles_what_was_unknown() -> None:
    assert decide(_failed(UNKNOWN), _seen(False, LogTrace.FOUND, SUCCEEDED)) == Settled(SUCCEEDED)
    assert decide(_failed(UNKNOWN, ELSEWHERE), _seen(None, LogTrace.FOUND, SUCCEEDED)) == Settled(SUCCEEDED)


def test_a_file_with_another_end_lets_it_run_again() -> None:
    assert decide(_failed(UNKNOWN), _seen(False, LogTrace.FOUND, FAILED)) == Again()


@pytest.mark.parametrize("end", [UNKNOWN, NOT_ENDED])
def test_what_still_runs_stays_failed(end: AttemptEnd) -> None:
    decision = decide(_failed(end), _seen(True, LogTrace.FOUND))
    assert isinstance(decision, Stays)
    assert "batch1" in decision.message
    assert "4700" in decision.message


def test_a_failed_row_whose_live_worker_has_not_begun_it_is_secured_and_runs_again() -> None:
    assert decide(_failed(UNKNOWN), _seen(True, LogTrace.ABSENT)) == Secure()
    assert decide(_failed(UNKNOWN), _seen(True, LogTrace.SECURED, holds=False)) == Again()


@pytest.mark.parametrize("end", [UNKNOWN, NOT_ENDED])
@pytest.mark.parametrize("outcome", [None, NOT_ENDED])
def test_a_dead_workers_orphans_are_ended_before_it_runs_again(
    end: AttemptEnd, outcome: AttemptEnd | None
) -> None:
    assert decide(_failed(end), _seen(False, LogTrace.FOUND, outcome)) == Sweep()
    assert decide(_failed(end), _seen(False, LogTrace.FOUND, outcome, Swept())) == Again()
    decision = decide(_failed(end), _seen(False, LogTrace.FOUND, outcome, Swept(True, (9,))))
    assert isinstance(decision, Stays)
    assert "9" in decision.message


@pytest.mark.parametrize("end", [AttemptEnd(Outcome.UNKNOWN, survivors=(9,)), NOT_ENDED])
def test_beside_what_its_end_has_named_nothing_begins_whatever_a_sweep_finds(end: AttemptEnd) -> None:
    seen = _seen(False, LogTrace.FOUND, swept=Swept())
    decision = decide(_failed(end), replace(seen, named=(9,)))
    assert isinstance(decision, Stays)
    assert "pid 9" in decision.message
    assert decide(_failed(end), seen) == Again()


def test_on_another_host_it_runs_again_on_the_word_of_a_later_resume_with_a_warning() -> None:
    decision = decide(_failed(UNKNOWN, ELSEWHERE), _seen(None, LogTrace.ABSENT))
    assert isinstance(decision, Again)
    assert "batch2" in decision.warning
    assert "4700" in decision.warning


def test_after_a_restart_of_its_host_it_runs_again() -> None:
    assert decide(_failed(UNKNOWN, REBOOTED), _seen(None, LogTrace.FOUND)) == Again()


def test_what_this_user_may_not_see_stays() -> None:
    assert isinstance(decide(_failed(UNKNOWN), _seen(None, LogTrace.FOUND)), Stays)


# ------------------------------------------------------------------------------------------- all of it


def _all_evidence() -> list[Evidence]:
    return [
        _seen(alive, log, outcome, swept, holds=holds)
        for alive, log, outcome, swept, holds in itertools.product(
            (True, False, None),
            LogTrace,
            (None, SUCCEEDED, FAILED, REFUSED, NOT_ENDED),
            (None, Swept(), Swept(True), Swept(True, (9,)), Swept(held=True)),
            (None, True, False),
        )
    ]


@pytest.mark.parametrize("worker", EVERYWHERE)
@pytest.mark.parametrize("pid", [None, 4711])
def test_a_running_row_is_always_decided(worker: Identity | None, pid: int | None) -> None:
    for evidence in _all_evidence():
        decision = decide(_running(worker, pid=pid), evidence)
        assert isinstance(decision, Adopt | Take | NotBegun | Secure | Sweep)
        if isinstance(decision, Sweep):
            assert evidence.swept is None


@pytest.mark.parametrize("worker", EVERYWHERE)
@pytest.mark.parametrize("end", [UNKNOWN, NOT_ENDED])
def test_an_unproven_row_is_always_decided(worker: Identity | None, end: AttemptEnd) -> None:
    for evidence in _all_evidence():
        decision = decide(_failed(end, worker), evidence)
        assert isinstance(decision, Settled | Again | Stays | Secure | Sweep)
        if isinstance(decision, Sweep):
            assert evidence.swept is None


@pytest.mark.parametrize("state", [TaskState.PENDING, TaskState.SUCCESS, TaskState.FAILED])
def test_other_rows_are_nobodys_question(state: TaskState) -> None:
    with pytest.raises(ValueError, match="nothing to decide"):
        decide(replace(_running(), state=state), _seen(True, LogTrace.FOUND))
