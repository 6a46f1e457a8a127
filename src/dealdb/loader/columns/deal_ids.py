"""Ids as they were before another program dressed them up, and what shows that a spreadsheet has rounded them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

import polars as pl

from dealdb.errors import LoadError
from dealdb.formats.formulas import ODD_ID
from dealdb.loader.chunk import Chunk, without_nulls
from dealdb.model.schema import NUMBER_TYPES, FieldType

# rows of one id in a chunk; each is a commit of its own
MOST_REPEATS = 5_000
# what stands around an id and can't be seen
BLANKS = (
    " \t\r\n\v\f\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u200b\u200c\u200d\u2028\u2029\u202f\u205f\u2060\u3000\ufeff"
)
# an id in quotes that a spreadsheet takes for text
_AS_FORMULA = r'^="([^"]*)"$'
_POINT_ZERO = r"^(-?[0-9]+)\.0$"
_NOT_WHOLE = r"[.eE]"
_MOST_DIGITS = 40
# as a spreadsheet shows a number that is too wide for its column
_SHOWN_SHORT = r"^[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2}$"
_LONG = r"^[0-9]{16,}$"
# a spreadsheet keeps 15 digits
_ROUNDED = r"^[0-9]{15}0+$"
# zeros that can't all be there by chance
_SURE_ZEROS = 6
_KEPT_DIGITS = 15
# shorter than an id of Salesforce, and than a number that a spreadsheet has rounded
_MOST_LETTERS = 14
_FEW = 4_000
# an opportunity in Salesforce: 15 characters, or 18 that don't depend on the case
_SHORT_FORM, _LONG_FORM = r"^006[A-Za-z0-9]{12}$", r"^006[A-Za-z0-9]{15}$"


def are_plain(ids: pl.Series) -> bool:
    """
    Whether few ids are all short words of ASCII letters, digits, - and _: nothing that is looked for in ids is in any.

    Examples
    --------
    >>> are_plain(pl.Series(["D1", "2026-17"])), are_plain(pl.Series(["D1", "7.0"]))
    (True, False)
    """
    # of so few a look at all texts at once takes a tenth of the time of the queries; of many it takes longer
    if len(ids) > _FEW:
        return False
    texts = ids.to_list()
    if None in texts or "" in texts:
        return False
    letters = "".join(texts).replace("-", "").replace("_", "")
    return (
        letters.isascii() and letters.isalnum() and max(map(len, texts), default=0) <= _MOST_LETTERS
    )


def id_texts(chunk: Chunk, header: str, *, whole: bool = False) -> pl.Series:
    """
    Ids of a chunk without what doesn't belong to them.

    Parameters
    ----------
    chunk
        Cells.
    header
        Of the ids.
    whole
        Whether all ids are texts of numbers with the decimal 0, which another program has added.
    """
    cells, kind = chunk.frame[header], chunk.types.get(header)
    # programs that write texts as such mean them
    if kind in (FieldType.TEXT, FieldType.INT):
        return cells
    if kind in NUMBER_TYPES:
        return _whole_numbers(cells)
    if are_plain(cells) or not cells.str.contains(ODD_ID).any():
        return cells
    texts = cells.str.strip_chars(BLANKS).str.replace(_AS_FORMULA, "$1").str.strip_chars(BLANKS)
    return texts.str.replace(_POINT_ZERO, "$1") if whole else texts


def _whole_numbers(ids: pl.Series) -> pl.Series:
    """Numbers without a point or an exponent, where they are whole: what JSON and pandas write as 7.0 is 7."""
    if not ids.str.contains(_NOT_WHOLE).any():
        return ids
    texts = [None if text is None else _whole_text(text) for text in ids.to_list()]
    return pl.Series(ids.name, texts, dtype=pl.String)


def _whole_text(text: str) -> str:
    try:
        number = Decimal(text)
        # an id of more digits is a mistake, which stays one that can be seen
        is_whole = number.adjusted() < _MOST_DIGITS and number == number.to_integral_value()
    except InvalidOperation:
        return text
    return str(int(number)) if is_whole else text


@dataclass(slots=True)
class IdEvidence:
    """What the ids of a source show about the programs that they went through."""

    n_values: int = 0
    n_point_zero: int = 0
    n_long: int = 0
    n_rounded: int = 0
    n_zeros: int = 0
    n_short_form: int = 0
    n_long_form: int = 0
    rounded: Counter[str] = field(default_factory=Counter)
    zeroed: Counter[str] = field(default_factory=Counter)

    def add(self, chunk: Chunk, header: str) -> None:
        """Take in the ids of one more chunk."""
        kind = chunk.types.get(header)
        ids = without_nulls(id_texts(chunk, header))
        self.n_values += ids.len()
        if header in chunk.encoded and kind is FieldType.TEXT:
            return
        if are_plain(ids):
            return
        if kind is not FieldType.TEXT:
            self.n_point_zero += int(ids.str.contains(_POINT_ZERO).sum())
        self.n_short_form += int(ids.str.contains(_SHORT_FORM).sum())
        self.n_long_form += int(ids.str.contains(_LONG_FORM).sum())
        if kind is None:
            self.rounded.update(ids.filter(ids.str.contains(_SHOWN_SHORT)).to_list())
        long = ids.filter(ids.str.contains(_LONG))
        if kind is FieldType.FLOAT:
            # a number of 64 bits with a point has no more digits
            self.rounded.update(long.to_list())
        elif kind is None and long.len():
            zeroed = long.filter(long.str.contains(_ROUNDED))
            self.n_long += long.len()
            self.n_rounded += zeroed.len()
            self.n_zeros += int((zeroed.str.len_bytes() - _KEPT_DIGITS).sum())
            self.zeroed.update(zeroed.to_list())

    @property
    def whole(self) -> bool:
        """Whether all ids are numbers with the decimal 0."""
        return 0 < self.n_values == self.n_point_zero

    @property
    def collapsed(self) -> frozenset[str]:
        """Ids that several rows have, and that are not those of the deals any more."""
        return frozenset(text for text, n in self._damaged().items() if n > 1)

    def notes(self, header: str) -> Iterator[str]:
        """What a user should hear."""
        n_damaged = sum(self._damaged().values())
        if n_damaged:
            yield (
                f"ids in {header!r} that a spreadsheet has rounded: {n_damaged}; export them again, as text, "
                "or the deals can't be told apart"
            )
        if self.whole:
            yield f"all ids in {header!r} end in '.0', which was taken off"
        if self.n_short_form and self.n_long_form:
            yield (
                f"ids of Salesforce in {header!r} in two forms, with 15 characters ({self.n_short_form}) and with 18 "
                f"({self.n_long_form}): one opportunity in both is two deals"
            )

    def _damaged(self) -> Counter[str]:
        sure = self.n_rounded == self.n_long and self.n_zeros >= _SURE_ZEROS and self.n_long > 1
        return self.rounded + self.zeroed if sure else self.rounded


def waves(frame: pl.DataFrame) -> list[pl.DataFrame]:
    """Rows without repeated ids: all of them, or the first of each id, then the second of each, and so on."""
    if frame["id"].n_unique() == frame.height:
        return [frame]
    nth = frame.select(pl.int_range(pl.len()).over("id")).to_series().alias("\0nth")
    if nth.max() >= MOST_REPEATS:  # type: ignore[operator]  # there are rows, so there is a number
        msg = (
            f"one id stands in more than {MOST_REPEATS:,} of {frame.height:,} rows, each of which would write over the "
            "one before: it is no id of deals; mapping={'...': 'id'} names the column that is"
        )
        raise LoadError(msg)
    return frame.with_columns(nth).partition_by("\0nth", maintain_order=True, include_key=False)
