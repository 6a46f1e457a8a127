"""Texts in the cells of a Markdown table."""

from __future__ import annotations

# what would end a cell of a table, or begin a tag
ESCAPES = (
    ("\\", "\\\\"),
    ("|", "\\|"),
    ("<", "&lt;"),
    ("\r\n", "<br>"),
    ("\n", "<br>"),
    ("\r", "<br>"),
)
# below the header: where a column is aligned
TEXT_EDGE = "---"
NUMBER_EDGE = "---:"


def markdown_cell(text: str) -> str:
    r"""
    Text that stays in its cell, and is not a tag.

    Examples
    --------
    >>> print(markdown_cell("a|<b>\nc"))
    a\|&lt;b><br>c
    """
    for found, replacement in ESCAPES:
        text = text.replace(found, replacement)
    return text
