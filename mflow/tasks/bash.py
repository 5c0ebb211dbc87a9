"""The task type `bash`: a command given to `bash -c`."""

from mflow.core.contracts import Job, Running, Workbench


class BashRunner:
    """Runs attempts of bash tasks; a `Runner` of `core.contracts`."""

    def start(self, job: Job, bench: Workbench) -> Running:
        """Start `bash -c <command>`; the rest of its tree, its deadline and its end are the worker's matter."""
        return bench.spawn(("bash", "-c", job.options["command"]))
