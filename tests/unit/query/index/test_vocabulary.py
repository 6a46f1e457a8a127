"""A vocabulary has the words that a look at each of them finds."""

from __future__ import annotations

from itertools import product

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dealdb.query.index import vocabulary
from dealdb.query.index.vocabulary import PREFIX, TYPO, WHOLE, Vocabulary
from dealdb.query.results.words import takes_typos

# letters of one to four bytes
LETTERS = "ab\u00e9\u65e5\U00010400"
TEXTS = st.text(st.sampled_from(LETTERS), min_size=1, max_size=7)


def edits(word: str) -> set[str]:
    """All words that are one edit away."""
    found = set()
    for i in range(len(word)):
        before, after = word[:i], word[i + 1 :]
        found.add(before + after)
        found |= {before + c + rest for c, rest in product(LETTERS, (after, word[i:]))}
        if after:
            found.add(before + after[0] + word[i] + after[1:])
    return found


def rank_of(token: str, word: str) -> int:
    if token.startswith(word):
        return WHOLE if token == word else PREFIX
    return TYPO if takes_typos(word) and any(map(token.startswith, edits(word))) else 0


@given(st.sets(TEXTS, max_size=40), TEXTS, st.sampled_from([0, 2, 100]))
def test_it_finds_what_a_look_at_each_word_finds(words: set[str], word: str, few: int) -> None:
    ordered = sorted(words, key=str.encode)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vocabulary, "_FEW", few)
        found = Vocabulary.of(pl.Series(ordered, dtype=pl.String))
        for typos in (False, True, True):
            ranks: dict[int, int] = {}
            for rank, first, end in found.spans(word, typos=typos):
                for number in range(first, end):
                    ranks[number] = max(ranks.get(number, 0), rank)
            expected = {n: rank_of(token, word) for n, token in enumerate(ordered)}
            least = TYPO if typos else PREFIX
            assert ranks == {n: rank for n, rank in expected.items() if rank >= least}
