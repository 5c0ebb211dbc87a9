"""Which known word was probably meant by a wrong one."""

import re
from collections.abc import Iterable

_CLOSE = 0.72
"""Least likeness (0 to 1, as difflib measures it): `depends_on` is close to `depends`, `owner` to nothing."""

_MANY = 2000
"""With more known words than this, only those of a like length and beginning are compared."""


def closest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, or None. Words that differ in a number are never near.

    (A missing `step5` is not a misspelt `step4`.)
    """
    candidates = _candidates(word, list(known))
    spellings = {folded(candidate): candidate for candidate in reversed(candidates)}
    return spellings.get(folded(word)) or _completed(word, candidates) or _similar(word, spellings)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "extract"?)`, or nothing; to be put behind a message."""
    nearest = closest(word, known)
    return f' (did you mean "{nearest}"?)' if nearest else ""


def _candidates(word: str, known: list[str]) -> list[str]:
    numbers = re.findall(r"\d+", word)
    if len(known) > _MANY:
        near = range(len(word) - 2, len(word) + 3)
        known = [one for one in known if len(one) in near and (one[:2] == word[:2] or one[-2:] == word[-2:])]
    return [one for one in known[:_MANY] if re.findall(r"\d+", one) == numbers]


def folded(word: str) -> str:
    """The word as it is compared: without case, `_`, `-` and blanks."""
    return re.sub(r"[\s_-]", "", word).casefold()


def _completed(word: str, candidates: list[str]) -> str | None:
    """`timeout` is the beginning of one known word, `timeout_seconds`."""
    if len(word) < 4:
        return None
    longer = [one for one in candidates if one.casefold().startswith(word.casefold())]
    return longer[0] if len(longer) == 1 else None


def _similar(word: str, spellings: dict[str, str]) -> str | None:
    from difflib import get_close_matches

    for match in get_close_matches(folded(word), spellings, n=1, cutoff=_CLOSE):
        return spellings[match]
    return None
