"""What tests of attempts share."""

from pathlib import Path

import pytest

from tests.tasks.spark.site import Site


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """Also: nobody waits for long."""
    monkeypatch.setattr("mflow.tasks.spark.attempt.SILENCE_SECONDS", 0.5)
    monkeypatch.setattr("mflow.tasks.spark.attempt.STOP_SECONDS", 3.0)
    monkeypatch.setattr("mflow.tasks.spark.attempt.GONE_SECONDS", 0.5)
    monkeypatch.setattr("mflow.tasks.spark.earlier.ANSWER_SECONDS", 0.5)
    return Site(tmp_path)
