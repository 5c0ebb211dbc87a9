"""What is found out before anything runs."""

import zipfile
from pathlib import Path
from typing import Any

import pytest

from mflow.tasks.spark.preflight import NO_SUBMIT, preflight

PY = {"master": "local[2]", "ingestor-file": "job.py"}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with a Spark, a Java and a script in it."""
    for program in ("spark/bin/spark-submit", "spark/bin/spark-class", "java/bin/java", "bin/java"):
        path = tmp_path / program
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o755)
    (tmp_path / "job.py").touch()
    return tmp_path


def problems(site: Path, options: dict[str, Any], **environ: str) -> list[str]:
    given = {"SPARK_HOME": f"{site}/spark", "PATH": f"{site}/bin", **environ}
    return preflight(options, {key: value for key, value in given.items() if value}, str(site))


def test_nothing_is_wrong(site: Path) -> None:
    assert problems(site, PY) == []


def test_spark_submit_by_each_way(site: Path) -> None:
    assert problems(site, PY, SPARK_HOME="") == [NO_SUBMIT]
    assert problems(site, PY, SPARK_HOME="", PATH=f"{site}/spark/bin:{site}/bin") == []
    assert problems(site, {**PY, "spark-home": "spark"}, SPARK_HOME="/no/such") == []
    assert problems(site, {**PY, "submit": "spark/bin/spark-submit"}, SPARK_HOME="/no/such") == []
    assert problems(site, {**PY, "submit": "no-such"}) == [NO_SUBMIT]
    assert problems(site, PY, SPARK_HOME="/no/such") == [NO_SUBMIT]
    (site / "spark/bin/spark-submit").chmod(0o644)
    assert problems(site, PY) == [NO_SUBMIT]


def test_java(site: Path) -> None:
    assert problems(site, PY, JAVA_HOME=f"{site}/java", PATH="/no/such") == []
    assert "JAVA_HOME is not set" in problems(site, PY, PATH="/no/such")[0]
    assert "no bin/java in it" in problems(site, PY, JAVA_HOME="/no/such")[0]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"deploy-mode": "cluster"}, "a local master"),
        ({"master": "spark://h:7077", "deploy-mode": "cluster"}, "no Python"),
        ({"master": "spark://h:7077", "deploy-mode": "cluster", "ingestor-file": "a.R"}, "no Python"),
        ({"master": "k8s://h:443", "deploy-mode": "cluster"}, "use client"),
        ({"master": "hdp:7077"}, "master: must be"),
        ({"deploy-mode": "clustre"}, "must be client or cluster"),
        ({"principal": "a@B"}, "goes with keytab"),
        ({"ingestor-file": "-x.py"}, "begins with -"),
        ({"confs": {"a=b": "1"}}, "must not hold"),
        ({"parameters": ["\0"]}, "NUL"),
        ({"parameters": [{"parameter": "'"}]}, "parameters: no closing quotation"),
        ({"confs": [["a", "1", "2"]]}, "too many values"),
        ({"confs": [{"key": "a"}]}, "cannot be understood"),
        ({"confs": {"spark.x.password": "${NO_SUCH}"}}, "variable NO_SUCH is not set"),
        ({"properties-file": "missing.conf"}, "properties-file: cannot be read"),
    ],
)
def test_what_spark_refuses(site: Path, options: dict[str, Any], said: str) -> None:
    assert said in problems(site, {**PY, **options})[0]


def test_what_would_be_wrong_anywhere(site: Path) -> None:
    here = {**PY, "ingestor-file": "gone.py", "properties-file": "missing.conf"}
    assert preflight(here, {}, str(site), here=False) == []
    assert len(preflight({**PY, "deploy-mode": "cluster"}, {}, str(site), here=False)) == 1


def test_proxy_user_or_principal(site: Path) -> None:
    (site / "etl.keytab").touch()
    both = {**PY, "principal": "a@B", "keytab": "etl.keytab", "proxy-user": "etl"}
    assert problems(site, both) == ["proxy-user: Spark takes either this or principal"]


def test_yarn_must_be_findable(site: Path) -> None:
    yarn = {**PY, "master": "yarn"}
    assert "HADOOP_CONF_DIR" in problems(site, yarn)[0]
    assert problems(site, yarn, HADOOP_CONF_DIR="/etc/hadoop") == []
    assert problems(site, yarn, YARN_CONF_DIR="/etc/hadoop") == []


def test_what_a_script_of_the_site_may_set_is_not_missing(site: Path) -> None:
    yarn = {**PY, "master": "yarn"}
    (site / "spark/conf").mkdir()
    (site / "spark/conf/spark-env.sh").write_text("export JAVA_HOME=/opt/java\n. /etc/site/hadoop-env\n")
    assert problems(site, yarn, PATH="/no/such") == []
    (site / "spark/conf/spark-env.sh").write_text("umask 027\n")
    assert "java was not found" in problems(site, yarn, PATH="/no/such")[0]
    (site / "spark/conf/spark-env.sh").unlink()
    (site / "spark/bin/spark-class").unlink()  # so spark-submit is a wrapper, which may set anything
    assert problems(site, yarn) == []


def test_files_of_this_host_must_be_there(site: Path) -> None:
    assert problems(site, {**PY, "ingestor-file": "gone.py"}) == [
        f"ingestor-file: no such file: {site}/gone.py"
    ]
    lists = {
        **PY,
        "jars": "gone.jar,hdfs:///x.jar",
        "archives": "job.py#env",
        "files": "*.py,none-*",
        "py-files": "",
    }
    assert problems(site, lists) == [
        f"jars: no such file: {site}/gone.jar",
        f"files: no such file: {site}/none-*",
    ]
    assert problems(site, {**PY, "ingestor-file": "hdfs:///apps/job.py"}) == []
    assert problems(site, {**PY, "ingestor-file": f"file://{site}/job.py"}) == []


def test_a_standalone_cluster_reads_files_on_its_own_hosts(site: Path) -> None:
    options = {
        "master": "spark://h:7077",
        "deploy-mode": "cluster",
        "class": "M",
        "ingestor-file": "/on/worker.jar",
    }
    assert problems(site, options) == []


def test_a_jar_needs_a_main_class(site: Path) -> None:
    jar = {**PY, "ingestor-file": "a.jar"}
    (site / "a.jar").write_text("no zip")
    assert problems(site, jar) == [f"ingestor-file: is no jar: {site}/a.jar"]
    assert problems(site, {**jar, "class": "M"}) == []
    with zipfile.ZipFile(site / "a.jar", "w") as file:
        file.writestr("x", "")
    assert "class: is missing" in problems(site, jar)[0]
    with zipfile.ZipFile(site / "a.jar", "a") as file:
        file.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\nMain-Class: M\r\n")
    assert problems(site, jar) == []
