"""From what was seen and answered to the end of an attempt. Pure."""

from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.tasks.spark.cluster import Answer, Ids, Status
from mflow.tasks.spark.output import Sightings
from mflow.tasks.spark.standalone import driver_answer
from mflow.tasks.spark.yarn import yarn_answer

_LONGEST_MESSAGE = 500
_LAST_WORDS = "as spark-submit heard"


def not_submitted(message: str) -> AttemptEnd:
    """Nothing of it ever ran."""
    return AttemptEnd(Outcome.NOT_STARTED, message=message)


def last_word(seen: Sightings, client: AttemptEnd) -> Answer | None:
    """What the cluster said last to spark-submit, if it leaves no doubt; None if it must be asked.

    deploy.yarn.Client reports "failed" also when YARN could not be reached, and says so; a client that ends with 0
    while the last report is not of an end was told not to wait (spark.yarn.submit.waitAppCompletion=false).
    """
    if seen.driver is not None:
        answer = driver_answer(seen.driver_state or "", _LAST_WORDS)
    elif seen.application is not None and seen.yarn_state and not seen.lost_contact:
        answer = yarn_answer(seen.yarn_state, _yarn_final(seen, client), _LAST_WORDS)
    else:
        return None
    return answer if answer.over else None


def end_in_client_mode(client: AttemptEnd, seen: Sightings, ids: Ids, answer: Answer | None) -> AttemptEnd:
    """spark-submit's own end is the driver's. `answer`: what the cluster said of an application without driver."""
    if client.ok:
        return client
    if answer is not None and answer.status is Status.ACTIVE:
        return client._replace(
            outcome=Outcome.UNKNOWN,
            message=f"the driver has ended, but {ids} is still {answer.word} ({answer.source})",
        )
    return _with_error(client, seen)


def end_in_cluster(ids: Ids, answer: Answer, *, stopped: bool, reason: str | None = None) -> AttemptEnd:
    """The cluster's word on an application, whatever spark-submit's exit code. `reason`: why it failed, if told."""
    what = "driver" if ids.driver else "application"
    if answer.status is Status.SUCCEEDED:
        return AttemptEnd(Outcome.EXITED, exit_code=0)
    if answer.status is Status.FAILED:
        return AttemptEnd(
            Outcome.ERROR,
            error=f"{what.upper()}_{answer.word}",
            message=f"{ids} ended as {answer.word} ({answer.source}): "
            + (reason[:_LONGEST_MESSAGE] if reason else "its own log is in the cluster"),
        )
    return AttemptEnd(Outcome.UNKNOWN, message=_doubt(ids, answer, stopped))


def without_id(client: AttemptEnd, seen: Sightings, found: tuple[Ids, ...] | None, master: str) -> AttemptEnd:
    """spark-submit ended without naming what it had submitted. `found`: what may be it; None if nobody answered."""
    if found is None:
        message = (
            f"spark-submit named no application and {master} does not answer: whether one runs is not known"
        )
        return client._replace(outcome=Outcome.UNKNOWN, message=message)
    if found:
        names = ", ".join(map(str, found))
        return client._replace(
            outcome=Outcome.UNKNOWN,
            message=f"spark-submit named no application, and {names} on {master} may be it",
        )
    if client.ok:
        message = "spark-submit ended well without naming an application, and the cluster knows of none"
        return client._replace(outcome=Outcome.ERROR, exit_code=None, error="NOT_SUBMITTED", message=message)
    return _with_error(client, seen)


def _yarn_final(seen: Sightings, client: AttemptEnd) -> str:
    """Reports show the final status with every change of state; the exit code is as good (deploy.yarn.Client.run)."""
    if seen.yarn_final and seen.yarn_final != "UNDEFINED":
        return seen.yarn_final
    return "SUCCEEDED" if client.ok else "FAILED"


def _with_error(client: AttemptEnd, seen: Sightings) -> AttemptEnd:
    """The exception's name where a person and `on_errors` look for it."""
    if client.outcome is not Outcome.EXITED or seen.error_text is None:
        return client
    return client._replace(error=seen.error, message=seen.error_text[:_LONGEST_MESSAGE])


def _doubt(ids: Ids, answer: Answer, stopped: bool) -> str:
    match answer.status:
        case Status.NOT_KNOWN:
            return f"{answer.source} knows nothing of {ids} any more: how it ended cannot be told"
        case Status.SILENT:
            return f"nobody says what became of {ids}: the cluster does not answer"
    told = "was told to end, but " if stopped else ""
    return f"{ids} {told}is still {answer.word} ({answer.source})"
