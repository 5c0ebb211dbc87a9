"""Which keys are comments: JSON has none of its own."""

_NAMES = frozenset({"comment", "description", "$schema"})
"""`$schema` is for editors."""


def is_comment(key: str) -> bool:
    """Whether a key of any of the three files is a comment, whatever its value."""
    return key.startswith(("_", "#", "//", "x-", "X-")) or key.casefold() in _NAMES
