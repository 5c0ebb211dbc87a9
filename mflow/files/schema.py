"""The JSON Schema of the task file (draft 2020-12), made from the models that check it: for editors."""

from typing import Any

from pydantic.json_schema import models_json_schema

from mflow.files.task_keys import RunKeys
from mflow.files.taskfile import Types

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_COMMENTS: dict[str, Any] = {"^(_|#|//|[xX]-)": True, "^[Cc]omment$": True, "^[Dd]escription$": True}
"""Keys that are comments, in every object."""


def taskfile_schema(types: Types) -> dict[str, Any]:
    """The schema as a JSON value."""
    models = [(model, "validation") for model in (*types.values(), RunKeys)]
    references, definitions = models_json_schema(models, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    parts: dict[str, Any] = definitions["$defs"]
    for name, model in types.items():
        parts[model.__name__]["properties"]["type"] = {"const": name, "description": "Type of the task."}
    for part in parts.values():
        if part.get("type") == "object":
            part["patternProperties"] = _COMMENTS
    tasks = {"oneOf": [references[(model, "validation")] for model in types.values()]}
    return {
        "$schema": DIALECT,
        "title": "mflow task file",
        "type": "object",
        "required": ["tasks"],
        "additionalProperties": False,
        "patternProperties": _COMMENTS,
        "properties": {
            "$schema": {"type": "string"},
            "defaults": references[(RunKeys, "validation")],
            "tasks": {
                "type": "array",
                "items": tasks,
                "description": "The tasks, each with what it depends on.",
            },
        },
        "$defs": parts,
    }
