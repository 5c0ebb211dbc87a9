"""The kinds of values that keys may have: numbers within bounds (also as text), names, texts, pairs.

Each carries its part of the JSON Schema, so that an editor accepts exactly what mflow does.
"""

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from mflow.files.keys import Keys

LONGEST_SECONDS = 1_000_000_000.0
"""About 31 years: more is a slip of the pen, and beyond what clocks and timers can hold."""


class AlsoText:
    """Adds to a number's JSON Schema that it may come as text, as in the origin's files ("5")."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return {"anyOf": [handler(core), {"type": "string", "pattern": self._pattern}]}


class Schema:
    """Replaces a value's JSON Schema where a validator accepts more than its type tells."""

    def __init__(self, schema: JsonSchemaValue) -> None:
        self._schema = schema

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return self._schema


def _no_boolean(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return value


_NotBoolean = BeforeValidator(_no_boolean)
_WholeText = AlsoText(r"^\s*[+-]?[0-9]+\s*$")
_RealText = AlsoText(r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$")

Count = Annotated[int, Field(ge=1, le=1_000_000), _NotBoolean, _WholeText]
Retries = Annotated[int, Field(ge=0, le=999_999), _NotBoolean, _WholeText]
ExitCode = Annotated[int, Field(ge=1, le=255), _NotBoolean, _WholeText]
Seconds = Annotated[float, Field(gt=0, le=LONGEST_SECONDS, allow_inf_nan=False), _NotBoolean, _RealText]
Wait = Annotated[float, Field(ge=0, le=LONGEST_SECONDS, allow_inf_nan=False), _NotBoolean, _RealText]
Minutes = Annotated[int, Field(ge=0, le=10_000), _NotBoolean, _WholeText]

YesNo = Annotated[
    bool,
    Schema({"anyOf": [{"type": "boolean"}, {"enum": ["yes", "no", "true", "false", "on", "off", "0", "1"]}]}),
]

Some = Annotated[str, Field(min_length=1)]
"""Text that must not be empty."""

CONTROL = r"^[^\x00-\x1f\x7f-\x9f]*$"
TaskId = Annotated[str, Field(min_length=1, max_length=1000, pattern=CONTROL)]


def _scalar_text(value: Any) -> Any:
    """A number or a truth value where text is wanted is taken as it is written in JSON."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


_ScalarSchema = Schema({"type": ["string", "number", "boolean"]})
Text = Annotated[str, BeforeValidator(_scalar_text), _ScalarSchema]
"""Text, possibly empty; numbers are taken as they are written."""


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError("must be text, a number, true, false or null")


Scalar = Annotated[Any, AfterValidator(_scalar), Schema({"type": ["string", "number", "boolean", "null"]})]


def _memory(value: str) -> str:
    if not re.fullmatch(r"\s*[0-9]+\s*([kmgtp]?b?)\s*", value, re.IGNORECASE):
        raise ValueError("must be an amount of memory such as 512m or 4g")
    return value.strip()


Memory = Annotated[str, BeforeValidator(_scalar_text), AfterValidator(_memory), _ScalarSchema]


# ------------------------------------------------------------------------------------------------ pairs


def _variable_name(value: str) -> str:
    if "=" in value:
        raise ValueError('the name of a variable must not hold "="')
    return value


class Pair(Keys):
    """One entry of `env` or `confs`."""

    key: Some = Field(description="Its name.")
    value: Text = Field(description="Its value.")


class Variable(Pair):
    """One environment variable; `$VAR` and `${VAR}` in its value are expanded, `$$` is one `$`."""

    key: Annotated[str, Field(min_length=1), AfterValidator(_variable_name)] = Field(description="Its name.")


def _entries(value: Any) -> Any:
    """An object is accepted for a list of key and value."""
    return [{"key": key, "value": one} for key, one in value.items()] if isinstance(value, dict) else value


class AlsoObject:
    """Adds to the JSON Schema of a list of pairs that it may be an object instead."""

    def __get_pydantic_json_schema__(
        self, core: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        scalars = {"type": ["string", "number", "boolean"]}
        return {"anyOf": [handler(core), {"type": "object", "additionalProperties": scalars}]}


Pairs = Annotated[tuple[Pair, ...], BeforeValidator(_entries), AlsoObject()]
Variables = Annotated[tuple[Variable, ...], BeforeValidator(_entries), AlsoObject()]


def as_pairs(entries: Iterable[Pair]) -> tuple[tuple[str, str], ...]:
    """The entries as plain pairs, in their order."""
    return tuple((entry.key, entry.value) for entry in entries)
