"""Texts in the cells of a Markdown table, as they are: no tag, no link, no picture, nothing that steers a terminal."""

from __future__ import annotations

from dealdb.formats.controls import visible

# what would end a cell of a table, or begin a tag, an entity, a link or code
ESCAPES = (
    ("\\", "\\\\"),
    ("|", "\\|"),
    ("[", "\\["),
    ("]", "\\]"),
    ("`", "\\`"),
    ("&", "&amp;"),
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
    Text that stays in its cell, and is neither a tag nor a link.

    Examples
    --------
    >>> print(markdown_cell("a|<b>\nc"))
    a\|&lt;b><br>c
    >>> print(markdown_cell("[c](javascript:x)"))
    \[c\](javascript:x)
    """
    for found, replacement in ESCAPES:
        text = text.replace(found, replacement)
    return visible(text)
