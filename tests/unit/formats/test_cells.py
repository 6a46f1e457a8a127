"""Cells of a table in the terminal: readable in any language, and of one line."""

from __future__ import annotations

import pytest

from dealdb.formats.cells import to_cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        # a space that keeps words together, as word processors and web pages have them
        ("Müller\u00a0GmbH", "Müller\u00a0GmbH"),
        ("日本語\u3000株式会社", "日本語\u3000株式会社"),
        # joiners, which words of Hindi and families of emoji have within
        ("क्\u200dष 👩\u200d👧", "क्\u200dष 👩\u200d👧"),
        # one character that steers does not make the others unreadable
        ("Zürich\x1b[2J", "Zürich\\x1b[2J"),
        ("Zürich\r\n\tBern\u2028Genève", "Zürich\\r\\n\\tBern\\u2028Genève"),
        ("\u202eevil", "\\u202eevil"),
        ("half \ud83d of one", "half \\ud83d of one"),
    ],
)
def test_only_what_steers_is_written_as_its_name(text: str, shown: str) -> None:
    assert to_cell(text) == shown
