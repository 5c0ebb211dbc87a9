"""What is read of a task and of the files that spark-submit reads by itself."""

from pathlib import Path
from typing import Any

import pytest

from mflow.tasks.spark.application import read_application


def base(options: dict[str, Any], environ: dict[str, str], cwd: Path) -> Path | None:
    return read_application({"ingestor-file": "a.py", **options}, environ, str(cwd)).base


@pytest.fixture
def spark(tmp_path: Path) -> Path:
    """An installation: two scripts, and properties."""
    for name in ("bin/spark-submit", "bin/spark-class", "conf/spark-defaults.conf"):
        place = tmp_path / "home" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o755)
    return tmp_path


def test_the_file_spark_submit_would_read(spark: Path) -> None:
    default = spark / "home" / "conf" / "spark-defaults.conf"
    assert base({}, {"SPARK_HOME": "home"}, spark) == default
    assert base({"spark-home": "home"}, {}, spark) == default
    assert base({}, {"SPARK_HOME": "home", "SPARK_CONF_DIR": "none"}, spark) is None
    (spark / "own.conf").touch()
    assert base({"properties-file": "own.conf"}, {"SPARK_HOME": "home"}, spark) == spark / "own.conf"
    assert base({}, {"PATH": "/no/such"}, spark) is None
    default.unlink()
    assert base({}, {"SPARK_HOME": "home"}, spark) is None


def test_without_a_home_it_is_the_one_that_spark_submit_lies_in(spark: Path) -> None:
    default = spark / "home" / "conf" / "spark-defaults.conf"
    default.write_text("spark.master yarn\nspark.submit.deployMode cluster\nspark.yarn.maxAppAttempts 2\n")
    assert base({}, {"PATH": f"/no/such:{spark}/home/bin"}, spark) == default
    assert base({"submit": "home/bin/spark-submit"}, {}, spark) == default
    application = read_application(
        {"ingestor-file": "a.py", "submit": "home/bin/spark-submit"}, {}, str(spark)
    )
    assert (application.master, application.in_cluster) == ("yarn", True)
    (spark / "home" / "bin" / "find_spark_home.py").touch()  # as pip installs it: the home is elsewhere
    assert base({"submit": "home/bin/spark-submit"}, {}, spark) is None


def test_a_wrapper_around_spark_submit_has_secrets_of_its_own(spark: Path) -> None:
    (spark / "home" / "bin" / "spark-class").unlink()
    assert base({"submit": "home/bin/spark-submit"}, {}, spark) is None


def test_who_names_the_master() -> None:
    named = read_application({"master": "yarn"}, {"MASTER": "local[2]"}, "/")
    assert (named.master, named.master_is_assumed) == ("yarn", False)
    inherited = read_application({}, {"MASTER": "local[2]"}, "/")
    assert (inherited.master, inherited.master_is_assumed) == ("local[2]", False)
    assert read_application({}, {}, "/").master_is_assumed
