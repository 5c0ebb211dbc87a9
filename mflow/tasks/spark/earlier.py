"""Attempts of the same task whose end was never proven: looked up before anything is submitted, so none is doubled.

driver in the cluster:  active        adopted: this attempt waits for it and takes its end
                        succeeded     this attempt ends well without submitting anything
                        failed        over: a new one may be submitted
                        not known     over: the master answers and runs no such driver
                        silent        UNKNOWN, nothing is submitted
driver in spark-submit: active        the driver is dead, so it is killed and awaited; UNKNOWN if it stays
                        else          over: spark-submit and with it the driver are known to be dead
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.spark import facts
from mflow.tasks.spark.cluster import Answer, Cluster, Ids, Status
from mflow.tasks.spark.output import read_log

ANSWER_SECONDS = 60.0
"""How long a silent cluster, or one that does not let go of a dead driver's application, is asked again."""

_PAUSE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of earlier attempts: an end for this one, one that runs, or (neither) nothing that runs."""

    end: AttemptEnd | None = None
    running: Ids = field(default_factory=Ids)


def settle(
    earlier: Sequence[Mapping[str, Any]],
    cluster: Cluster,
    say: Callable[[str], None],
    rest: Callable[[float], bool],
) -> Settled:
    """Look all of them up. `rest(seconds)` waits, and is true if this attempt is to stop."""
    for each in earlier:
        _remove_private(each)
        look_up = _settle_in_cluster if facts.ran_in_cluster(each) else _settle_in_client_mode
        settled = look_up(each, cluster, say, rest)
        if settled.end is not None or settled.running:
            return settled
    return Settled()


def _settle_in_cluster(
    each: Mapping[str, Any], cluster: Cluster, say: Callable[[str], None], rest: Callable[[float], bool]
) -> Settled:
    known = _ids(each)
    if not known:
        return _settle_unnamed(each, cluster, say, rest)
    answer = _ask(cluster, known, rest, until=lambda one: one.status is not Status.SILENT)
    return _from_answer(known, answer, say)


def _settle_unnamed(
    each: Mapping[str, Any], cluster: Cluster, say: Callable[[str], None], rest: Callable[[float], bool]
) -> Settled:
    """No id was seen: its tag is looked for. More than one that may be it are for a person to judge."""
    sought = facts.sought_of(each)
    found = cluster.find(sought)
    until = time.monotonic() + cluster.patience(ANSWER_SECONDS)
    while found is None and time.monotonic() < until and not rest(_PAUSE_SECONDS):
        found = cluster.find(sought)
    if found is None:
        return Settled(_unknown(f"the cluster does not answer, so whether {sought.tag} runs cannot be told"))
    if not found:
        say(f"the cluster knows nothing of {sought.tag}")
        return Settled()
    if len(found) == 1 and _is_exact(found[0]):
        return _from_answer(found[0], cluster.ask(found[0]), say)
    return _of_candidates(found, cluster, sought.tag)


def _settle_in_client_mode(
    each: Mapping[str, Any], cluster: Cluster, say: Callable[[str], None], rest: Callable[[float], bool]
) -> Settled:
    found = (_ids(each),) if _ids(each) else cluster.find(facts.sought_of(each)) or ()
    for ids in found:
        if cluster.ask(ids).status is not Status.ACTIVE:
            continue
        say(f"{ids} of an earlier attempt is still there without its driver: {cluster.kill(ids)}")
        answer = _ask(cluster, ids, rest, until=lambda one: one.status is not Status.ACTIVE)
        if answer.status is Status.ACTIVE:
            return Settled(_unknown(f"{ids} of an earlier attempt is still {answer.word} ({answer.source})"))
    return Settled()


def _ask(
    cluster: Cluster, ids: Ids, rest: Callable[[float], bool], *, until: Callable[[Answer], bool]
) -> Answer:
    answer = cluster.ask(ids)
    give_up_at = time.monotonic() + cluster.patience(ANSWER_SECONDS)
    while not until(answer) and time.monotonic() < give_up_at and not rest(_PAUSE_SECONDS):
        answer = cluster.ask(ids)
    return answer


def _from_answer(ids: Ids, answer: Answer, say: Callable[[str], None]) -> Settled:
    match answer.status:
        case Status.ACTIVE:
            return Settled(running=ids)
        case Status.SUCCEEDED:
            message = (
                f"{ids} of an earlier attempt had ended well ({answer.word}): nothing was submitted again"
            )
            return Settled(AttemptEnd(Outcome.EXITED, exit_code=0, message=message))
        case Status.SILENT:
            return Settled(
                _unknown(f"the cluster does not answer, so whether {ids} still runs cannot be told")
            )
    say(f"{ids} of an earlier attempt is over ({answer.word or 'no longer known'})")
    return Settled()


def _of_candidates(found: Sequence[Ids], cluster: Cluster, tag: str) -> Settled:
    """None of them is proven to be the one; only if all are over without doubt may the task be submitted again.

    How the one ended stays unknown then, like that of any attempt that was lost.
    """
    unclear = [str(ids) for ids in found if not cluster.ask(ids).over]
    if not unclear:
        return Settled()
    return Settled(
        _unknown(f"{', '.join(unclear)} may be {tag} of an earlier attempt: end it, or await its end")
    )


def _is_exact(ids: Ids) -> bool:
    """YARN looks tags up; on a standalone master a name or a main class is only a hint at a driver."""
    return str(ids.application).startswith("application_")


def _ids(each: Mapping[str, Any]) -> Ids:
    """As recorded, else as its log tells: spark-submit wrote there also when nobody was left to read it."""
    recorded = facts.ids_of(each)
    in_cluster = facts.ran_in_cluster(each)
    if recorded.driver or (recorded.application and (not in_cluster or _is_exact(recorded))):
        return recorded
    seen = read_log(facts.log_of(each), in_cluster=in_cluster)
    return Ids(seen.driver, seen.application)


def _remove_private(each: Mapping[str, Any]) -> None:
    path = Path(str(each.get(facts.PRIVATE) or ""))
    if path.match(".spark-*.properties"):
        with suppress(OSError):
            path.unlink()


def _unknown(message: str) -> AttemptEnd:
    return AttemptEnd(Outcome.UNKNOWN, message=f"{message}; nothing was submitted")
