"""The command line of spark-submit for one attempt: an argument list, never a shell's text. Pure."""

import re
from collections.abc import Sequence

from mflow.core.secrets import looks_secret, mask, secret_values, word_secrets
from mflow.tasks.spark.application import Application, Manager

TAG_PROPERTY = "spark.mflow.attempt"
"""Names the attempt in the application's environment page and event log, whoever manages it."""

_YARN_TAGS = "spark.yarn.tags"
_REDACTION = "spark.redaction.regex"
_REDACTED_BY_DEFAULT = re.compile(r"(?i)secret|password|token|access[.]?key")
"""The default of spark.redaction.regex since Spark 3.1: what spark-submit --verbose does not show."""


def attempt_tag(run_uid: str, task_no: int, attempt: int) -> str:
    """The name of an attempt in a cluster: lower case, since YARN changes tags to it, and below its 100 letters."""
    return f"mflow-{run_uid}-{task_no}-{attempt}".lower()


def submit_arguments(
    submit: str, application: Application, tag: str, task_id: str, private_file: str | None
) -> tuple[str, ...]:
    """The whole command. `private_file`: where the secret confs are, with the base properties before them.

    Raises ValueError for what spark-submit would take for an option.
    """
    if not application.file or application.file.startswith("-"):
        raise ValueError(f"ingestor-file {application.file!r} would be taken for an option of spark-submit")
    return (
        submit,
        # A wrapper may know of a master where mflow does not: it must have its way.
        *(() if application.master_is_assumed else ("--master", application.master)),
        *("--deploy-mode", application.deploy_mode),
        *_name(application, tag, task_id),
        *(word for key, value in application.options.items() for word in (f"--{key}", value)),
        *(("--verbose",) if application.verbose else ()),
        *(("--supervise",) if application.supervise else ()),
        *_properties_file(application, private_file),
        *(word for key, value in _all_confs(application, tag) for word in ("--conf", f"{key}={value}")),
        application.file,
        *application.parameters,
    )


def private_pairs(application: Application) -> tuple[tuple[str, str], ...]:
    """What belongs into the private file, empty if there is no secret.

    Spark's own redaction is widened if a key that is a secret to mflow is none to Spark.
    """
    secrets = application.secret_confs
    pattern = application.settings.get(_REDACTION)
    if not secrets or pattern is not None or all(_REDACTED_BY_DEFAULT.search(key) for key, _ in secrets):
        return secrets
    names = "|".join(re.escape(key) for key, _ in secrets)
    return (*secrets, (_REDACTION, f"{_REDACTED_BY_DEFAULT.pattern}|{names}"))


def shown(arguments: Sequence[str], settings: Sequence[tuple[str, str]] = ()) -> str:
    """The command for the log; it holds no secret conf, but a parameter may be one of their values, or hold another."""
    return mask(" ".join(arguments), secret_values(settings) | word_secrets(arguments))


def _name(application: Application, tag: str, task_id: str) -> tuple[str, ...]:
    """On a standalone master the name is all that can be looked up, so it bears the tag."""
    if application.manager is Manager.STANDALONE:
        return ("--name", f"{application.name or task_id} ({tag})")
    return ("--name", application.name) if application.name else ()


def _properties_file(application: Application, private_file: str | None) -> tuple[str, ...]:
    if private_file:
        return ("--properties-file", private_file)
    if application.base and not application.base_is_default:
        return ("--properties-file", str(application.base))
    return ()


def _all_confs(application: Application, tag: str) -> tuple[tuple[str, str], ...]:
    """The task's own confs, and those that let mflow tell the truth."""
    ours = _ours(application, tag)
    theirs = tuple((key, value) for key, value in application.plain_confs if key not in ours)
    assert not any(looks_secret(key) for key in ours)
    return (*theirs, *ours.items())


def _ours(application: Application, tag: str) -> dict[str, str]:
    ours = {TAG_PROPERTY: tag}
    if application.manager is Manager.STANDALONE and application.in_cluster:
        # Else spark-submit leaves once the driver is accepted (spark-standalone.html, "Launching Spark Applications").
        _unless_given(application, ours, "spark.standalone.submit.waitAppCompletion", "true")
    if application.manager is Manager.YARN:
        own = application.settings.get(_YARN_TAGS, "")
        ours[_YARN_TAGS] = f"{own},{tag}" if own else tag
        # mflow retries; YARN must not do so behind its back (running-on-yarn.html).
        _unless_given(application, ours, "spark.yarn.maxAppAttempts", "1")
        if not application.in_cluster:
            _unless_given(application, ours, "spark.yarn.am.clientModeExitOnError", "true")
    return ours


def _unless_given(application: Application, ours: dict[str, str], key: str, value: str) -> None:
    if key not in application.settings:
        ours[key] = value
