"""
Which character is the decimal point of a column.

The cells of the column say it, or the whole file does: 1.234 in a German file is 1234, and in an English one less
than two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

_INTEGER = r"^(?:0|-?[1-9][0-9]{0,17})$"
# cells that have only one reading: groups of three behind anything but the point, or a fraction of another length
_SAYS = (
    r"^[0-9]{1,3}(?:GROUP[0-9]{2,3})+POINT[0-9]*$|^[0-9 ']+POINT(?:[0-9]{1,2}|[0-9]{4,})$|^0POINT[0-9]+$"
    r"|^[0-9]{4,}POINT[0-9]{3}$|^[0-9]{1,3}(?:[ '][0-9]{3})+POINT[0-9]{3}$"
    r"|^[0-9]{1,3}(?:GROUP[0-9]{2,3})+GROUP[0-9]{3}$"
)
_SAYS_POINT = _SAYS.replace("GROUP", ",").replace("POINT", r"\.")
_SAYS_COMMA = _SAYS.replace("GROUP", r"\.").replace("POINT", ",")
# by far the most frequent of these
_PLAIN_POINT = (
    r"^[^0-9.,]*(?:[0-9]+\.(?:[0-9]{1,2}|[0-9]{4,})|[0-9]{1,3}(?:,[0-9]{3})+\.[0-9]{1,4})[^0-9.,]*$"
)
_EITHER_POINT = r"^[1-9][0-9]{0,2}\.[0-9]{3}$"
_EITHER_COMMA = r"^[1-9][0-9]{0,2},[0-9]{3}$"


@dataclass(slots=True)
class PointEvidence:
    """
    Cells of a column that show how it writes decimals.

    Attributes
    ----------
    point, comma
        Cells that make sense only with that character as the decimal point.
    either_point, either_comma
        Cells such as ``1.234`` and ``1,234`` that could be read both ways.
    commas
        Whether there are cells with commas.
    """

    point: int = 0
    comma: int = 0
    either_point: int = 0
    either_comma: int = 0
    commas: bool = False

    def add(self, texts: pl.Series, *, grouped: bool = True) -> None:
        """
        Count the cells of some more rows.

        Parameters
        ----------
        texts
            Cells, in plain characters.
        grouped
            Whether they can be large enough to have groups of digits.
        """
        odd = texts.filter(~texts.str.contains(_INTEGER))
        n_odd = odd.len()
        if not self.commas:
            self.commas = bool(odd.str.contains(r"[0-9],[0-9]").any())
        odd = odd.filter(~odd.str.contains(_PLAIN_POINT))
        self.point += n_odd - odd.len()
        if odd.is_empty():
            return
        digits = odd.str.extract(r"([0-9](?:[0-9.,' ]*[0-9.,])?)")
        points, commas = (
            int(digits.str.contains(each).sum()) for each in (_EITHER_POINT, _EITHER_COMMA)
        )
        self.point += int(digits.str.contains(_SAYS_POINT).sum()) + (0 if grouped else points)
        self.comma += int(digits.str.contains(_SAYS_COMMA).sum()) + (0 if grouped else commas)
        self.either_point += points if grouped else 0
        self.either_comma += commas if grouped else 0


def decimal_point(
    own: PointEvidence, others: Iterable[PointEvidence], *, european: bool, english: bool
) -> str | None:
    """
    The character that a column uses as its decimal point; None where nothing settles it.

    Parameters
    ----------
    own
        What its cells say.
    others
        What the cells of all columns of the file say.
    european, english
        Whether the file has semicolons between cells or dates with points, or dates with the month first.

    Examples
    --------
    >>> own = PointEvidence()
    >>> own.add(pl.Series(["1.234", "25.000"]))
    >>> decimal_point(own, [], european=True, english=False)
    ','
    >>> decimal_point(own, [], european=False, english=False) is None
    True
    """
    if own.point or own.comma:
        return "," if own.comma and not own.point else "."
    if not own.either_point and not own.either_comma:
        return "."
    others = list(others)
    point, comma = any(each.point for each in others), any(each.comma for each in others)
    if (own.either_point and own.either_comma) or (point and comma):
        return None
    if point or comma:
        # a point in one column says little of another one where the rest of the file is of the continent
        torn = point and own.either_point and european and not english
        return None if torn else "," if comma else "."
    if english != european:
        # three decimals in each amount are rare, and so are commas between thousands on the continent
        return "." if english else "," if own.either_point else None
    # who writes decimals with commas uses two digits, or says so elsewhere; programs write any number behind a point
    return "." if own.either_comma else None
