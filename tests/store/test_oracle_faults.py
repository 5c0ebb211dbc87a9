"""What can befall an Oracle database under a run: nothing of it may lose, repeat or half-apply a batch."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import event

from mflow.core.contracts import Edit
from mflow.core.errors import StoreError, StoreOutdated, StoreRefused, StoreUnavailable
from mflow.core.model import Batch, RunRow
from mflow.core.states import RunState, TaskState
from mflow.store import admin
from mflow.store.connect import open_store
from mflow.store.patience import patient
from mflow.store.repository import SqlStore
from tests.store.databases import Control, Database, oracle_url
from tests.store.samples import claim, create, definition, new_run, owner, running, success

pytestmark = [
    pytest.mark.oracle,
    # The driver forgets to close its socket when the connection is reset.
    pytest.mark.filterwarnings("ignore:.*socket.socket:pytest.PytestUnraisableExceptionWarning"),
]

BATCH = Batch(2, claims=(claim(0), claim(1)))


@pytest.fixture
def store(oracle: Database, control: Control) -> SqlStore:
    """A store on Oracle, with faults to come."""
    return oracle.open()


@pytest.fixture
def run(store: SqlStore) -> RunRow:
    """A run that is RUNNING."""
    return running(store)


def states(store: SqlStore, run: RunRow) -> list[TaskState]:
    return [row.state for row in store.read_tasks(run.id)]


def apply_after_all(
    store: SqlStore, run: RunRow, batch: Batch, *, tries: int = 200
) -> list[StoreUnavailable]:
    """What the supervisor's writer does with a batch: try again, but look first when that is needed."""
    met: list[StoreUnavailable] = []
    while len(met) < tries:
        try:
            if met and met[-1].applied_unknown and store.was_applied(run.id, 1, batch.number):
                return met
            store.apply(run.id, 1, batch)
        except StoreUnavailable as error:
            met.append(error)
            threading.Event().wait(0.02)
        else:
            return met
    raise AssertionError(met[-1])


