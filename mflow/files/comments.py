"""Which keys are comments: JSON has none of its own."""


def is_comment(key: str) -> bool:
    """Whether a key of any of the three files is a comment, whatever its value."""
    return (
        key.startswith(("_", "#", "//"))
        or key[:2] in {"x-", "X-"}
        or key.casefold() in {"comment", "description"}
    )
