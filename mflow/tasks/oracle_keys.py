"""The keys of an oracle task."""

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from mflow.files.task_keys import TaskKeys
from mflow.files.values import Count, Scalar, Some, YesNo


def _bind_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_$#]*", value):
        raise ValueError('must be the name of a bind variable, without ":"')
    return value


class OracleKeys(TaskKeys):
    """A PL/SQL block, a SQL statement or a script, run on a connection of oracle.json."""

    connection_key: ClassVar[str | None] = "db"

    type: Literal["oracle"] = Field(description="PL/SQL or SQL for an Oracle database.")
    db: Some = Field(description="Name of the connection in oracle.json.")
    command: Some | None = Field(None, description="An anonymous block or one SQL statement.")
    script: Some | None = Field(
        None, description="A .sql file of several statements, separated as for SQL*Plus."
    )
    encoding: Some | None = Field(None, description="Of the script's text; UTF-8 is the default.")
    binds: dict[Annotated[str, AfterValidator(_bind_name)], Scalar] | None = Field(
        None, description="Values of bind variables; a value of the form ${NAME} comes from the environment."
    )
    fetch: Count | None = Field(None, description="So many rows of a query are written to the log.")
    idempotent: YesNo | None = Field(
        None, description="Running it twice does no harm: it may be tried again though its end is unknown."
    )
    transaction_guard: YesNo | None = Field(
        None, description="Ask the database whether a commit whose answer was lost was done."
    )
    kill_session: YesNo | None = Field(
        None,
        description="Whether its session may be killed when cancelling the call does not end it; yes is the default.",
    )

    @model_validator(mode="after")
    def _one_text(self) -> "OracleKeys":
        if self.command is None and self.script is None:
            raise ValueError('the key "command" is missing (or "script")')
        if self.command is not None and self.script is not None:
            raise ValueError('either "command" or "script": not both')
        return self
