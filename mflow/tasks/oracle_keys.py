"""The keys of an oracle task."""

from typing import ClassVar, Literal

from pydantic import Field, model_validator

from mflow.files.task_keys import TaskKeys
from mflow.files.values import Count, Some, YesNo


class OracleKeys(TaskKeys):
    """A PL/SQL block, a SQL statement or a script, run on a connection of oracle.json."""

    connection_key: ClassVar[str | None] = "db"

    type: Literal["oracle"] = Field(description="Type of the task.")
    db: Some = Field(description="Name of the connection in oracle.json.")
    command: Some | None = Field(None, description="An anonymous block or one SQL statement.")
    script: Some | None = Field(None, description="A .sql file of several statements, as for SQL*Plus.")
    binds: dict[str, str | int | float | None] | None = Field(
        None, description="Named values, never pasted in."
    )
    fetch: Count | None = Field(None, description="So many rows of a query are written to the log.")
    idempotent: YesNo | None = Field(
        None, description="May be run again although it may have run: retried when LOST."
    )
    transaction_guard: YesNo | None = Field(
        None, description="Ask the database whether a lost commit was applied."
    )

    @model_validator(mode="after")
    def _one_text(self) -> "OracleKeys":
        if (self.command is None) == (self.script is None):
            raise ValueError('needs either "command" or "script"')
        return self
