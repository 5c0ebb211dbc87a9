"""How the master log words the end of an attempt."""

from mflow.core.model import Ending


def ended_words(ending: Ending) -> str:
    """E.g. `FAILED: EXITED exit_code=3 tries=2`, `PENDING: TIMED_OUT signal=SIGTERM not_before=...`."""
    end = ending.end
    words = [f"{ending.to}: {end.outcome}"]
    if end.exit_code is not None:
        words.append(f"exit_code={end.exit_code}")
    words += [f"{name}={value}" for name, value in (("signal", end.signal), ("error", end.error)) if value]
    words.append(f"tries={ending.tries}")
    if ending.not_before is not None:
        words.append(f"not_before={ending.not_before.isoformat(timespec='milliseconds')}")
    if end.survivors:
        words.append(f"survivors={','.join(map(str, end.survivors))}")
    return " ".join(words)
