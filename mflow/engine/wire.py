"""Messages as bytes, between two processes of one program that trust each other.

What every task costs, a `Run`, an `Ended` and its share of an `Ack`, goes as plain values by marshal, in a fifth of
the time that pickle takes. All else is rare, and pickled.
"""

import marshal
import pickle
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from mflow.core.contracts import Job
from mflow.core.model import AttemptEnd
from mflow.core.states import Outcome
from mflow.engine.messages import Ack, Ended, Run

_PICKLED, _RUN, _ENDED, _ACK = range(4)


def to_bytes(message: Any) -> bytes:
    """The message, whole. Never fails for what `pickle` takes."""
    pack = _PACK.get(type(message), _pickle)
    try:
        return marshal.dumps(pack(message))
    except ValueError:  # a task type's own kind of value, an enum say
        return marshal.dumps(_pickle(message))


def from_bytes(data: bytes | bytearray) -> Any:
    """What `to_bytes` was given."""
    values = marshal.loads(data)  # noqa: S302  (our own other half wrote it)
    return _UNPACK[values[0]](values)


def _pickle(message: Any) -> tuple[Any, ...]:
    return _PICKLED, pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


def _unpickle(values: tuple[Any, ...]) -> Any:
    return pickle.loads(values[1])  # noqa: S301  (see above)


def _pack_run(message: Run) -> tuple[Any, ...]:
    *plain, private, previous, behind_others = message.job
    return _RUN, *plain, pickle.dumps(private) if private else None, previous, behind_others


def _unpack_run(values: tuple[Any, ...]) -> Run:
    _, *plain, private, previous, behind_others = values
    known = pickle.loads(private) if private else {}  # noqa: S301
    return Run(Job._make((*plain, known, previous, behind_others)))


def _pack_ended(message: Ended) -> tuple[Any, ...]:
    task_no, attempt, end, retiring = message
    outcome, exit_code, signal, error, text, started_at, ended_at, *others = end
    started = None if started_at is None else started_at.timestamp()  # holds microseconds until 2242
    ended = None if ended_at is None else ended_at.timestamp()
    return (
        _ENDED,
        task_no,
        attempt,
        retiring,
        outcome.value,
        exit_code,
        signal,
        error,
        text,
        started,
        ended,
        *others,
    )


def _unpack_ended(values: tuple[Any, ...]) -> Ended:
    _, task_no, attempt, retiring, outcome, exit_code, signal, error, text, started, ended, *others = values
    started_at = None if started is None else datetime.fromtimestamp(started, UTC)
    ended_at = None if ended is None else datetime.fromtimestamp(ended, UTC)
    end = AttemptEnd(Outcome(outcome), exit_code, signal, error, text, started_at, ended_at, *others)
    return Ended(task_no, attempt, end, retiring)


def _pack_ack(message: Ack) -> tuple[Any, ...]:
    return _ACK, message.attempts


def _unpack_ack(values: tuple[Any, ...]) -> Ack:
    return Ack(values[1])


_PACK: dict[type, Callable[[Any], tuple[Any, ...]]] = {Run: _pack_run, Ended: _pack_ended, Ack: _pack_ack}
_UNPACK: tuple[Callable[[tuple[Any, ...]], Any], ...] = (_unpickle, _unpack_run, _unpack_ended, _unpack_ack)
