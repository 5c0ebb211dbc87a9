"""The way in for workers: `mflow.tasks.spark.runner:SparkRunner`."""

from mflow.core.contracts import Job, Running, Workbench
from mflow.tasks.spark.attempt import SparkAttempt


class SparkRunner:
    """Runs attempts of spark tasks; a `Runner` of `core.contracts`."""

    def start(self, job: Job, bench: Workbench) -> Running:
        """Begin; all that takes time happens in the attempt's own thread."""
        return SparkAttempt(job, bench)
