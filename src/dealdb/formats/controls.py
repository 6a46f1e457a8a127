"""Characters that steer a terminal or turn a line round, as what they are called."""

from __future__ import annotations

import re

# C0 but tab and line feed, DEL and C1, marks of direction, two more ends of a line, and halves of a character, which
# can't be printed at all
STEERING = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff"
)
_STEERS = re.compile(f"[{STEERING}\ud800-\udfff]")


def visible(text: str) -> str:
    r"""
    Text that a terminal only shows: what would steer it is written as its name; tab and line feed stay.

    Examples
    --------
    >>> visible("Acme\x1b[2J\u202e, Zürich")
    'Acme\\x1b[2J\\u202e, Zürich'
    """
    return _STEERS.sub(_named, text)


def in_json(text: str) -> str:
    r"""
    JSON with the same meaning, in which nothing steers a terminal.

    Examples
    --------
    >>> in_json('{"name": "a\x9b2J"}')
    '{"name": "a\\u009b2J"}'
    """
    return _STEERS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _named(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
