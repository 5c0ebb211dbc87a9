"""All files of a run read together, and all that is wrong with any of them said together."""

import gc
import os
import sys
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from mflow.core.errors import InvalidInput, Problem
from mflow.core.model import Config, Datasource, Definition, Task
from mflow.core.secrets import definition_secrets, secret_values, url_without_password
from mflow.files.config import default_config, read_config
from mflow.files.datasources import DatasourcesRead, read_datasources, warn_if_others_read
from mflow.files.locating import CONFIG, DATASOURCES, TASKFILE, Located, Places
from mflow.files.reading import read_object, with_positions
from mflow.files.refused_keys import refusal
from mflow.files.report import Report
from mflow.files.taskfile import TasksRead, Types, check_connections, read_tasks

STATE_CONNECTION = "mflow"
"""The connection of oracle.json that is the state database."""


def _program() -> str:
    return sys.argv[0]


@dataclass(frozen=True, slots=True)
class Request:
    """Which files are wanted: None means the default one, if it is found; without `search` it means none."""

    types: Types
    taskfile: str | None = None
    config: str | None = None
    datasources: str | None = None
    oneshot: str | None = None
    strict: bool = False
    search: bool = True
    needed: Set[str] = frozenset({STATE_CONNECTION})
    """The connections that must be usable, beside those that tasks name."""
    finished: Set[str] = frozenset()
    """Tasks whose connections nobody needs any more."""
    cwd: str = field(default_factory=os.getcwd)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    program: str | None = field(default_factory=_program)
    """As invoked: default files are looked for beside it."""

    @property
    def places(self) -> Places:
        """Where default files are looked for."""
        return Places.of(self.cwd, self.environ, self.program)


@dataclass(frozen=True, slots=True)
class Settings:
    """config.json and oracle.json."""

    config: Config
    datasources: Mapping[str, Datasource]
    config_path: str | None
    datasources_path: str | None
    warnings: tuple[Problem, ...] = ()
    connections: tuple[str, ...] | None = ()
    """The names of all, also of those that cannot be used; None if oracle.json could not be read at all."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)

    @property
    def database(self) -> str | None:
        """The state database that config.json names."""
        return self.config.database


@dataclass(frozen=True, slots=True)
class Loaded:
    """Everything a run is started with."""

    definition: Definition
    settings: Settings
    warnings: tuple[Problem, ...]
    first: int = 0
    """The place of the first task in the task file."""
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What tasks start from: references to secrets are looked up there."""

    @property
    def config(self) -> Config:
        """What config.json says."""
        return self.settings.config

    @property
    def datasources(self) -> Mapping[str, Datasource]:
        """The usable connections by their names."""
        return self.settings.datasources

    @property
    def secrets(self) -> frozenset[str]:
        """Every secret that the files hold or name, for `core.secrets.mask`."""
        return self.settings.secrets | definition_secrets(self.definition, self.environ)


def load(request: Request) -> Loaded:
    """Read the three files. Raises InvalidInput with every problem, warnings included, if one is no warning."""
    with _collector_paused():
        return _load(request)


def _load(request: Request) -> Loaded:
    reading = _Reading(request)
    located = request.places.locate(request.taskfile, TASKFILE)
    report = reading.report(located or Located("", TASKFILE), refusal=refusal)
    raw = _task_object(located, request.places, report)
    config = reading.config()
    read = TasksRead((), ())
    if raw is not None:
        read = read_tasks(raw, request.types, config, request.environ, report, request.oneshot)
    used = {
        connection
        for task in read.tasks
        if task.id not in request.finished
        for connection in connections_of(task)
    }
    settings = reading.settings(config, used)
    if settings.connections is not None:
        check_connections(read, settings.connections, report)
    warnings = _conclude(reading.reports)
    assert located is not None, "else there is a problem"
    definition = Definition(
        tasks=read.tasks,
        taskfile=located.path,
        cwd=request.cwd,
        config=settings.config_path,
        datasources=settings.datasources_path,
        oneshot=request.oneshot,
    )
    environ = {**request.environ, **dict(settings.config.env)}
    return Loaded(definition, settings, warnings, read.first, environ)


