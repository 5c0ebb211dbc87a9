"""The task type `oracle`: PL/SQL blocks, SQL statements and scripts on a connection of oracle.json.

::

    job ──plan──► session ──► transaction ──execution──► the database
                    │             │ loss: what a lost connection means; guard: what Transaction Guard says of it
                    └─ fate: whether a session still lives, and ending it
    runner: the worker's side; control: what its threads share; ending: a stop; earlier: an unproven attempt before
"""

from mflow.tasks.oracle.runner import OracleRunner

__all__ = ["OracleRunner"]
