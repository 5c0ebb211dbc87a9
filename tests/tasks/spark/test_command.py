"""The command line of spark-submit, for each way to run."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from mflow.tasks.spark.application import Manager, read_application
from mflow.tasks.spark.command import attempt_tag, private_pairs, shown, submit_arguments

TAG = "mflow-0123-7-2"
STANDALONE_PY = {
    "master": "spark://hdp:7077",
    "deploy-mode": "client",
    "driver-memory": "1g",
    "executor-memory": "4g",
    "executor-cores": "5",
    "total-executor-cores": "10",
    "ingestor-file": "/opt/ingestion/spark/tickets.py",
    "confs": [{"key": "spark.driver.maxResultSize", "value": "4g"}],
}
"""The task sp1_tickets of the origin's page."""


def command(
    options: dict[str, Any], private: str | None = None, environ: dict[str, str] | None = None
) -> list[str]:
    application = read_application(options, environ or {}, "/")
    return list(submit_arguments("spark-submit", application, TAG, "the task", private))


def confs(words: list[str]) -> list[str]:
    return [value for flag, value in pairwise(words) if flag == "--conf"]


def test_the_origins_python_task() -> None:
    assert command(STANDALONE_PY) == [
        "spark-submit",
        *("--master", "spark://hdp:7077"),
        *("--deploy-mode", "client"),
        *("--name", f"the task ({TAG})"),
        *("--driver-memory", "1g"),
        *("--executor-memory", "4g"),
        *("--executor-cores", "5"),
        *("--total-executor-cores", "10"),
        *("--conf", "spark.driver.maxResultSize=4g"),
        *("--conf", f"spark.mflow.attempt={TAG}"),
        "/opt/ingestion/spark/tickets.py",
    ]


def test_parameters_follow_the_file_and_reach_no_shell() -> None:
    words = command(
        {**STANDALONE_PY, "parameters": [{"parameter": "$(date) ; rm -rf *"}, {"parameter": "--conf"}]}
    )
    at = words.index("/opt/ingestion/spark/tickets.py")
    assert words[at + 1 :] == ["$(date)", ";", "rm", "-rf", "*", "--conf"]


def test_every_other_key_is_passed_on() -> None:
    words = command(
        {
            "master": "yarn",
            "deploy-mode": "cluster",
            "ingestor-file": "hdfs:///apps/a.jar",
            "class": "org.example.Main",
            "name": "My App",
            "driver-cores": 2,
            "num-executors": "8",
            "jars": "a.jar,b.jar",
            "packages": ["g:a:1", "g:b:2"],
            "py-files": "p.zip",
            "files": "log4j2.properties",
            "archives": "env.tar.gz#env",
            "queue": "night",
            "principal": "etl@EXAMPLE.COM",
            "keytab": "/etc/etl.keytab",
            "properties-file": "",
            "verbose": "yes",
            "supervise": "yes",
        }
    )
    line = " ".join(words)
    for part in (
        "--name My App",
        "--class org.example.Main",
        "--driver-cores 2",
        "--num-executors 8",
        "--jars a.jar,b.jar",
        "--packages g:a:1,g:b:2",
        "--py-files p.zip",
        "--files log4j2.properties",
        "--archives env.tar.gz#env",
        "--queue night",
        "--principal etl@EXAMPLE.COM",
        "--keytab /etc/etl.keytab",
        "--verbose",
        "--supervise",
    ):
        assert part in line


def test_standalone_cluster_mode_waits_for_the_application() -> None:
    cluster = {**STANDALONE_PY, "deploy-mode": "cluster", "ingestor-file": "/a.jar"}
    assert "spark.standalone.submit.waitAppCompletion=true" in confs(command(cluster))
    told = {**cluster, "confs": {"spark.standalone.submit.waitAppCompletion": "false"}}
    assert confs(command(told)).count("spark.standalone.submit.waitAppCompletion=false") == 1
    assert "spark.standalone.submit.waitAppCompletion=true" not in confs(command(told))


def test_yarn_client_mode() -> None:
    given = confs(command({"master": "yarn", "ingestor-file": "a.py"}))
    assert given == [
        f"spark.mflow.attempt={TAG}",
        f"spark.yarn.tags={TAG}",
        "spark.yarn.maxAppAttempts=1",
        "spark.yarn.am.clientModeExitOnError=true",
    ]


