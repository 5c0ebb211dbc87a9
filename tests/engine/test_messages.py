"""Messages survive their way as bytes, whatever they hold."""

import signal
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd, Datasource, Identity
from mflow.core.states import Outcome
from mflow.engine.messages import Ack, Ended, Facts, Hello, Report, Request, Run
from mflow.engine.wire import from_bytes, to_bytes

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
INSTANTS = st.none() | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
SECONDS = st.none() | st.floats(0, 1e9)
ENDS = st.builds(AttemptEnd, started_at=INSTANTS, ended_at=INSTANTS, cpu_seconds=SECONDS)
JOBS = st.builds(
    Job,
    options=st.dictionaries(st.text(), JSON, max_size=3),
    env=st.dictionaries(st.text(), st.text(), max_size=3),
    private=st.sampled_from([{}, {"datasource": Datasource("hr", "db/hr", "HR", "tiger")}]),
    previous=st.dictionaries(st.text(), JSON, max_size=3),
    timeout_seconds=SECONDS,
)


def there_and_back(message: Request | Report) -> object:
    return from_bytes(to_bytes(message))


@given(ENDS)
def test_an_end(end: AttemptEnd) -> None:
    assert there_and_back(Ended(1, 2, end, retiring=True)) == Ended(1, 2, end, retiring=True)


@given(JOBS)
def test_a_job(job: Job) -> None:
    assert there_and_back(Run(job)) == Run(job)


@given(st.builds(Identity))
def test_an_identity(identity: Identity) -> None:
    assert there_and_back(Hello(identity)) == Hello(identity)


@given(st.lists(st.tuples(st.integers(0), st.integers(1)), max_size=3))
def test_an_acknowledgement(attempts: list[tuple[int, int]]) -> None:
    assert there_and_back(Ack(tuple(attempts))) == Ack(tuple(attempts))


@given(st.dictionaries(st.text(), JSON, max_size=3))
def test_facts(facts: dict[str, object]) -> None:
    assert there_and_back(Facts(1, 2, facts, 3)) == Facts(1, 2, facts, 3)


def test_an_end_with_a_value_of_another_kind() -> None:
    message = Ended(1, 2, AttemptEnd(Outcome.SIGNALLED, exit_code=signal.SIGKILL))
    assert there_and_back(message) == message
