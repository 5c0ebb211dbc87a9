"""The keys of a spark task: the origin's, to the letter, and those people need beside them.

Only their form is checked here. What depends on the machine, and what Spark refuses, is `tasks.spark.preflight`'s.
"""

import shlex
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mflow.files.keys import Keys
from mflow.files.task_keys import TaskKeys
from mflow.files.values import AlsoText, Count, Memory, Pairs, Schema, Some, Text, YesNo


def _splits(value: str) -> str:
    try:
        shlex.split(value)
    except ValueError as error:
        raise ValueError(f"cannot be split into words: {str(error).lower()}") from None
    return value


class Parameter(Keys):
    """One entry of `parameters`; it may hold several words."""

    parameter: Annotated[Text, AfterValidator(_splits)] = Field(
        description="Given to the application, split as a shell would."
    )


def _as_entry(value: Any) -> Any:
    """Plain text is accepted for an entry."""
    return {"parameter": value} if isinstance(value, str) else value


ParameterEntry = Annotated[Parameter, BeforeValidator(_as_entry), AlsoText("")]


def _listed(value: Any) -> Any:
    """A list of names may be given as Spark wants it, with commas between, or as a list."""
    return (
        ",".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value
    )


Names = Annotated[
    Some,
    BeforeValidator(_listed),
    Schema({"anyOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}}]}),
]


class SparkKeys(TaskKeys):
    """An application for spark-submit."""

    type: Literal["spark"] = Field(description="An application for spark-submit.")
    ingestor_file: Some = Field(alias="ingestor-file", description="The .py, .R or .jar to run.")
    master: Some | None = Field(None, description="spark://HOST:PORT, yarn, local[2] ...")
    deploy_mode: Literal["client", "cluster"] | None = Field(
        None,
        alias="deploy-mode",
        description="Where the driver runs: beside spark-submit, or in the cluster.",
    )
    name: Some | None = Field(None, description="Name of the application.")
    main_class: Some | None = Field(None, alias="class", description="Main class of a jar.")
    driver_memory: Memory | None = Field(None, alias="driver-memory", description="Memory of the driver: 1g.")
    driver_cores: Count | None = Field(
        None, alias="driver-cores", description="Cores of a driver in the cluster."
    )
    driver_class_path: Some | None = Field(
        None, alias="driver-class-path", description="Class path of the driver."
    )
    driver_java_options: Some | None = Field(
        None, alias="driver-java-options", description="Options of the driver's JVM."
    )
    driver_library_path: Some | None = Field(
        None, alias="driver-library-path", description="Where the driver looks for native libraries."
    )
    executor_memory: Memory | None = Field(
        None, alias="executor-memory", description="Memory of each executor: 4g."
    )
    executor_cores: Count | None = Field(None, alias="executor-cores", description="Cores of each executor.")
    total_executor_cores: Count | None = Field(
        None, alias="total-executor-cores", description="Cores of all executors together (standalone)."
    )
    num_executors: Count | None = Field(
        None, alias="num-executors", description="Number of executors (YARN)."
    )
    confs: Pairs = Field((), description="Spark properties: a list of key and value, or an object.")
    parameters: tuple[ParameterEntry, ...] = Field((), description="Parameters of the application.")
    verbose: YesNo | None = Field(None, description="Let spark-submit say more.")
    supervise: YesNo | None = Field(
        None, description="Let the master restart a driver that fails (standalone)."
    )
    jars: Names | None = Field(None, description="Jars for driver and executors.")
    packages: Names | None = Field(None, description="Maven coordinates of jars.")
    exclude_packages: Names | None = Field(
        None, alias="exclude-packages", description="Coordinates (group:artifact) to leave out."
    )
    repositories: Names | None = Field(
        None, description="Where packages are looked for beside Maven Central."
    )
    py_files: Names | None = Field(None, alias="py-files", description=".zip, .egg or .py files for Python.")
    files: Names | None = Field(None, description="Files for the folder of each executor.")
    archives: Names | None = Field(None, description="Archives unpacked in the folder of each executor.")
    queue: Some | None = Field(None, description="Queue of YARN.")
    principal: Some | None = Field(None, description="Kerberos principal; goes with keytab.")
    keytab: Some | None = Field(None, description="File with the principal's keys.")
    proxy_user: Some | None = Field(None, alias="proxy-user", description="User to impersonate.")
    properties_file: Some | None = Field(
        None, alias="properties-file", description="Properties, instead of conf/spark-defaults.conf."
    )
    spark_home: Some | None = Field(None, alias="spark-home", description="Folder of the Spark to use.")
    submit: Some | None = Field(None, description="Path of spark-submit.")
    master_rest: Some | None = Field(
        None, alias="master-rest", description="HOST:PORT of a standalone master's REST server."
    )
    master_ui: Some | None = Field(
        None, alias="master-ui", description="URL of a standalone master's web page."
    )

    def options(self) -> dict[str, Any]:
        """`parameters` as the words they are split into."""
        options = super().options()
        if self.parameters:
            options["parameters"] = [
                word for entry in self.parameters for word in shlex.split(entry.parameter)
            ]
        return options
