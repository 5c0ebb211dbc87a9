"""Workers of a dead supervisor: which may be taken over."""

from pathlib import Path

from mflow.core.errors import RunOwned
from mflow.core.model import Identity
from mflow.engine.crew import Crew
from mflow.engine.identity import identity_of
from tests.engine.boss import settings
from tests.engine.nobody import as_nobody


def test_a_worker_of_another_user_is_not_adopted(tmp_path: Path) -> None:
    """It could not be ended from here: neither by a cancel nor by a stop."""
    first = identity_of(1)
    assert first is not None
    crew = Crew(settings(tmp_path), lambda *_: None, lambda _: None, lambda *_: None)
    assert (
        as_nobody(lambda: adopted(crew, first))
        == "a task of this run still runs under another user (worker pid 1)"
    )
    assert crew.adopted == {}


def adopted(crew: Crew, worker: Identity) -> str:
    try:
        return f"worker {crew.adopt(worker, (0, 1), lambda _: None)}"
    except RunOwned as error:
        return error.message
