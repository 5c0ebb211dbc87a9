"""The JSON Schema of the task file (draft 2020-12), made from the models that check it: for editors.

Where mflow is lenient (keys in other case, unknown ones) the schema is not: an editor shall offer one spelling.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from mflow.files.task_keys import RunKeys
from mflow.files.taskfile import Types

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_COMMENTS: dict[str, Any] = {"^(_|#|//|[xX]-)": {}, "^([Cc]omment|[Dd]escription)$": {}}
"""Keys that are comments, in every object."""


def taskfile_schema(types: Types) -> dict[str, Any]:
    """The schema as a JSON value."""
    references, parts = _parts((*types.values(), RunKeys))
    return {
        "$schema": DIALECT,
        "title": "mflow task file",
        "type": "object",
        "required": ["tasks"],
        "properties": {
            "$schema": {"type": "string"},
            "defaults": references[RunKeys]
            | {"description": "What a task that does not say otherwise gets."},
            "tasks": {
                "type": "array",
                "description": "The tasks, each with what it depends on.",
                "items": _task({name: references[model] for name, model in types.items()}),
            },
        },
        "additionalProperties": False,
        "patternProperties": _COMMENTS,
        "$defs": parts,
    }


def _parts(models: Iterable[type[BaseModel]]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """A reference to each model, and the definitions that they refer to."""
    references, schema = models_json_schema(
        [(model, "validation") for model in models], ref_template="#/$defs/{model}"
    )
    parts: dict[str, Any] = schema["$defs"]
    for part in parts.values():
        if part.get("type") == "object":
            part["patternProperties"] = _COMMENTS
    return {model: dict(reference) for (model, _), reference in references.items()}, parts


def _task(references: dict[str, Any]) -> dict[str, Any]:
    """By `type`, so that an editor that knows it offers the keys of that type, and says what is wrong with them."""
    return {
        "type": "object",
        "required": ["id", "type"],
        "properties": {"type": {"enum": list(references), "description": "What kind of task it is."}},
        "allOf": [
            {"if": {"properties": {"type": {"const": name}}, "required": ["type"]}, "then": reference}
            for name, reference in references.items()
        ],
    }
