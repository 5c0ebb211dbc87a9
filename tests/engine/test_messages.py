"""Messages survive the way through a pickle, whatever they hold."""

import pickle
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd, Identity
from mflow.engine.messages import Ended, Hello, Run

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
    private=st.just({}),
    previous=st.dictionaries(st.text(), JSON, max_size=3),
    timeout_seconds=SECONDS,
)


def there_and_back(value: object) -> object:
    return pickle.loads(pickle.dumps(value, pickle.HIGHEST_PROTOCOL))


@given(ENDS)
def test_an_end(end: AttemptEnd) -> None:
    assert there_and_back(Ended(1, 2, end, retiring=True)) == Ended(1, 2, end, retiring=True)


@given(JOBS)
def test_a_job(job: Job) -> None:
    assert there_and_back(Run(job)) == Run(job)


@given(st.builds(Identity))
def test_an_identity(identity: Identity) -> None:
    assert there_and_back(Hello(identity)) == Hello(identity)
