"""What a spark task asks for, as a value: read from its keys once, the same for checks, commands and look-ups."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from mflow.core.embedded_secrets import is_reference
from mflow.core.secrets import holds_secret, looks_secret
from mflow.tasks.spark.programs import conf_folder
from mflow.tasks.spark.properties import parse_properties
from mflow.tasks.spark.words import is_yes, pairs_of, words_of

PASSED_ON = (
    "class",
    "driver-memory",
    "driver-cores",
    "driver-class-path",
    "driver-java-options",
    "driver-library-path",
    "executor-memory",
    "executor-cores",
    "total-executor-cores",
    "num-executors",
    "jars",
    "packages",
    "exclude-packages",
    "repositories",
    "py-files",
    "files",
    "archives",
    "queue",
    "principal",
    "keytab",
    "proxy-user",
)
"""Keys that are options of spark-submit by the same name."""


class Manager(Enum):
    """Who runs the application's processes."""

    LOCAL = "local"
    STANDALONE = "standalone"
    YARN = "yarn"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Application:
    """One Spark application to be. `settings` are the properties that hold, the file's overlaid by the task's."""

    master: str
    deploy_mode: str
    file: str
    name: str | None = None
    master_is_assumed: bool = False  # nobody named one: what spark-submit takes then, as far as can be seen
    options: Mapping[str, str] = field(default_factory=dict)  # of PASSED_ON, in that order
    confs: tuple[tuple[str, str], ...] = ()
    parameters: tuple[str, ...] = ()
    verbose: bool = False
    supervise: bool = False
    settings: Mapping[str, str] = field(default_factory=dict)
    base: Path | None = None  # the file of properties that spark-submit reads
    base_is_default: bool = False  # it reads it by itself
    spark_home: str | None = None
    submit: str | None = None
    master_rest: str | None = None
    master_ui: str | None = None

    @property
    def manager(self) -> Manager:
        """By the master's URL, as spark-submit tells them apart."""
        if self.master.startswith("local"):
            return Manager.LOCAL
        if self.master.startswith("spark://"):
            return Manager.STANDALONE
        return Manager.YARN if self.master.startswith("yarn") else Manager.OTHER

    @property
    def in_cluster(self) -> bool:
        """Whether the driver runs in the cluster, away from spark-submit."""
        return self.deploy_mode == "cluster"

    @property
    def is_python(self) -> bool:
        """Whether Spark takes the file for Python's (SparkSubmit.isPython)."""
        return self.file.endswith(".py")

    @property
    def is_jar(self) -> bool:
        """Whether the file is neither Python's nor R's."""
        return not self.file.lower().endswith((".py", ".r"))

    @property
    def secret_confs(self) -> tuple[tuple[str, str], ...]:
        """What must not be seen on a command line."""
        return tuple((key, value) for key, value in self.confs if holds_secret(key, value))

    @property
    def plain_confs(self) -> tuple[tuple[str, str], ...]:
        """The others."""
        return tuple((key, value) for key, value in self.confs if not holds_secret(key, value))


def read_application(options: Mapping[str, Any], environ: Mapping[str, str], cwd: str) -> Application:
    """The application that these keys of a task describe.

    A secret conf may be `${NAME}`: then it comes from the environment. Raises OSError if the properties-file cannot be
    read, ValueError for an open quote in a parameter or a variable that is not set.
    """
    base = _base(options, environ, cwd)
    confs = tuple((key, _resolved(key, value, environ)) for key, value in pairs_of(options.get("confs")))
    settings = {**(_properties(base) if base else {}), **dict(confs)}
    master = _text(options, "master") or settings.get("spark.master") or environ.get("MASTER")
    return Application(
        master=_master(master or "local[*]"),
        master_is_assumed=not master,
        deploy_mode=_deploy_mode(options, settings, environ),
        file=_text(options, "ingestor-file") or "",
        name=_text(options, "name") or settings.get("spark.app.name"),
        options=_passed_on(options),
        confs=confs,
        parameters=words_of(options.get("parameters")),
        verbose=is_yes(options.get("verbose")),
        supervise=is_yes(options.get("supervise")),
        settings=settings,
        base=base,
        base_is_default=base is not None and not options.get("properties-file"),
        spark_home=_text(options, "spark-home"),
        submit=_text(options, "submit"),
        master_rest=_text(options, "master-rest"),
        master_ui=_text(options, "master-ui"),
    )


def _base(options: Mapping[str, Any], environ: Mapping[str, str], cwd: str) -> Path | None:
    """The properties that spark-submit will read: the task's own, else spark-defaults.conf, if there is one."""
    given = _text(options, "properties-file")
    if given:
        return Path(cwd, given)
    folder = conf_folder(_text(options, "submit"), _text(options, "spark-home"), environ, cwd)
    default = folder / "spark-defaults.conf" if folder else None
    return default if default and default.is_file() else None


def _resolved(key: str, value: str, environ: Mapping[str, str]) -> str:
    """Other confs are left alone: `${...}` means something to Spark, too."""
    if not (looks_secret(key) and is_reference(value)):
        return value
    name = value.strip("${}")
    if name not in environ:
        raise ValueError(f"confs: {key}: the environment variable {name} is not set")
    return environ[name]


def _properties(path: Path) -> dict[str, str]:
    found = parse_properties(path.read_text("utf-8", "surrogateescape"))
    return {key: value for key, value in found.items() if key.startswith("spark.")}


def _master(given: str) -> str:
    """`yarn-client` and `yarn-cluster` are what Spark 1 called it; 2 and later still take them."""
    return "yarn" if given in ("yarn-client", "yarn-cluster", "yarn-standalone") else given


def _deploy_mode(options: Mapping[str, Any], settings: Mapping[str, str], environ: Mapping[str, str]) -> str:
    if _text(options, "master") in ("yarn-cluster", "yarn-standalone"):
        return "cluster"
    return (
        _text(options, "deploy-mode")
        or settings.get("spark.submit.deployMode")
        or environ.get("DEPLOY_MODE")
        or "client"
    )


def _passed_on(options: Mapping[str, Any]) -> dict[str, str]:
    found = {key: _text(options, key) for key in PASSED_ON}
    return {key: value for key, value in found.items() if value is not None}


def _text(options: Mapping[str, Any], key: str) -> str | None:
    value = options.get(key)
    if value is None or value == "":
        return None
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