# ---------------------------------------------------------------------------------- connections that are lost


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is between two transactions counts as idling."""
    monkeypatch.setattr("mflow.store.oracle_connect.IDLE_SECONDS", 0.0)


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("how", ["error", "disconnect", "reset"])
def test_idle_session_is_killed(store: SqlStore, run: RunRow, control: Control, how: str) -> None:
    """The ping finds out, and the batch does not even notice."""
    assert control("kill", module="mflow", how=how)
    store.apply(run.id, 1, BATCH)
    assert states(store, run)[:2] == [TaskState.RUNNING] * 2


@pytest.mark.usefixtures("idle")
def test_all_connections_are_dropped(store: SqlStore, run: RunRow, control: Control) -> None:
    control("drop_all")
    store.apply(run.id, 1, BATCH)


@pytest.mark.parametrize("how", ["error", "disconnect", "reset"])
def test_busy_session_is_killed(store: SqlStore, run: RunRow, control: Control, how: str) -> None:
    """It is not asked before each batch whether it lives: the batch finds out, and is tried again."""
    assert control("kill", module="mflow", how=how)
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert not caught.value.applied_unknown
    store.apply(run.id, 1, BATCH)
    assert states(store, run)[:2] == [TaskState.RUNNING] * 2


@pytest.mark.parametrize("action", ["disconnect", "reset"])
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("regex", ["UPDATE mflow_runs", "UPDATE mflow_tasks", "INSERT INTO mflow_attempts"])
def test_connection_is_lost_within_a_batch(
    store: SqlStore, run: RunRow, control: Control, action: str, when: str, regex: str
) -> None:
    control("fail", regex=regex, action=action, when=when)
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert not caught.value.applied_unknown
    assert not store.was_applied(run.id, 1, 2)
    store.apply(run.id, 1, BATCH)
    assert [row.attempts for row in store.read_tasks(run.id)] == [1, 1, 0, 0]


def test_connection_is_lost_while_reading(store: SqlStore, run: RunRow, control: Control) -> None:
    control("fail", regex="FROM mflow_tasks", action="disconnect", when="after", times=2)
    with pytest.raises(StoreUnavailable):
        store.read_tasks(run.id)
    assert len(patient(lambda: store.read_tasks(run.id))) == 4


# -------------------------------------------------------------------------------------- the ambiguous commit


@pytest.mark.parametrize("how", ["disconnect", "reset"])
@pytest.mark.parametrize(("when", "applied"), [("before", False), ("after", True)])
def test_answer_of_a_commit_is_lost(
    store: SqlStore, run: RunRow, control: Control, how: str, when: str, applied: bool
) -> None:
    control("drop_commit", when=when, how=how, module="mflow")
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert caught.value.applied_unknown
    assert store.was_applied(run.id, 1, 2) is applied
    assert states(store, run)[:2] == [TaskState.RUNNING if applied else TaskState.PENDING] * 2
    if not applied:
        store.apply(run.id, 1, BATCH)
    store.apply(run.id, 1, Batch(3, endings=(success(0), success(1))))
    assert [row.attempts for row in store.read_tasks(run.id)] == [1, 1, 0, 0]


def test_every_commit_of_a_run_is_ambiguous(store: SqlStore, run: RunRow, control: Control) -> None:
    batches = [Batch(2, claims=(claim(0),))]
    batches += [Batch(no + 2, endings=(success(no - 1),), claims=(claim(no),)) for no in range(1, 4)]
    batches.append(Batch(6, endings=(success(3),), run_state=RunState.SUCCESS, release=True))
    for place, batch in enumerate(batches):
        control("drop_commit", when=("before", "after")[place % 2], module="mflow")
        met = apply_after_all(store, run, batch)
        assert [error.applied_unknown for error in met] == [True]
    assert states(store, run) == [TaskState.SUCCESS] * 4
    assert store.read_run(run.id).state is RunState.SUCCESS


@pytest.mark.parametrize("when", ["before", "after"])
def test_run_is_created_once_whatever_becomes_of_the_answer(
    store: SqlStore, control: Control, when: str
) -> None:
    control("drop_commit", when=when, module="mflow")
    new = new_run()
    made = patient(lambda: store.create_run(new, log_directory="/l"))
    assert [each.run for each in store.list_runs()] == [made]
    assert len(store.read_tasks(made.id)) == 4


@pytest.mark.parametrize("when", ["before", "after"])
def test_ownership_edit_and_cancel_may_be_repeated(
    store: SqlStore, run: RunRow, control: Control, when: str
) -> None:
    def twice(call: Callable[[], Any]) -> Any:
        control("drop_commit", when=when, module="mflow")
        return patient(call)

    assert twice(lambda: store.acquire(run.id, owner(101), fence=1)) == 2
    edit = Edit(definition(3), removed=(3,))
    twice(lambda: store.edit(run.id, 2, edit))
    twice(lambda: store.set_folder(run.id, 2, "/elsewhere"))
    twice(lambda: store.request_cancel(run.id, "ana"))
    assert twice(lambda: store.heartbeat(run.id, 2)).cancelled_by == "ana"
    assert [row.task_no for row in store.read_tasks(run.id)] == [0, 1, 2]
    assert store.read_run(run.id).folder == "/elsewhere"


# ------------------------------------------------------------------------------------- nobody answers, or late


@pytest.mark.parametrize(
    "refusal",
    [{"how": "refuse", "code": 12528}, {"how": "refuse", "code": 12514}, {"how": "reset"}, {"how": "closed"}],
)
def test_listener_refuses_for_a_while(
    oracle: Database, store: SqlStore, run: RunRow, control: Control, refusal: dict[str, Any]
) -> None:
    control("refuse", seconds=60, **refusal)
    control("drop_all")
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert caught.value.hint
    assert not caught.value.applied_unknown
    with pytest.raises(StoreUnavailable):
        open_store(oracle.where)
    control("accept")
    apply_after_all(store, run, BATCH)


def test_database_restarts(store: SqlStore, run: RunRow, control: Control) -> None:
    control("restart", seconds=1)
    assert apply_after_all(store, run, BATCH)
    assert states(store, run)[:2] == [TaskState.RUNNING] * 2


@pytest.fixture
def short_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bounded attempt is a short one. Before any store is opened."""
    monkeypatch.setattr("mflow.store.oracle_connect.CALL_SECONDS", 0.4)


@pytest.mark.usefixtures("short_calls")
def test_answers_are_held_back(control: Control, oracle: Database) -> None:
    store = oracle.open()
    run = running(store)
    control("pause", seconds=60)
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert time.monotonic() - begin < 20  # bounded; how long exactly is the machine's affair
    assert not caught.value.applied_unknown
    control("resume")
    apply_after_all(store, run, BATCH)
    assert [row.attempts for row in store.read_tasks(run.id)] == [1, 1, 0, 0]


@pytest.mark.usefixtures("short_calls")
def test_answer_of_a_commit_is_held_back(control: Control, oracle: Database) -> None:
    """The commit was sent and nothing is heard: applied or not, it is found out."""
    store = oracle.open()
    run = running(store)

    @event.listens_for(store.engine, "commit", once=True)
    def _before_commit(conn: object) -> None:
        control("pause", seconds=60)

    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert caught.value.applied_unknown
    control("resume")
    applied = patient(lambda: store.was_applied(run.id, 1, 2))
    assert (states(store, run)[0] is TaskState.RUNNING) is applied


