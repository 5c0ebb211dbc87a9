"""The task type `spark`: spark-submit as the task asks for it, and the truth about what became of the application.

::

    runner ─► attempt (a thread) ─► command, properties        what is submitted, and under which name
                  │                 output                     what spark-submit says while it runs
                  ├─► earlier ──┐
                  └─► verdict   ├─► cluster: standalone, yarn   what the cluster says
    preflight: what can be found out before anything runs
"""

from mflow.tasks.spark.runner import SparkRunner

__all__ = ["SparkRunner"]
