"""`mflow schema`: the JSON Schema of the task file."""


def schema() -> None:
    """Print the JSON Schema of the task file, so that editors complete and check it."""
    import json

    from mflow.files.schema import taskfile_schema
    from mflow.tasks.registry import task_types

    print(json.dumps(taskfile_schema(task_types()), indent=2))
