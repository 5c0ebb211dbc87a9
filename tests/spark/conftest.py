"""The Spark these tests run, started once: JVMs are slow and heavy."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.spark.installation import Master, compile_driver, spark_home, standalone_cluster, what_is_missing

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def home() -> Path:
    """SPARK_HOME."""
    if reason := what_is_missing():
        pytest.skip(reason)
    found = spark_home()
    assert found is not None
    return found


@pytest.fixture(scope="session")
def master(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A standalone cluster."""
    with standalone_cluster(home, tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="session")
def driver_jar(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The class Driver, compiled."""
    return compile_driver(home, HERE / "Driver.java", tmp_path_factory.mktemp("driver"))
