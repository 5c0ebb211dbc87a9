"""What spark-submit says.

The outputs recorded of a standalone master are Spark 4.1.4's; those of YARN are put together from the messages of
org.apache.spark.deploy.yarn.Client and YarnClientImpl, since no YARN was at hand.
"""

import os
from pathlib import Path

from mflow.tasks.spark.output import LogTail, Sightings, read_log

RECORDED = Path(__file__).with_name("recorded")
STANDALONE_CLUSTER = (RECORDED / "standalone-cluster.txt").read_text("utf-8")
STANDALONE_REST = (RECORDED / "standalone-rest.txt").read_text("utf-8")
STANDALONE_CLIENT = (RECORDED / "standalone-client.txt").read_text("utf-8")
YARN_CLUSTER = (RECORDED / "yarn-cluster.txt").read_text("utf-8")


def seen(text: str, *, in_cluster: bool = True) -> Sightings:
    found = Sightings(in_cluster=in_cluster)
    for line in text.splitlines():
        found.see(line)
    return found


def test_standalone_cluster_mode() -> None:
    found = seen(STANDALONE_CLUSTER)
    assert (found.driver, found.driver_state) == ("driver-20261124070307-0001", "FAILED")
    assert found.asked
    assert found.informative


def test_standalone_cluster_mode_by_rest() -> None:
    found = seen(STANDALONE_REST)
    assert (found.driver, found.driver_state, found.asked) == ("driver-20261124070342-0003", "RUNNING", True)


def test_standalone_client_mode() -> None:
    found = seen(STANDALONE_CLIENT, in_cluster=False)
    assert (found.application, found.driver) == ("app-20261124063936-0000", None)


def test_yarn_cluster_mode() -> None:
    found = seen(YARN_CLUSTER)
    assert found.application == "application_1473860344791_0001"
    assert (found.yarn_state, found.yarn_final, found.lost_contact) == ("FINISHED", "FAILED", False)
    assert found.error == "org.apache.spark.SparkException"


def test_yarn_out_of_reach_is_noticed() -> None:
    line = "16/11/01 11:52:19 ERROR yarn.Client: Failed to contact YARN for application application_1473860344791_0001."
    assert seen(line).lost_contact


def test_in_client_mode_the_users_words_are_not_the_clusters() -> None:
    found = seen(
        STANDALONE_CLUSTER + "Application report for application_1_0001 (state: FINISHED)\n", in_cluster=False
    )
    assert (found.driver, found.driver_state, found.yarn_state) == (None, None, None)


def test_the_state_of_another_driver_is_not_ours() -> None:
    found = seen(f"{STANDALONE_CLUSTER}State of driver driver-20261124070307-0002 is FINISHED, exiting")
    assert found.driver_state == "FAILED"


def test_no_submission() -> None:
    found = seen(
        "26/11/24 07:14:21 INFO RestSubmissionClient: Submitting a request to launch an application in x\n"
        "26/11/24 07:14:22 WARN RestSubmissionClient: Unable to connect to server spark://127.0.0.1:6066.\n"
    )
    assert (found.asked, found.refused, found.driver) == (True, True, None)


def test_a_java_exception() -> None:
    found = seen(
        'Exception in thread "main" java.lang.RuntimeException: driver broke\n\tat Drv.main(Drv.java:9)'
    )
    assert (found.error, found.error_text) == (
        "java.lang.RuntimeException",
        "java.lang.RuntimeException: driver broke",
    )


def test_an_error_condition_is_told_by_its_name() -> None:
    found = seen(
        "Traceback (most recent call last):\n"
        '  File "/app/job.py", line 3, in <module>\n'
        "    spark.table('missing')\n"
        "pyspark.errors.exceptions.captured.AnalysisException: [TABLE_OR_VIEW_NOT_FOUND] There is no `missing`.\n"
    )
    assert found.error == "TABLE_OR_VIEW_NOT_FOUND"
    assert str(found.error_text).startswith("pyspark.errors.exceptions.captured.AnalysisException: [TABLE")


def test_the_last_python_exception_counts_and_prose_does_not() -> None:
    text = "Traceback (most recent call last):\n  x\nKeyError: 1\n"
    assert seen(text + "Traceback (most recent call last):\n  y\nValueError\n").error == "ValueError"
    assert seen("Traceback (most recent call last):\n  y\nthis is prose, not a name\n").error is None
    assert seen("Error: Failed to load class Nope.").error_text == "Failed to load class Nope."


def test_a_log_that_grows_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    tail = LogTail(descriptor)
    os.write(descriptor, b"one\ntw")
    assert list(tail.lines()) == ["one"]
    os.write(descriptor, b"o\r\n\xff")
    assert list(tail.lines()) == ["two"]
    assert list(tail.last()) == ["\ufffd"]
    os.write(descriptor, b"x" * 1_000_000 + b"\nafter\n")
    long, after = tail.lines()
    assert len(long) <= 64 * 1024
    assert after == "after"
    tail.close()
    os.close(descriptor)


def test_the_log_of_an_earlier_attempt(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(STANDALONE_CLUSTER)
    assert read_log(str(tmp_path / "log"), in_cluster=True).driver == "driver-20261124070307-0001"
    assert read_log(str(tmp_path / "missing"), in_cluster=True).driver is None
