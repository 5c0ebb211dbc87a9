"""Random batches, good and bad ones, on a real database and on a model of a few lines: both must agree."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mflow.core.errors import StoreRefused
from mflow.core.model import AttemptEnd, Batch, Claim, Ending, GiveBack, Progress, Reset, Settle
from mflow.core.states import Outcome, TaskState
from mflow.store.repository import SqlStore
from tests.store.model import Mismatch, Model
from tests.store.samples import at, claim, create

COUNT = 4
PENDING, RUNNING, SUCCESS, FAILED = TaskState

instants = st.none() | st.integers(-(10**6), 10**9).map(lambda ms: at(ms / 1000))
texts = st.none() | st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=20
)
facts = st.dictionaries(
    st.text(max_size=5), st.integers() | st.text(max_size=5) | st.none(), min_size=1, max_size=3
)
ends = st.builds(
    AttemptEnd,
    outcome=st.sampled_from(Outcome),
    exit_code=st.none() | st.integers(0, 255),
    signal=st.sampled_from([None, "SIGKILL"]),
    error=texts,
    message=texts,
    started_at=instants,
    ended_at=instants,
    cpu_seconds=st.none() | st.integers(0, 10**9).map(lambda us: us / 10**6),
    max_rss_bytes=st.none() | st.integers(0, 2**45),
    survivors=st.lists(st.integers(1, 2**22), max_size=3).map(tuple),
    leftovers=st.lists(st.integers(1, 2**22), max_size=3).map(tuple),
    retry_safe=st.none(),  # it is not kept
)


@st.composite
def batches(draw: st.DrawFn, model: Model, number: int) -> Batch:
    """One change at most of every kind and task; mostly such as may follow, now and then any at all."""
    chosen: dict[str, list[object]] = {
        name: [] for name in ("claims", "endings", "give_backs", "resets", "settles")
    }
    progress: list[Progress] = []
    for no, node in model.nodes.items():
        last = len(node.attempts)
        attempt = last if draw(st.integers(0, 15)) else draw(st.integers(0, 3))
        kind = draw(
            st.sampled_from(
                _likely(node.state) * 8 + ["claims", "endings", "give_backs", "resets", "settles"]
            )
        )
        if kind == "claims":
            chosen[kind].append(_claim(draw, no, attempt + 1))
        elif kind == "endings":
            chosen[kind].append(
                Ending(
                    no,
                    attempt,
                    draw(st.sampled_from([SUCCESS, FAILED, PENDING])),
                    draw(st.integers(0, 5)),
                    draw(ends),
                    draw(instants),
                )
            )
            if draw(st.booleans()):
                chosen["claims"].append(_claim(draw, no, attempt + 1))
        elif kind == "give_backs":
            chosen[kind].append(GiveBack(no, attempt))
        elif kind == "resets":
            chosen[kind].append(Reset(no))
        elif kind == "settles":
            chosen[kind].append(Settle(no, attempt, draw(ends)))
        if kind != "give_backs" and last and draw(st.booleans()):
            pid = st.none() | st.integers(1, 2**22)
            progress.append(Progress(no, attempt, draw(instants), draw(pid), draw(st.none() | facts)))
    return Batch(number, progress=tuple(progress), **{name: tuple(ones) for name, ones in chosen.items()})  # type: ignore[arg-type]


def _likely(state: TaskState) -> list[str]:
    return {
        PENDING: ["claims", "claims", "resets", "none"],
        RUNNING: ["endings", "endings", "give_backs", "none"],
        FAILED: ["resets", "settles", "none"],
        SUCCESS: ["none"],
    }[state]


def _claim(draw: st.DrawFn, no: int, attempt: int) -> Claim:
    return claim(no, attempt, pid=draw(st.integers(1, 2**22)))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_database_and_model_agree(store: SqlStore, data: st.DataObject) -> None:
    run = create(store, COUNT)
    model, number = Model(COUNT), 1
    for _ in range(data.draw(st.integers(1, 8), label="batches")):
        batch = data.draw(batches(model, number))
        try:
            following = model.after(batch)
        except Mismatch:
            with pytest.raises(StoreRefused):
                store.apply(run.id, 1, batch)
            assert not store.was_applied(run.id, 1, number)
        else:
            store.apply(run.id, 1, batch)
            model, number = following, number + 1
        assert store.read_tasks(run.id) == model.rows()
    for no, node in model.nodes.items():
        assert [each.end for each in store.read_attempts(run.id, no)] == [
            one.shown_end() for one in node.attempts
        ]
