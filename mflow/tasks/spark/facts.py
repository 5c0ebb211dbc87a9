"""What is recorded of an attempt, and what a later one reads of it. JSON values."""

from collections.abc import Mapping, Sequence
from typing import Any

from mflow.tasks.spark.application import Application
from mflow.tasks.spark.cluster import Ids, Sought

TAG = "tag"
DRIVER = "driver_id"
APPLICATION = "application_id"
PID = (
    "pid"  # of spark-submit, for whoever looks: there was none yet when the attempt was said to have started
)
PRIVATE = "private_file"
EARLIER = "earlier"
"""Facts of earlier attempts that were not yet known to be over when this one began."""

_MASTER, _MODE, _CLASS, _LOG, _SINCE = "master", "deploy_mode", "main_class", "spark_log", "submitted_at"


def identity(tag: str, application: Application, log: str, now: float) -> dict[str, Any]:
    """What is recorded before the submission. `now` is Unix time."""
    return {
        TAG: tag,
        _MASTER: application.master,
        _MODE: application.deploy_mode,
        _CLASS: application.options.get("class"),
        _LOG: log,
        _SINCE: now,
    }


def of_ids(ids: Ids) -> dict[str, str]:
    """The ids that are known."""
    known = {DRIVER: ids.driver, APPLICATION: ids.application}
    return {key: value for key, value in known.items() if value}


def ids_of(facts: Mapping[str, Any]) -> Ids:
    """The ids that were recorded."""
    return Ids(_text(facts.get(DRIVER)), _text(facts.get(APPLICATION)))


def sought_of(facts: Mapping[str, Any]) -> Sought:
    """By what it can be looked for if no id was recorded."""
    since = facts.get(_SINCE)
    return Sought(
        str(facts[TAG]), _text(facts.get(_CLASS)), float(since) if isinstance(since, int | float) else 0.0
    )


def log_of(facts: Mapping[str, Any]) -> str:
    """Where its log is."""
    return str(facts.get(_LOG) or "")


def ran_in_cluster(facts: Mapping[str, Any]) -> bool:
    """Whether its driver was to run in the cluster."""
    return facts.get(_MODE) == "cluster"


def unproven(previous: Mapping[str, Any]) -> list[dict[str, Any]]:
    """From the facts of the last attempt, those of all attempts whose end is unproven, the oldest first."""
    if TAG not in previous:
        return []
    older = previous.get(EARLIER)
    entries: Sequence[Any] = older if isinstance(older, list) else ()
    last = {key: value for key, value in previous.items() if key != EARLIER}
    return [*(dict(each) for each in entries if isinstance(each, Mapping) and TAG in each), last]


def _text(value: Any) -> str | None:
    return str(value) if value else None
