"""Where files take variables of the environment."""

from mflow.core.environment import Use
from mflow.core.model import Config, Task
from mflow.files.config import read_config
from mflow.files.environment import uses
from mflow.files.report import Report

CONFIG = Config(1, "/logs")


def of_task(**keys: object) -> list[Use]:
    """The uses of one bash task with these keys."""
    return list(uses([Task("a", "bash", **keys)], CONFIG))  # type: ignore[arg-type]


def test_in_the_variables_of_config_json() -> None:
    raw = {"env": [{"key": "A", "value": "$X/${Y}"}, {"key": "B", "value": "$A $$Z ${Y}"}]}
    config = read_config(raw, "/", {"X": "1"}, Report("config.json"))
    assert list(uses([], config)) == [Use("X", "A"), Use("Y", "A"), Use("Y", "B")]
    task = Task("a", "bash", env=(("C", "$A-$X"),))
    assert list(uses([task], config))[3:] == [Use("X", "C", "a")], "config.json's own A hides another"


def test_in_the_variables_of_a_task() -> None:
    assert of_task(env=(("A", "$X"), ("B", "$A${X}"))) == [Use("X", "A", "a"), Use("X", "B", "a")]
    assert of_task(env=(("A", "plain"),), options={"command": "echo $X"}) == []


def test_in_binds_and_secret_confs() -> None:
    options = {
        "command": "begin null; end;",
        "binds": {"day": "${BDATE}", "no": "x${BDATE}", "n": 1, "own": "${OWN}"},
        "confs": [["spark.ssl.keyPassword", "${PW}"], ["spark.home", "${SPARK}"]],
    }
    assert of_task(options=options, env=(("OWN", "1"),)) == [
        Use("BDATE", "day", "a", required=True),
        Use("PW", "spark.ssl.keyPassword", "a", required=True),
    ]
