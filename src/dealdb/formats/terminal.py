"""How many columns of a terminal a text takes, and what fits."""

from __future__ import annotations

from collections.abc import Sequence


def width_of(text: str) -> int:
    """
    Columns of a terminal that a text takes.

    Examples
    --------
    >>> width_of("Acme"), width_of("株式会社")
    (4, 8)
    """
    if text.isascii():
        return len(text)
    # not at the top: most texts do without, and it takes as long as the table
    from rich.cells import cell_len

    return cell_len(text)


def cut(text: str, width: int) -> str:
    """
    Text of at most so many columns; a sign stands for what was cut off.

    Examples
    --------
    >>> cut("Meridian Logistics", 10), cut("Acme", 10)
    ('Meridian …', 'Acme')
    """
    if width_of(text) <= width:
        return text
    from rich.cells import set_cell_size

    return set_cell_size(text, width - 1) + "…"


def padded(cells: Sequence[str], *, right: bool) -> list[str]:
    """
    Cells of one width.

    Examples
    --------
    >>> padded(["deals", "7"], right=True)
    ['deals', '    7']
    """
    widths = [*map(width_of, cells)]
    widest = max(widths, default=0)
    pads = [" " * (widest - width) for width in widths]
    return [pad + c if right else c + pad for c, pad in zip(cells, pads, strict=True)]
