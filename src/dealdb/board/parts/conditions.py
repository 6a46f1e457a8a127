"""A filter as its conditions, so that one can be added or taken away and the rest stays as it was written."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

_TOKEN = re.compile(r"'(?:[^']|'')*'?|\"(?:[^\"]|\"\")*\"?|--|/\*|\w+|.", re.DOTALL)
_OPENING, _CLOSING = {"(", "["}, {")", "]"}


def conditions_of(where: str | None) -> list[str]:
    """
    The conditions that a filter combines with AND; one with OR beside them, or a comment, is a single condition.

    Examples
    --------
    >>> conditions_of("stage = 'Won' AND created BETWEEN '2026-01-01' AND '2026-03-31'")
    ["stage = 'Won'", "created BETWEEN '2026-01-01' AND '2026-03-31'"]
    >>> conditions_of("name = 'a AND b' OR amount > 5 AND amount < 9"), conditions_of(None)
    (["name = 'a AND b' OR amount > 5 AND amount < 9"], [])
    """
    if where is None or not where.strip():
        return []
    places = _places_of_and(where)
    if places is None:
        return [where.strip()]
    begins = [0, *(end for _, end in places)]
    ends = [*(begin for begin, _ in places), len(where)]
    return [where[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]


def _places_of_and(where: str) -> list[tuple[int, int]] | None:
    """Where each AND of the outermost level begins and ends; None where the text is to be left whole."""
    depth = ranges = 0
    found = []
    for token in _TOKEN.finditer(where):
        word = token[0].upper()
        depth += (word in _OPENING) - (word in _CLOSING)
        if word in ("--", "/*") or (word == "OR" and depth == 0):
            return None
        if depth == 0 and word == "BETWEEN":
            ranges += 1
        elif depth == 0 and word == "AND" and ranges:
            ranges -= 1
        elif depth == 0 and word == "AND":
            found.append(token.span())
    return found


def joined(conditions: Sequence[str]) -> str | None:
    """
    The filter that combines conditions; None for none.

    Examples
    --------
    >>> joined(["amount > 5 OR n > 1", "stage = 'Won'"])
    "(amount > 5 OR n > 1) AND stage = 'Won'"
    """
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    return " AND ".join(map(_alone, conditions))


# a board has the same links after each commit
@lru_cache(1_024)
def _alone(condition: str) -> str:
    """A condition that may stand beside others; behind a comment the line has to end."""
    if len(conditions_of(condition)) == 1 and _places_of_and(condition) is not None:
        return condition
    return f"({condition}\n)" if "--" in condition else f"({condition})"


def toggled(where: str | None, condition: str) -> tuple[str | None, bool]:
    """
    The filter without a condition that it has, or with one that it has not; and whether it had it.

    Examples
    --------
    >>> toggled("amount > 5", "stage = 'Won'")
    ("amount > 5 AND stage = 'Won'", False)
    >>> toggled("amount > 5 AND stage = 'Won'", "stage = 'Won'")
    ('amount > 5', True)
    """
    has = conditions_of(where)
    own = _alone(condition)
    # a filter that is one condition has no brackets round it
    rest = [each for each in has if _alone(each) != own]
    if len(rest) < len(has):
        return joined(rest), True
    return joined([*has, own]), False
