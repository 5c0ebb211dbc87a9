"""The three files read together."""

import gc
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mflow.core.errors import InvalidInput, Problem
from mflow.core.kept import definition_from_json, definition_to_json
from mflow.core.model import Definition
from mflow.files.load import Loaded, Request, load, load_config, load_settings
from mflow.tasks.registry import task_types

HERE = Path(__file__).parent


class Folder:
    """A folder with files, and mflow reading them there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def write(self, name: str, value: Any) -> Path:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(value if isinstance(value, str) else json.dumps(value))
        file.chmod(0o600)
        return file

    def load(self, *, environ: dict[str, str] | None = None, **options: Any) -> Loaded:
        return load(Request(task_types(), cwd=str(self.path), environ=environ or {}, program=None, **options))

    def problems(self, **options: Any) -> list[str]:
        with pytest.raises(InvalidInput) as caught:
            self.load(**options)
        return [
            f"{'warning ' if one.warning else ''}{one}".replace(str(self.path), "<cwd>")
            for one in caught.value.problems
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


TASKS = {"tasks": [{"id": "a", "type": "bash", "command": "true"}]}


class TestOriginsSamples:
    @pytest.fixture
    def origin(self, tmp_path: Path) -> Folder:
        shutil.copytree(HERE / "origin", tmp_path / "origin")
        for file in (tmp_path / "origin").iterdir():
            file.chmod(0o600)
        return Folder(tmp_path / "origin")

    def test_the_task_that_does_not_exist_is_said_and_nothing_else(self, origin: Folder) -> None:
        assert origin.problems() == ['tasks.json:47:25 task "tarea6": depends[0]: no task "tarea5"']

    def test_without_that_everything_is_accepted(self, origin: Folder) -> None:
        raw = json.loads((origin.path / "tasks.json").read_text())
        raw["tasks"][5]["depends"].remove("tarea5")
        origin.write("tasks.json", raw)
        loaded = origin.load()
        assert loaded.warnings == ()
        assert [task.type for task in loaded.definition.tasks] == (
            ["bash"] * 4 + ["spark"] + ["bash"] * 2 + ["spark", "oracle"]
        )
        assert loaded.definition.tasks[7].options == {
            "master": "spark://hdp:7077",
            "deploy-mode": "client",
            "driver-memory": "1g",
            "executor-memory": "4g",
            "executor-cores": 5,
            "total-executor-cores": 10,
            "ingestor-file": "/opt/ingestion/spark/scala/fisca-ingestion.jar",
            "class": "ar.gob.afip.fiscalizacion.ingestion.batch.raw.ftContribuyentes",
            "confs": [["spark.driver.maxResultSize", "4g"]],
        }
        assert loaded.config.max_process_concurrency == 3
        assert sorted(loaded.datasources) == ["mflow", "siper_fisco"]
        assert loaded.secrets == {"MFLOW", "SIPER"}

    def test_one_task_alone(self, origin: Folder) -> None:
        loaded = origin.load(oneshot="tarea6")
        assert [(task.id, task.depends) for task in loaded.definition.tasks] == [("tarea6", ())]
        assert loaded.definition.oneshot == "tarea6"


def test_all_problems_of_all_files_together(folder: Folder) -> None:
    for name in ("config.json", "tasks.json", "oracle.json"):
        folder.write(name, (HERE / "golden" / name).read_text())
    golden = HERE / "golden/problems.txt"
    problems = folder.problems()
    if os.environ.get("MFLOW_WRITE_GOLDEN"):
        golden.write_text("\n".join(problems) + "\n")
    assert problems == golden.read_text().splitlines()
    assert not any(secret in "\n".join(problems) for secret in ("hunter2", "tiger", "12345678"))


def test_broken_files_together(folder: Folder) -> None:
    folder.write("config.json", '{"log_directory": "x",}')
    folder.write("tasks.json", "{")
    (folder.path / "oracle.json").mkdir()
    assert folder.problems() == [
        "tasks.json:1:2: a key in double quotes is missing",
        "config.json:1:22: a comma too many",
        "oracle.json: is a directory",
    ]


def test_connections_are_not_missed_in_a_file_that_cannot_be_read(folder: Folder) -> None:
    folder.write("tasks.json", {"tasks": [{"id": "a", "type": "oracle", "db": "x", "command": "y"}]})
    folder.write("oracle.json", "")
    assert folder.problems() == ["oracle.json: is empty"]


class TestWhereFilesAre:
    def test_none_at_all(self, folder: Folder) -> None:
        assert folder.problems() == ["tasks.json: not found; looked in <cwd>"]
        assert folder.problems(environ={"MFLOW_HOME": "/nowhere"}) == [
            "tasks.json: not found; looked in <cwd>, /nowhere"
        ]

    def test_named_ones_must_exist(self, folder: Folder) -> None:
        folder.write("tasks.json", TASKS)
        folder.write("config.json", {})
        assert folder.problems(taskfile="my/t.json", config="c.json", datasources="/no/o.json") == [
            "my/t.json: does not exist",
            "c.json: does not exist",
            "/no/o.json: does not exist",
        ]

    def test_the_others_may_be_absent(self, folder: Folder) -> None:
        path = folder.write("tasks.json", TASKS)
        loaded = folder.load()
        assert loaded.definition == Definition(
            tasks=loaded.definition.tasks, taskfile=str(path), cwd=str(folder.path)
        )
        assert loaded.datasources == {}

    def test_paths_are_kept_absolute(self, folder: Folder) -> None:
        folder.write("sub/t.json", TASKS)
        config = folder.write("config.json", {"log_directory": "l"})
        folder.write("o.json", {"connections": []})
        loaded = folder.load(taskfile="./sub/t.json", datasources="o.json")
        assert loaded.definition.taskfile == f"{folder.path}/sub/t.json"
        assert loaded.definition.config == str(config)
        assert loaded.definition.datasources == f"{folder.path}/o.json"
        assert loaded.config.log_directory == f"{folder.path}/l"

    def test_a_resume_looks_for_none(self, folder: Folder) -> None:
        folder.write("tasks.json", TASKS)
        folder.write("config.json", {"max_process_concurrency": 77})
        loaded = folder.load(taskfile="tasks.json", search=False)
        assert loaded.config.max_process_concurrency != 77
        assert loaded.definition.config is None


class TestConnectionsInUse:
    @pytest.fixture
    def oracle(self, folder: Folder) -> Folder:
        folder.write(
            "tasks.json",
            {
                "tasks": [
                    {"id": "a", "type": "oracle", "db": "used", "command": "y"},
                    TASKS["tasks"][0] | {"id": "b"},
                ]
            },
        )
        connection = {"connection_string": "h/x", "user": "u"}
        folder.write(
            "oracle.json",
            {
                "connections": [
                    {"name": name, "password": f"${{{name}}}", **connection}
                    for name in ("mflow", "used", "spare")
                ]
            },
        )
        return folder

    def test_they_must_be_usable(self, oracle: Folder) -> None:
        assert oracle.problems() == [
            'oracle.json:1:48 connection "mflow": password: the environment has no variable mflow',
            'oracle.json:1:131 connection "used": password: the environment has no variable used',
            'warning oracle.json:1:214 connection "spare": password: the environment has no variable spare',
        ]

    def test_others_draw_a_warning(self, oracle: Folder) -> None:
        loaded = oracle.load(environ={"mflow": "1", "used": "2"})
        assert [str(one) for one in loaded.warnings] == [
            'oracle.json:1:214 connection "spare": password: the environment has no variable spare'
        ]
        assert sorted(loaded.datasources) == ["mflow", "used"]

    def test_of_one_task_alone_too(self, oracle: Folder) -> None:
        loaded = oracle.load(environ={"mflow": "1"}, oneshot="b")
        assert len(loaded.warnings) == 2


class TestSecrets:
    def test_all_of_them_are_known_and_none_is_shown_or_kept(self, folder: Folder) -> None:
        folder.write(
            "config.json",
            {"env": {"API_TOKEN": "t0ken-1", "PATH": "/bin"}, "database": "oracle://u:dbpw@h/x"},
        )
        folder.write(
            "tasks.json",
            {"tasks": [TASKS["tasks"][0] | {"env": {"KEY": "t0ken-2", "OTHER": "seen"}}]},
        )
        folder.write(
            "oracle.json",
            {"connections": [{"name": "x", "connection_string": "h/x", "user": "u", "password": "t0ken-3"}]},
        )
        loaded = folder.load()
        assert loaded.secrets == {"t0ken-1", "t0ken-2", "t0ken-3"}
        assert "dbpw" not in repr(loaded)
        assert "t0ken-3" not in repr(loaded)
        assert "t0ken-2" not in definition_to_json(loaded.definition)

    def test_a_config_with_a_database_password_that_others_can_read(self, folder: Folder) -> None:
        folder.write("tasks.json", TASKS)
        folder.write("config.json", {"database": "oracle://u:dbpw@h/x"}).chmod(0o644)
        (warning,) = folder.load().warnings
        assert (
            str(warning)
            == f"config.json:1:14: database: everybody on this machine can read {folder.path}/config.json: chmod o-r"
        )


def test_unknown_keys_are_errors_if_strict(folder: Folder) -> None:
    folder.write("tasks.json", TASKS | {"owner": "me"})
    folder.write("config.json", {"colour": "blue"})
    assert [str(one) for one in folder.load().warnings] == [
        "tasks.json:1:61: owner: unknown key, ignored",
        "config.json:1:2: colour: unknown key, ignored",
    ]
    assert folder.problems(strict=True) == [
        "tasks.json:1:61: owner: unknown key",
        "config.json:1:2: colour: unknown key",
    ]


def test_settings_alone(folder: Folder) -> None:
    folder.write("config.json", {"database": "sqlite:///x.db"})
    folder.write("tasks.json", "broken")
    settings_read = load_settings(cwd=str(folder.path), environ={})
    assert settings_read.database == f"sqlite:///{folder.path}/x.db"


def test_config_read_again(folder: Folder) -> None:
    path = folder.write("config.json", {"max_process_concurrency": 5})
    assert load_config(str(path), str(folder.path), {}).max_process_concurrency == 5
    folder.write("config.json", '{"max_process_concurrency": 5')
    with pytest.raises(InvalidInput, match="a comma is missing"):
        load_config(str(path), str(folder.path), {})


@pytest.fixture
def collector() -> Iterator[None]:
    enabled = gc.isenabled()
    yield
    (gc.enable if enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_is_left_as_it_was(folder: Folder, collector: None, enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()
    folder.problems()
    assert gc.isenabled() is enabled


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
_TASK = st.fixed_dictionaries(
    {
        "id": st.sampled_from(["a", "b", "c"]) | _JSON,
        "type": st.sampled_from(["bash", "oracle", "spark"]) | _JSON,
    },
    optional={
        key: _JSON | value
        for key, value in {
            "depends": st.lists(st.sampled_from(["a", "b", "c"])),
            "command": st.text(),
            "db": st.text(),
            "ingestor-file": st.text(min_size=1),
            "confs": st.dictionaries(st.text(), st.text()),
            "parameters": st.lists(st.text()),
            "binds": st.dictionaries(st.text(), _JSON),
            "env": st.lists(st.fixed_dictionaries({"key": st.text(), "value": st.text()})),
            "retry": st.dictionaries(st.sampled_from(["attempts", "on_errors", "jitter"]), _JSON),
            "retries": st.integers(),
            "Command": st.text(),
            "_x": st.none(),
        }.items()
    },
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    tasks=_JSON | st.lists(_TASK | _JSON, max_size=4),
    config=_JSON | st.dictionaries(st.sampled_from(["env", "retry", "database", "log_directory"]), _JSON),
    connections=_JSON
    | st.lists(
        st.dictionaries(
            st.sampled_from(["name", "connection_string", "password", "thick"]), _JSON | st.text()
        )
    ),
    oneshot=st.none() | st.sampled_from(["a", "b"]),
    strict=st.booleans(),
)
def test_whatever_the_files_hold_it_is_loaded_or_said(
    folder: Folder, tasks: Any, config: Any, connections: Any, oneshot: str | None, strict: bool
) -> None:
    folder.write("tasks.json", {"tasks": tasks})
    folder.write("config.json", config)
    folder.write("oracle.json", {"connections": connections})
    problems: tuple[Problem, ...] = ()
    try:
        kept = definition_to_json(folder.load(oneshot=oneshot, strict=strict).definition)
    except InvalidInput as error:
        problems = error.problems
    else:
        assert definition_to_json(definition_from_json(kept)) == kept
    assert all(str(problem).isprintable() for problem in problems)
    assert any(not problem.warning for problem in problems) is bool(problems)
