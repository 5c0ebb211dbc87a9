"""The keys of a spark task: the origin's, to the letter, and those people need beside them."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from mflow.files.keys import Keys
from mflow.files.task_keys import TaskKeys
from mflow.files.values import Count, Memory, Pairs, Some, Text, YesNo, split_as_shell


class ParameterEntry(Keys):
    """One entry of `parameters`, split as a shell would."""

    parameter: Text


def _words(value: object) -> object:
    """The parameters as words: each entry may hold several."""
    if not isinstance(value, list):
        return value
    words: list[object] = []
    for entry in value:
        text = entry.get("parameter") if isinstance(entry, dict) and len(entry) == 1 else entry
        words += split_as_shell(text) if isinstance(text, str) else [entry]
    return words


def _listed(value: object) -> object:
    """A list of names may be given as Spark writes it: with commas between."""
    return (
        ",".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else value
    )


Names = Annotated[Some, BeforeValidator(_listed)]


class SparkKeys(TaskKeys):
    """An application for spark-submit."""

    type: Literal["spark"] = Field(description="Type of the task.")
    ingestor_file: Some = Field(alias="ingestor-file", description="The .py, .R or .jar to run.")
    master: Some | None = Field(None, description="spark://host:port, yarn, local[2] ...")
    deploy_mode: Literal["client", "cluster"] | None = Field(None, alias="deploy-mode")
    name: Some | None = Field(None, description="Name of the application.")
    main_class: Some | None = Field(None, alias="class", description="Main class of a jar.")
    driver_memory: Memory | None = Field(None, alias="driver-memory")
    executor_memory: Memory | None = Field(None, alias="executor-memory")
    driver_class_path: Some | None = Field(None, alias="driver-class-path")
    driver_java_options: Some | None = Field(None, alias="driver-java-options")
    driver_library_path: Some | None = Field(None, alias="driver-library-path")
    driver_cores: Count | None = Field(None, alias="driver-cores")
    executor_cores: Count | None = Field(None, alias="executor-cores")
    total_executor_cores: Count | None = Field(None, alias="total-executor-cores")
    num_executors: Count | None = Field(None, alias="num-executors")
    confs: Pairs = Field((), description="Spark properties.")
    parameters: Annotated[tuple[str, ...], BeforeValidator(_words)] = Field(
        (), description="Of the application."
    )
    verbose: YesNo | None = None
    supervise: YesNo | None = None
    jars: Names | None = None
    packages: Names | None = None
    exclude_packages: Names | None = Field(None, alias="exclude-packages")
    repositories: Names | None = None
    py_files: Names | None = Field(None, alias="py-files")
    files: Names | None = None
    archives: Names | None = None
    queue: Some | None = None
    principal: Some | None = None
    keytab: Some | None = None
    proxy_user: Some | None = Field(None, alias="proxy-user")
    properties_file: Some | None = Field(None, alias="properties-file")
    spark_home: Some | None = Field(None, alias="spark-home")
    submit: Some | None = Field(None, description="Path of spark-submit.")
    master_rest: Some | None = Field(None, alias="master-rest")
    master_ui: Some | None = Field(None, alias="master-ui")
