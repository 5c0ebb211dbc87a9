"""Which database keeps the state, and what is said when it cannot be had."""

from pathlib import Path

import pytest

from mflow.cli.database import Database
from mflow.core.errors import StoreError


def test_where_was_looked_is_said_to_a_person_and_not_at_every_further_try(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = Database(f"sqlite:///{tmp_path}/none.db", "--database")
    with pytest.raises(StoreError):
        database.open()
    assert f"the state database is sqlite:///{tmp_path}/none.db (--database)" in capsys.readouterr().err
    with pytest.raises(StoreError):
        database.open_quietly()
    assert capsys.readouterr().err == ""
