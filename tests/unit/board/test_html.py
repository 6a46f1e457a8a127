"""Words that pages write by themselves."""

from __future__ import annotations

import re

from dealdb.board.html import HERE

# a number and a word in the plural, whatever the number is
_BY_HAND = re.compile(
    r"\}\} (?:more |further |open )?(?:deals|rows|lanes|currencies|fields|lines)\b"
)
# "of 1,200 rows" stands where there are more than a page has room for
_OF_MANY = ("sql.html", "panel.html")


def test_numbers_agree_with_what_they_count() -> None:
    by_hand = [
        (path.name, found.group())
        for path in sorted((HERE / "templates").glob("*.html"))
        for found in _BY_HAND.finditer(path.read_text("utf-8"))
        if not (path.name in _OF_MANY and found.group() == "}} rows")
    ]
    assert by_hand == []
