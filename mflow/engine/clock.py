"""The clocks of a supervisor, read in one place."""

import time
from datetime import UTC, datetime

from mflow.core.machine import Now


def now() -> Now:
    """The wall clock (aware UTC) and the monotonic one (seconds)."""
    return Now(datetime.now(UTC), time.monotonic())


def boot_seconds() -> float:
    """Seconds since boot, suspended time included: what a lease is measured by on this side."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
