"""`mflow schema`: the JSON Schema of the task file, for editors."""


def schema() -> None:
    """Print the JSON Schema of the task file, so that editors complete and check it."""
    raise NotImplementedError