def test_yarn_cluster_mode_leaves_the_retrying_to_mflow() -> None:
    given = confs(command({"master": "yarn", "deploy-mode": "cluster", "ingestor-file": "a.py"}))
    assert given == [f"spark.mflow.attempt={TAG}", f"spark.yarn.tags={TAG}", "spark.yarn.maxAppAttempts=1"]


def test_what_the_user_says_of_yarn_holds_also_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "own.conf").write_text("spark.yarn.maxAppAttempts 3\nspark.yarn.tags  finance,night\n")
    options = {"master": "yarn", "ingestor-file": "a.py", "properties-file": str(tmp_path / "own.conf")}
    words = command(options)
    assert "spark.yarn.maxAppAttempts=1" not in confs(words)
    assert f"spark.yarn.tags=finance,night,{TAG}" in confs(words)
    assert words[words.index("--properties-file") + 1] == str(tmp_path / "own.conf")


@pytest.mark.parametrize(
    ("master", "deploy_mode"),
    [("yarn-client", "client"), ("yarn-cluster", "cluster"), ("yarn-standalone", "cluster")],
)
def test_masters_of_spark_1_are_understood(master: str, deploy_mode: str) -> None:
    application = read_application({"master": master, "ingestor-file": "a.py"}, {}, "/")
    assert (application.master, application.deploy_mode) == ("yarn", deploy_mode)
    assert application.manager is Manager.YARN


def test_a_secret_conf_is_in_the_private_file_and_nowhere_else() -> None:
    options = {
        **STANDALONE_PY,
        "confs": {"spark.ora.password": "tiger!", "spark.a": "1"},
        "parameters": ["tiger!"],
    }
    application = read_application(options, {}, "/")
    assert private_pairs(application) == (("spark.ora.password", "tiger!"),)
    words = command({**options, "parameters": []}, private="/run/.spark-x.properties")
    assert "tiger!" not in " ".join(words)
    assert words[words.index("--properties-file") + 1] == "/run/.spark-x.properties"
    assert "tiger!" not in shown(command(options), application.confs)


def test_a_secret_conf_may_come_from_the_environment() -> None:
    options = {
        **STANDALONE_PY,
        "confs": {"spark.ora.password": "${ORA_PASSWORD}", "spark.plain": "${ORA_PASSWORD}"},
    }
    application = read_application(options, {"ORA_PASSWORD": "tiger!"}, "/")
    assert application.confs == (("spark.ora.password", "tiger!"), ("spark.plain", "${ORA_PASSWORD}"))


def test_sparks_own_redaction_learns_what_else_is_secret() -> None:
    application = read_application({**STANDALONE_PY, "confs": {"spark.my.apiKey": "k-123"}}, {}, "/")
    (_, (key, pattern)) = private_pairs(application)
    assert key == "spark.redaction.regex"
    assert r"spark\.my\.apiKey" in pattern
    own = {"spark.my.apiKey": "k-123", "spark.redaction.regex": "x"}
    assert private_pairs(read_application({**STANDALONE_PY, "confs": own}, {}, "/")) == (
        ("spark.my.apiKey", "k-123"),
    )


def test_no_secret_no_private_file() -> None:
    assert private_pairs(read_application(STANDALONE_PY, {}, "/")) == ()


def test_spark_defaults_conf_is_read_by_spark_itself(tmp_path: Path) -> None:
    (tmp_path / "spark-defaults.conf").write_text("spark.master yarn\nspark.submit.deployMode cluster\n")
    environ = {"SPARK_CONF_DIR": str(tmp_path)}
    application = read_application({"ingestor-file": "a.py"}, environ, "/")
    assert (application.master, application.in_cluster) == ("yarn", True)
    assert "--properties-file" not in command({"ingestor-file": "a.py"}, environ=environ)


def test_a_master_that_nobody_named_is_left_to_spark_submit() -> None:
    assert "--master" not in command({"ingestor-file": "a.py"}, environ={"PATH": "/no/such"})


def test_a_file_that_looks_like_an_option_is_refused() -> None:
    with pytest.raises(ValueError, match="option"):
        command({**STANDALONE_PY, "ingestor-file": "--version"})


def test_tags_of_different_attempts_differ_and_suit_yarn() -> None:
    tags = {attempt_tag("F" * 32, task, attempt) for task in (1, 11) for attempt in (1, 11)}
    assert len(tags) == 4
    assert all(tag.isascii() and tag == tag.lower() and len(tag) <= 100 for tag in tags)
