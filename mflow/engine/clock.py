"""The clocks of a supervisor, read in one place."""

import time
from datetime import UTC, datetime

from mflow.core.machine import Now


def now() -> Now:
    """The wall clock (aware UTC), and one that nobody sets: waits go on while the machine is suspended."""
    return Now(datetime.now(UTC), boot_seconds())


def boot_seconds() -> float:
    """Seconds since boot, suspended time included: what a lease is measured by on this side."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
