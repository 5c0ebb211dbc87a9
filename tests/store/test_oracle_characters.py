"""A database that does not keep Unicode would write `?` for what it cannot hold: it is refused, not changed."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from mflow.core.contracts import Edit
from mflow.core.errors import StoreRefused
from mflow.core.model import Task
from mflow.store.oracle_characters import lost
from mflow.store.repository import SqlStore
from tests.store.databases import Control, Database
from tests.store.samples import create, definition, new_run


@pytest.mark.parametrize(
    ("text", "character_set", "gone"),
    [
        ("carga_año_€", "WE8MSWIN1252", ""),
        ("carga_año_€", "WE8ISO8859P15", ""),
        ("carga_año_€_€", "WE8ISO8859P1", "€"),
        ("año", "US7ASCII", "ñ"),
        ("загрузка", "CL8MSWIN1251", ""),
        ("загрузка", "WE8ISO8859P1", "загрук"),
        ("日本", "JA16SJIS", ""),
        ("日本", "ZHS16GBK", ""),
        ("\N{SNOWMAN}", "ZHS16GBK", "\N{SNOWMAN}"),
        ("año 日本 \N{GRINNING FACE}", "AL32UTF8", ""),
        ("año 日本", "UTF8", ""),
        ("plain", "NOBODY_KNOWS_IT", ""),
        ("año", "NOBODY_KNOWS_IT", "ñ"),
    ],
)
def test_what_is_lost(text: str, character_set: str, gone: str) -> None:
    assert lost(text, character_set) == gone


VIEW = 'SYS."NLS_DATABASE_PARAMETERS"'


@pytest.fixture
def western(oracle: Database, control: Control) -> Iterator[SqlStore]:
    """A database of WE8MSWIN1252, as it says itself."""
    quoted = VIEW.replace("SYS", '"SYS"')
    [[text]] = control("pg", sql=f"SELECT pg_get_viewdef('{quoted}'::regclass)")
    changed = text.replace("AL32UTF8", "WE8MSWIN1252")
    assert changed != text
    control("pg", sql=f"CREATE OR REPLACE VIEW {quoted} AS {changed}")
    yield oracle.open()
    control("pg", sql=f"CREATE OR REPLACE VIEW {quoted} AS {text}")


def tasks(*ids: str) -> tuple[Task, ...]:
    return tuple(Task(id=name, type="bash", options={"command": "true"}) for name in ids)


@pytest.mark.oracle
def test_id_that_would_be_changed_is_refused(western: SqlStore) -> None:
    with pytest.raises(StoreRefused) as caught:
        western.create_run(
            new_run(definition=definition(tasks=tasks("a", "charge_日本"))), log_directory="/l"
        )
    for words in ("task id", "'charge_日本'", "WE8MSWIN1252", "'日本'"):
        assert words in str(caught.value)
    assert "AL32UTF8" in caught.value.hint
    assert western.list_runs() == []


@pytest.mark.oracle
@pytest.mark.parametrize("place", ["taskfile", "cwd", "config", "datasources"])
def test_path_that_would_be_changed_is_refused(western: SqlStore, place: str) -> None:
    paths: dict[str, Any] = {place: "/srv/日本/x"}
    changed = definition(**paths)
    with pytest.raises(StoreRefused, match="path cannot be kept: '/srv/日本/x'"):
        western.create_run(new_run(definition=changed), log_directory="/l")
    with pytest.raises(StoreRefused, match="path cannot be kept: '/日本'"):
        western.create_run(new_run(), log_directory="/日本")
    run = create(western)
    with pytest.raises(StoreRefused, match="path cannot be kept: '/日本'"):
        western.set_folder(run.id, 1, "/日本")
    with pytest.raises(StoreRefused, match="path cannot be kept"):
        western.edit(run.id, 1, Edit(changed))
    assert western.read_run(run.id) == run


@pytest.mark.oracle
def test_edit_with_an_id_that_would_be_changed_changes_nothing(western: SqlStore) -> None:
    run = create(western, 2)
    before = western.read_definition(run.id)
    added = Task(id="日本", type="bash", options={"command": "true"})
    edited = replace(before, tasks=(*before.tasks, added))
    with pytest.raises(StoreRefused, match="'日本'"):
        western.edit(run.id, 1, Edit(edited, added=((2, added),)))
    assert western.read_definition(run.id) == before
    assert len(western.read_tasks(run.id)) == 2


@pytest.mark.oracle
def test_what_the_database_holds_is_kept_and_asked_for_once(western: SqlStore, control: Control) -> None:
    create(western)
    assert control("transcript", regex="NLS_CHARACTERSET") == []
    for _ in range(2):
        run = western.create_run(new_run(definition=definition(tasks=tasks("carga_año"))), log_directory="/l")
    assert [row.id for row in western.read_tasks(run.id)] == ["carga_año"]
    assert len(control("transcript", regex="NLS_CHARACTERSET")) == 1
