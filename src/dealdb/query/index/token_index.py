"""
``TokenIndex``: for each word of the texts, the rows that have it, and where in them.

Its rows are in the order of the ids of the deals, so that the first of those that are found are the first by their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from dealdb.query.index.last_used import LastUsed
from dealdb.query.index.rows.id_order import IdOrder
from dealdb.query.index.vocabulary import Vocabulary
from dealdb.query.results.spelling import letters_of_patterns
from dealdb.query.results.words import folded, tokens_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

# of a posting: the place of the word in its text, and from there on the number of the column
PLACE_BITS = 5
LAST_PLACE = (1 << PLACE_BITS) - 1
_COLUMNS_OF_A_BYTE = 1 << (8 - PLACE_BITS)
_TOKEN = r"[\p{L}\p{N}]+"  # noqa: S105  # a word of a text, no secret
# texts of a column of categories that are looked through for each word
_MOST_CATEGORIES = 2_000
# sets of rows that are kept: 8 bytes a row at most
MOST_SETS = 64


class GivenUp(Exception):
    """The index is not made, because nobody needs it any more."""


@dataclass(frozen=True, slots=True)
class Categories:
    """
    A column of few different texts.

    Attributes
    ----------
    codes
        Of each row, the number of its text; one more than the last for none.
    counts
        Of each of these numbers, its rows.
    """

    codes: NDArray[np.unsignedinteger]
    counts: NDArray[np.int64]

    @classmethod
    def without(
        cls, codes: NDArray[np.unsignedinteger], is_out: NDArray[np.bool_], n_texts: int
    ) -> Categories:
        """A column of so many texts, without those of some rows."""
        kept = np.where(is_out, np.array(n_texts, codes.dtype), codes)
        return cls(kept, np.bincount(kept, minlength=n_texts + 1))


@dataclass(frozen=True, slots=True)
class Labels:
    """
    The words of categories.

    Attributes
    ----------
    vocabulary
        The words.
    starts
        Where the places of each word begin; one more for where the last ones end.
    places
        Column, number of the text, and place of the word in it.
    """

    vocabulary: Vocabulary
    starts: Sequence[int]
    places: Sequence[tuple[str, int, int]]

    @classmethod
    def of(cls, words: Mapping[str, Sequence[Sequence[str]]]) -> Labels:
        """Of the words of each text of some columns."""
        found: dict[str, list[tuple[str, int, int]]] = {}
        for name, texts in words.items():
            for code, text in enumerate(texts):
                for place, word in enumerate(text):
                    found.setdefault(word, []).append((name, code, place))
        ordered = sorted(found, key=str.encode)
        return cls(
            vocabulary=Vocabulary.of(pl.Series(ordered, dtype=pl.String)),
            starts=[0, *accumulate(len(found[word]) for word in ordered)],
            places=[each for word in ordered for each in found[word]],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIndex:
    """
    The words of the texts of a frame.

    Attributes
    ----------
    height
        Rows of the frame, and of the index.
    order
        Which row of the frame each row of the index is.
    columns
        Columns of text, whose places in here are their numbers.
    vocabulary
        All different words of the columns that have postings.
    starts
        Where the postings of each word begin in ``rows`` and ``marks``; one more for where the last ones end.
    rows, marks
        Postings, by word and then by row: the row of the index; the place of the word in the text, and the number of
        the column.
    categories, labels
        Columns that have no postings, and their words.
    apart
        Rows of the frame that are not in it, ascending: their texts have letters that folding takes for several, or
        very many words.
    bits
        Sets of rows that searches have needed.
    """

    height: int
    order: IdOrder
    columns: tuple[str, ...]
    vocabulary: Vocabulary
    starts: NDArray[np.uint32]
    rows: NDArray[np.uint32]
    marks: NDArray[np.unsignedinteger]
    categories: Mapping[str, Categories]
    labels: Labels
    apart: NDArray[np.uint32]
    bits: LastUsed[NDArray[np.uint64]] = field(default_factory=lambda: LastUsed(MOST_SETS))

    @property
    def nbytes(self) -> int:
        """Memory that it takes, without what Python itself needs."""
        codes = sum(each.codes.nbytes for each in self.categories.values())
        postings = self.starts.nbytes + self.rows.nbytes + self.marks.nbytes
        return self.vocabulary.nbytes + postings + self.order.nbytes + codes + self.bits.nbytes


def token_index(
    frame: pl.DataFrame, columns: Sequence[str], is_needed: Callable[[], bool] = lambda: True
) -> TokenIndex:
    """
    Index of the words of some columns of text.

    Parameters
    ----------
    frame
        The rows.
    columns
        Columns of text.
    is_needed
        Asked now and then; once it says no, the work ends.

    Raises
    ------
    GivenUp
        Once it is not needed any more.

    Examples
    --------
    >>> found = token_index(pl.DataFrame({"name": ["Acme Zürich", None, "acme"]}), ["name"])
    >>> found.vocabulary.letters, found.rows.tolist()
    (b'acmezurich', [0, 2, 0])
    """

    def go_on() -> None:
        if not is_needed():
            raise GivenUp

    codes_of: dict[str, NDArray[np.unsignedinteger]] = {}
    words_of: dict[str, list[list[str]]] = {}
    apart = np.zeros(frame.height, np.bool_)
    parts: list[_Postings] = []
    for number, name in enumerate(columns):
        go_on()
        texts = frame[name]
        if found := _categories(texts):
            codes_of[name], words_of[name] = found
            continue
        texts = texts.cast(pl.String)
        apart |= _has_other_letters(texts)
        part, too_long = _postings(texts, number, len(columns))
        apart[too_long] = True
        parts.append(part)
    go_on()
    tokens, codes = _numbered([part.tokens for part in parts])
    go_on()
    none = np.empty(0, np.uint32)
    rows = np.concatenate([none, *(part.rows for part in parts)])
    marks = np.concatenate([np.empty(0, _marks_type(columns)), *(part.marks for part in parts)])
    del parts
    if apart.any():
        inside = ~apart[rows]
        rows, marks, codes = rows[inside], marks[inside], codes[inside]
    go_on()
    order = IdOrder.of(frame)
    rows = order.of_frame(rows)
    # of a word the rows ascend, whichever of the columns they come from: intersecting them rests on that
    sorted_ = np.lexsort((rows, codes))
    go_on()
    starts = np.zeros(len(tokens) + 1, np.uint32)
    np.cumsum(np.bincount(codes, minlength=len(tokens)), out=starts[1:])
    is_out = order.in_index(apart)
    return TokenIndex(
        height=frame.height,
        order=order,
        columns=tuple(columns),
        vocabulary=Vocabulary.of(tokens),
        starts=starts,
        rows=rows[sorted_],
        marks=marks[sorted_],
        categories={
            name: Categories.without(order.in_index(each), is_out, len(words_of[name]))
            for name, each in codes_of.items()
        },
        labels=Labels.of(words_of),
        apart=np.flatnonzero(apart).astype(np.uint32),
    )


@dataclass(frozen=True, slots=True)
class _Postings:
    tokens: pl.Series
    rows: NDArray[np.uint32]
    marks: NDArray[np.unsignedinteger]


def _postings(
    texts: pl.Series, number: int, n_columns: int
) -> tuple[_Postings, NDArray[np.uint32]]:
    """The words of a column with their rows; and the rows of texts with more words than there are places."""
    found = texts.str.extract_all(_TOKEN)
    counts = found.list.len().fill_null(0).to_numpy().astype(np.int64)
    tokens = found.drop_nulls().explode().drop_nulls().str.to_lowercase()
    ends = np.cumsum(counts)
    places = np.arange(len(tokens)) - np.repeat(ends - counts, counts)
    marks = np.minimum(places, LAST_PLACE) | (number << PLACE_BITS)
    rows = np.repeat(np.arange(len(texts), dtype=np.uint32), counts)
    too_long = np.flatnonzero(counts > LAST_PLACE + 1).astype(np.uint32)
    return _Postings(tokens, rows, marks.astype(_marks_type(range(n_columns)))), too_long


def _marks_type(columns: Sequence[object]) -> type[np.unsignedinteger]:
    return np.uint8 if len(columns) <= _COLUMNS_OF_A_BYTE else np.uint16


def _numbered(parts: Sequence[pl.Series]) -> tuple[pl.Series, NDArray[np.uint32]]:
    """The different words, folded and sorted, and the number of each of the words given."""
    given = pl.concat([pl.Series("token", [], dtype=pl.String), *(p.alias("token") for p in parts)])
    different = given.unique()
    is_ascii = different.str.len_bytes() == different.str.len_chars()
    others = different.filter(~is_ascii)
    plain = different.replace(others, pl.Series(map(folded, others), dtype=pl.String))
    tokens = plain.unique().sort()
    numbers = pl.DataFrame({"plain": tokens}).with_row_index("number")
    known = pl.DataFrame({"token": different, "plain": plain}).join(numbers, on="plain")
    codes = given.to_frame().join(known, on="token", how="left", maintain_order="left")["number"]
    return tokens, codes.to_numpy().astype(np.uint32)


def _categories(
    texts: pl.Series,
) -> tuple[NDArray[np.unsignedinteger], list[list[str]]] | None:
    """
    A column as numbers of texts, and the words of these.

    None where it has too many texts, or one that can't be indexed.
    """
    if texts.dtype == pl.String:
        return None
    different = texts.unique().drop_nulls()
    if len(different) > _MOST_CATEGORIES:
        return None
    names = different.cast(pl.String)
    words = [[token.word for token in tokens_of(text)] for text in names]
    is_long = any(len(each) > LAST_PLACE + 1 for each in words)
    if is_long or _has_other_letters(names).any():
        return None
    codes_type: type[np.unsignedinteger] = (
        np.uint8 if len(names) < np.iinfo(np.uint8).max else np.uint16
    )
    numbers = pl.DataFrame({"text": different}).with_row_index("number")
    found = pl.DataFrame({"text": texts}).join(
        numbers, on="text", how="left", maintain_order="left"
    )
    codes = found["number"].fill_null(len(names)).to_numpy().astype(codes_type)
    return codes, words


def _has_other_letters(texts: pl.Series) -> NDArray[np.bool_]:
    """Whether texts are not covered."""
    found = texts.str.contains(_other_letters()).fill_null(value=False)
    return found.to_numpy().astype(np.bool_)


@cache
def _other_letters() -> str:
    return rf"[^\x00-\x7f{letters_of_patterns()}]"
