"""``JoinedTexts``: the texts of some rows as patterns look for words in them the soonest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from dealdb.query.filters.operands import column
from dealdb.query.results.spelling import as_patterns_read, rows_that_match

# no part of any word
_BETWEEN = "\n"


@dataclass(frozen=True, slots=True)
class JoinedTexts:
    r"""
    Some rows of a frame, and all texts of each as one.

    Attributes
    ----------
    rows
        The rows, ascending.
    texts
        One column, a text for each of them.

    Examples
    --------
    >>> frame = pl.DataFrame({"name": ["Acme", "Renewal", None], "owner": ["Ann", "Bob", "Zoë"]})
    >>> joined = JoinedTexts.of(frame, pl.Series([1, 2], dtype=pl.UInt32))
    >>> joined.texts.to_series().to_list()
    ['Renewal\nBob', 'Zoë']
    """

    rows: pl.Series
    texts: pl.DataFrame

    @classmethod
    def of(cls, texts: pl.DataFrame, rows: pl.Series) -> JoinedTexts:
        """Of some rows of some columns of text."""
        every = (column(name).cast(pl.String) for name in texts.columns)
        joined = texts[rows].select(pl.concat_str(every, separator=_BETWEEN, ignore_nulls=True))
        return cls(rows, as_patterns_read(joined))

    @property
    def nbytes(self) -> int:
        """Memory that they take."""
        return int(self.rows.estimated_size() + self.texts.estimated_size())

    def with_all(
        self, rows: pl.Series, words: Sequence[str], *, typos: bool = False, whole: bool = False
    ) -> pl.Series:
        """Those of some of its rows whose texts may have all words, as ``rows_with_all`` says."""
        places = pl.Series(np.searchsorted(self.rows.to_numpy(), rows.to_numpy()), dtype=pl.UInt32)
        some = self.texts if len(rows) == len(self.rows) else self.texts[places]
        return rows_that_match(some, rows, words, typos=typos, whole=whole)
