"""`retry` and its shorthand `retries`, in config.json, in the task file's `defaults` and in a task."""

import re
import signal
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Annotated, Any

from pydantic import AfterValidator, Field, model_validator

from mflow.core.model import Backoff, RetryPolicy
from mflow.core.retry import NEVER_RETRIED
from mflow.core.states import Outcome
from mflow.core.suggest import did_you_mean
from mflow.files.keys import Keys
from mflow.files.report import shown
from mflow.files.values import Count, ExitCode, Retries, Seconds, Some, Wait

_KNOWN = (*(outcome.value for outcome in Outcome), *(one.name for one in signal.Signals))
_NOT_MEANT = frozenset({"NOT_SUBMITTED"})  # a code of Spark tasks, however near it is to NOT_STARTED
_SHORT_CODE = re.compile(r"^(ORA|PLS)-([0-9]{1,4})$")


def _retryable(name: str) -> str:
    """As attempts' ends say it. What else a database or a cluster may say is not known here."""
    word = _SHORT_CODE.sub(lambda code: f"{code[1]}-{code[2]:0>5}", name.strip().upper())
    if word in NEVER_RETRIED:
        raise ValueError(f"{word} is never tried again by itself")
    meant = "" if word in _KNOWN or word in _NOT_MEANT else did_you_mean(word, _KNOWN)
    if meant:
        raise ValueError(f"no outcome, signal or code is called {shown(name)}{meant}")
    return word


class Retry(Keys):
    """When a failed attempt is tried again. What is not given comes from the level above."""

    attempts: Count | None = Field(None, description="How often it is tried in all; 1 is no retry.")
    wait_seconds: Wait | None = Field(None, description="Seconds between two tries.")
    backoff: Backoff | None = Field(
        None, description="Whether the wait stays the same or doubles with each try."
    )
    max_wait_seconds: Seconds | None = Field(None, description="The longest wait, in seconds.")
    jitter: Wait | None = Field(None, description="Up to so many seconds are added to a wait, at random.")
    on_exit_codes: tuple[ExitCode, ...] | None = Field(
        None, description="Only these exit codes are tried again."
    )
    on_errors: tuple[Annotated[Some, AfterValidator(_retryable)], ...] | None = Field(
        None,
        description="Only these ends are tried again: outcomes (TIMED_OUT), signals (SIGKILL), codes (ORA-00060).",
    )


class WithRetry(Keys):
    """Base of what may have `retry` or `retries`."""

    retry: Retry | None = Field(None, description="When a failed attempt is tried again.")
    retries: Retries | None = Field(
        None, description="Shorthand: so many further tries after the first; 3 is retry.attempts 4."
    )

    @model_validator(mode="after")
    def _only_one(self) -> "WithRetry":
        if self.retries is not None and self.retry is not None and self.retry.attempts is not None:
            raise ValueError('"retries" and "retry.attempts" say the same thing: give one of them')
        return self

    def retry_given(self) -> dict[str, Any]:
        """The keys of a retry policy that are given here."""
        given = {} if self.retry is None else self.retry.model_dump(exclude_none=True)
        return given if self.retries is None else {**given, "attempts": self.retries + 1}


def merged_policy(base: RetryPolicy, given: Mapping[str, Any]) -> RetryPolicy:
    """The base with what is given on top of it, key by key."""
    return _policy(base, tuple(given.items())) if given else base


@cache
def _policy(base: RetryPolicy, given: tuple[tuple[str, Any], ...]) -> RetryPolicy:
    """Equal policies are one object, however many tasks have them."""
    return replace(base, **dict(given))
