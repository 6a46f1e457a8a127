"""``Vocabulary``: the different words of some texts, in order, and which of them a word means."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import polars as pl

from dealdb.query.results.words import begins_with_typo, takes_typos

if TYPE_CHECKING:
    from numpy.typing import NDArray

TYPO: Final = 1
PREFIX: Final = 2
WHOLE: Final = 3
# no text has this byte, so it comes after all that begins with what stands before it
_AFTER = b"\xff"
# to look at so few words takes less time than to look for what they may be
_FEW = 16
# ranges of words with the same first letters are kept for so many letters
_KEPT_LETTERS = 2


class Span(NamedTuple):
    """Words that a word means equally well: numbers in a vocabulary, the last one excluded."""

    rank: int
    first: int
    end: int


class Vocabulary:
    """
    Different words, folded, in the order of their bytes.

    Parameters
    ----------
    letters
        All words as UTF-8, one after the other.
    starts
        Where each begins; one more for where the last one ends.

    Examples
    --------
    >>> words = Vocabulary.of(pl.Series(["acme", "acmes", "akme", "renewal"]))
    >>> words.spans("acme", typos=False)
    [Span(rank=3, first=0, end=1), Span(rank=2, first=1, end=2)]
    >>> words.spans("renwal", typos=True)
    [Span(rank=1, first=3, end=4)]
    """

    __slots__ = ("_at", "_begun", "letters", "starts")

    def __init__(self, letters: bytes, starts: NDArray[np.unsignedinteger]) -> None:
        self.letters = letters
        self.starts = starts
        # its items are numbers of Python, which are had in half the time
        self._at: Sequence[int] = starts.data
        self._begun: dict[bytes, list[tuple[bytes, int, int]]] = {}

    @classmethod
    def of(cls, words: pl.Series) -> Vocabulary:
        """Of words in order, each once."""
        letters = b"".join(_pieces(words))
        starts = np.zeros(len(words) + 1, np.min_scalar_type(len(letters)))
        np.cumsum(words.str.len_bytes().to_numpy(), out=starts[1:])
        return cls(letters, starts)

    def __len__(self) -> int:
        return len(self._at) - 1

    @property
    def nbytes(self) -> int:
        """Memory that it takes."""
        return len(self.letters) + self.starts.nbytes

    def word(self, number: int) -> bytes:
        """A word by its number, as UTF-8."""
        return self.letters[self._at[number] : self._at[number + 1]]

    def spans(self, word: str, *, typos: bool) -> list[Span]:
        """
        Words that a word means.

        Parameters
        ----------
        typos
            Whether that may be those that begin with a word that is one edit away.
        """
        wanted = word.encode()
        first, end = self._range(wanted, 0, len(self))
        found = []
        if first < end and self.word(first) == wanted:
            found.append(Span(WHOLE, first, first + 1))
            first += 1
        if first < end:
            found.append(Span(PREFIX, first, end))
        if typos and takes_typos(word):
            found += (Span(TYPO, *each) for each in sorted(set(self._edits(word))))
        return found

    def _edits(self, word: str) -> Iterator[tuple[int, int]]:
        """Ranges of words that begin with one that is an edit away."""
        letters = [letter.encode() for letter in word]
        low, high, before = 0, len(self), b""
        for place, letter in enumerate(letters):
            if high - low <= _FEW:
                # an edit at a place that comes later leaves all letters up to there
                yield from self._looked_at(word, low, high)
                return
            rest, after = b"".join(letters[place:]), b"".join(letters[place + 1 :])
            some = [(before + after, low, high)]
            if after and letters[place + 1] != letter:
                swapped = letters[place + 1] + letter + b"".join(letters[place + 2 :])
                some.append((before + swapped, low, high))
            for other, begin, end in self._next_letters(before, low, high):
                some.append((before + other + rest, begin, end))
                if other != letter:
                    some.append((before + other + after, begin, end))
            for wanted, begin, end in some:
                found = self._range(wanted, begin, end)
                if found[0] < found[1]:
                    yield found
            before += letter
            low, high = self._range(before, low, high)

    def _looked_at(self, word: str, low: int, high: int) -> Iterator[tuple[int, int]]:
        for number in range(low, high):
            token = self.word(number).decode()
            if not token.startswith(word) and begins_with_typo(token, word):
                yield number, number + 1

    def _next_letters(self, before: bytes, low: int, high: int) -> list[tuple[bytes, int, int]]:
        """Letters that follow in the words from ``low`` to ``high``, which begin alike, and the range of each."""
        # all words that begin so, whoever asks
        known = self._begun.get(before)
        if known is None:
            known = list(self._found_letters(before, low, high))
            if len(before.decode()) < _KEPT_LETTERS:
                self._begun[before] = known
        return known

    def _found_letters(
        self, before: bytes, low: int, high: int
    ) -> Iterator[tuple[bytes, int, int]]:
        n, number = len(before), low
        while number < high:
            rest = self.word(number)[n:]
            if not rest:
                number += 1
                continue
            letter = rest[: _length(rest[0])]
            end = self._range(before + letter, number, high)[1]
            yield letter, number, end
            number = end

    def _range(self, prefix: bytes, low: int, high: int) -> tuple[int, int]:
        """The words from ``low`` to ``high`` that begin with a prefix."""
        numbers = range(high)
        first = bisect_left(numbers, prefix, low, high, key=self.word)
        if first == high or not self.word(first).startswith(prefix):
            return first, first
        if first + 1 == high or not self.word(first + 1).startswith(prefix):
            return first, first + 1
        return first, bisect_left(numbers, prefix + _AFTER, first + 1, high, key=self.word)


def _pieces(words: pl.Series) -> Iterator[bytes]:
    """All words as long texts, which take less time than one by one."""
    step = 100_000
    for start in range(0, len(words), step):
        yield str(words.slice(start, step).str.join()[0]).encode()


def _length(lead: int) -> int:
    """Bytes of a letter in UTF-8, by the first of them."""
    if lead < 0x80:
        return 1
    if lead < 0xE0:
        return 2
    return 3 if lead < 0xF0 else 4