def load_settings(
    *,
    config: str | None = None,
    datasources: str | None = None,
    search: bool = True,
    cwd: str | None = None,
    environ: Mapping[str, str] | None = None,
    needed: Set[str] = frozenset({STATE_CONNECTION}),
) -> Settings:
    """Read config.json and oracle.json only, for commands that run nothing. Raises InvalidInput."""
    request = Request(
        types={},
        config=config,
        datasources=datasources,
        search=search,
        needed=needed,
        cwd=os.getcwd() if cwd is None else cwd,
        environ=dict(os.environ) if environ is None else environ,
    )
    reading = _Reading(request)
    settings = reading.settings(reading.config(), frozenset())
    return replace(settings, warnings=_conclude(reading.reports))


def load_config(path: str, cwd: str, environ: Mapping[str, str]) -> Config:
    """Read one config.json again. Raises InvalidInput."""
    report = Report(path, path)
    raw = read_object(path, report)
    config = read_config(raw, cwd, environ, report) if raw is not None else default_config(cwd)
    _conclude([report])
    return config


def _is_folder(path: str, cwd: str) -> bool:
    """Whether the path is that of this folder, links followed."""
    return os.path.realpath(path) == os.path.realpath(cwd)


def connections_of(task: Task) -> Set[str]:
    """The connections that a task names."""
    name = task.options.get("db")
    return {name} if isinstance(name, str) else frozenset()


def _task_object(located: Located | None, places: Places, report: Report) -> dict[str, Any] | None:
    if located is None:
        report.error("", f"not found; looked in {places}")
        return None
    return read_object(located.path, report)


class _Reading:
    """One reading of files: what was asked for, and a report for each file that was opened."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._config_path: str | None = None
        self.reports: list[Report] = []

    def report(self, file: Located, **options: Any) -> Report:
        """A new report on this file."""
        self.reports.append(Report(file.name, file.path, strict=self._request.strict, **options))
        return self.reports[-1]

    def config(self) -> Config:
        """What config.json says; every value is its default if there is none, or none that can be read."""
        request = self._request
        file = self._locate(request.config, CONFIG)
        if file is None:
            return default_config(request.cwd)
        self._config_path = file.path
        report = self.report(file)
        raw = read_object(file.path, report)
        if raw is None:
            return default_config(request.cwd)
        elsewhere = request.search and not _is_folder(os.path.dirname(file.path), request.cwd)
        config = read_config(raw, request.cwd, request.environ, report, elsewhere=elsewhere)
        if config.database and url_without_password(config.database) != config.database:
            warn_if_others_read(file.path, "database", report)
        return config

    def settings(self, config: Config, used: Set[str]) -> Settings:
        """config.json's values and oracle.json; the connections `used` or needed in any case must be usable."""
        file = self._locate(self._request.datasources, DATASOURCES)
        read = self._datasources(file, used | self._request.needed)
        return Settings(
            config=config,
            datasources=read.usable if read else {},
            config_path=self._config_path,
            datasources_path=file.path if file else None,
            connections=read.names if read else None,
            secrets=frozenset(secret_values(config.env)) | (read.secrets if read else frozenset()),
        )

    def _locate(self, option: str | None, name: str) -> Located | None:
        if option is None and not self._request.search:
            return None
        return self._request.places.locate(option, name)

    def _datasources(self, file: Located | None, needed: Set[str]) -> DatasourcesRead | None:
        if file is None:
            return DatasourcesRead({}, (), frozenset())
        report = self.report(file)
        raw = read_object(file.path, report)
        if raw is None:
            return None
        return read_datasources(raw, file.path, self._request.environ, needed, report)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Nothing that is read is garbage, and looking for some among 100,000 tasks takes half of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _conclude(reports: Sequence[Report]) -> tuple[Problem, ...]:
    """The warnings; raises InvalidInput if there is worse."""
    problems = [
        problem for report in reports for problem in with_positions(report.problems, report.path or "")
    ]
    if any(report.failed for report in reports):
        raise InvalidInput(problems)
    return tuple(problems)