@pytest.mark.usefixtures("short_calls")
def test_lock_of_another_session_is_waited_for_at_most_a_call_long(
    control: Control, oracle: Database
) -> None:
    store, other = oracle.open(), oracle.open()
    run = running(store)
    conn = other.dialect.begin(other.engine, run.id, write=True)
    conn.exec_driver_sql(f"UPDATE mflow_runs SET folder = folder WHERE id = {run.id}")
    with pytest.raises(StoreUnavailable) as caught:
        store.apply(run.id, 1, BATCH)
    assert not caught.value.applied_unknown
    other.dialect.rollback(conn)
    store.apply(run.id, 1, BATCH)


# ------------------------------------------------------------------------------------------ codes of Oracle


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (54, StoreUnavailable),
        (60, StoreUnavailable),
        (8177, StoreUnavailable),
        (1555, StoreUnavailable),
        (1653, StoreUnavailable),
        (1536, StoreUnavailable),
        (16000, StoreUnavailable),
        (1012, StoreUnavailable),
        (1034, StoreUnavailable),
        (1089, StoreUnavailable),
        (3113, StoreUnavailable),
        (12571, StoreUnavailable),
        (942, StoreOutdated),
        (1031, StoreRefused),
        (12899, StoreRefused),
        (1, StoreRefused),
        (600, StoreUnavailable),  # the driver closes the connection
        (904, StoreRefused),
    ],
)
def test_statement_fails_with_a_code(
    store: SqlStore, run: RunRow, control: Control, code: int, kind: type[StoreError]
) -> None:
    before = store.read_tasks(run.id), store.read_run(run.id)
    control("fail", regex="UPDATE mflow_tasks", code=code)
    with pytest.raises(StoreError) as caught:
        store.apply(run.id, 1, BATCH)
    assert type(caught.value) is kind
    assert f"ORA-{code:05}" in caught.value.message
    assert "\n" not in caught.value.message
    assert (store.read_tasks(run.id), store.read_run(run.id)) == before
    store.apply(run.id, 1, BATCH)


@pytest.mark.parametrize(
    ("code", "kind", "cure"),
    [
        (1017, StoreRefused, "Check user and password"),
        (28000, StoreRefused, "UNLOCK"),
        (28001, StoreRefused, "expired"),
        (1045, StoreRefused, "CREATE SESSION"),
        (1033, StoreUnavailable, "starting or stopping"),
        (12514, StoreUnavailable, "does not know this service"),
        (18, StoreUnavailable, "no room for another session"),
    ],
)
def test_login_fails_with_a_code(
    oracle: Database, control: Control, code: int, kind: type[StoreError], cure: str
) -> None:
    control("fail_login", code=code, times=1)
    with pytest.raises(StoreError) as caught:
        open_store(oracle.where)
    assert type(caught.value) is kind
    assert cure in caught.value.hint
    open_store(oracle.where).close()


def test_refused_login_is_not_tried_again(oracle: Database, control: Control) -> None:
    """Each further try with a wrong password brings the account nearer to its lock."""
    control("fail_login", code=1017, times=2)
    with pytest.raises(StoreRefused):
        patient(lambda: open_store(oracle.where))
    with pytest.raises(StoreRefused):
        open_store(oracle.where)
    open_store(oracle.where).close()


def test_wrong_password_is_refused_and_not_shown(oracle: Database, control: Control) -> None:
    assert isinstance(oracle.where, str)
    wrong = oracle.where.replace(":MFLOW@", ":S3cret-pw@")
    with pytest.raises(StoreRefused, match="ORA-01017") as caught:
        open_store(wrong)
    assert "S3cret" not in f"{caught.value} {caught.value.hint} {caught.value!r}"


def test_password_that_will_expire_is_told_once(oracle: Database, control: Control) -> None:
    """Each login is warned: of the driver's connections to come only the first one counts."""
    user = oracle_url().partition("//")[2].partition(":")[0]
    control("password_grace", user=user, days=5)
    store = oracle.open()
    [text] = store.warnings
    assert "the password expires within 5 days (ORA-28002)" in text
    control("drop_all")
    patient(store.list_runs)
    assert store.warnings == [text]
    assert admin.check(oracle.where).warnings == (text,)
    control("clear_faults")
    assert oracle.open().warnings == []


# ------------------------------------------------------------------------------------------- in V$SESSION


def test_sessions_are_marked(store: SqlStore, run: RunRow, control: Control) -> None:
    store.heartbeat(run.id, 1)
    [session] = [each for each in control("sessions") if each["module"] == "mflow"]
    assert session["action"] == f"run {run.id}"
    user, _, place = session["client_identifier"].partition("@")
    assert user
    assert place
    store.read_tasks(run.id)
    [session] = [each for each in control("sessions") if each["module"] == "mflow"]
    assert session["action"] is None


def test_nothing_is_left_open_when_a_store_is_closed(store: SqlStore, control: Control) -> None:
    create(store)
    store.close()
    deadline = time.monotonic() + 30
    while any(each["module"] == "mflow" for each in control("sessions")):
        assert time.monotonic() < deadline
