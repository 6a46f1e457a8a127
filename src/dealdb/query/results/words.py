"""Words of texts regardless of case and accents, and patterns that find them; what search compares."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple

# letters that Unicode doesn't take apart
_BARE = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "\u0131": "i", "ħ": "h"})
_MARKS = "[\u0300-\u036f]*"
_TOKEN = re.compile(rf"(?:[^\W_]{_MARKS})+")
_BEGIN = r"(?:^|[^\p{L}\p{N}])"
_ANY = r"[\p{L}\p{N}]"
_END = r"(?:[^\p{L}\p{N}]|$)"
# alphabets whose accented letters are found by their plain ones
_ALPHABETS = (range(0x80, 0x250), range(0x370, 0x530), range(0x1E00, 0x2000))
_SYMBOLS = (range(0x80, 0x250), range(0x2000, 0x2070), range(0x20A0, 0x20D0))
# so many letters s are found in each way to write them
_MOST_SHARP = 4
# shorter words with a typo are other words
MIN_TYPO = 4


class Token(NamedTuple):
    """One word of a text: where it is, and its folded form."""

    begin: int
    end: int
    word: str


def folded(text: str) -> str:
    """
    Text in lower case without accents.

    Examples
    --------
    >>> folded("ZÜRICH Straße Søren")
    'zurich strasse soren'
    """
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in apart if not unicodedata.combining(c))
    return plain.translate(_BARE)


def tokens_of(text: str) -> list[Token]:
    """
    Words of a text: runs of letters and digits.

    Examples
    --------
    >>> tokens_of("Café-Bar")
    [Token(begin=0, end=4, word='cafe'), Token(begin=5, end=8, word='bar')]
    """
    if text.isascii():
        # all at once, which leaves each letter where it is
        text = text.lower()
        spans = [found.span() for found in _TOKEN.finditer(text)]
        return [Token(begin, end, text[begin:end]) for begin, end in spans]
    return [Token(found.start(), found.end(), folded(found[0])) for found in _TOKEN.finditer(text)]


@cache
def _spellings() -> dict[str, str]:
    """Plain letter to all letters that fold to it."""
    letters: dict[str, set[str]] = defaultdict(set)
    for alphabet in _ALPHABETS:
        for code in alphabet:
            plain = folded(chr(code))
            if len(plain) == 1 and plain.isalnum():
                letters[plain].add(chr(code))
    return {plain: "".join(sorted(found)) for plain, found in letters.items()}


def is_covered(text: str) -> bool:
    """
    Whether search by patterns and by folding say the same of a text.

    Examples
    --------
    >>> is_covered("Café, Straße 5 €"), is_covered("ﬁrm")
    (True, False)
    """
    return text.isascii() or all(c.isascii() or c in covered() for c in text)


@cache
def covered() -> frozenset[str]:
    """What may be in a text beyond ASCII that ``is_covered``: letters that a ``pattern`` finds, and no letters."""
    letters = frozenset("".join(_spellings().values()) + "ßẞ")
    symbols = (chr(code) for codes in _SYMBOLS for code in codes)
    others = {c for c in symbols if unicodedata.category(c)[0] in "PSZC"}
    return frozenset(letter for letter in letters if not letter.isascii()) | others


@cache
def _letter(plain: str) -> str:
    others = {plain, plain.upper(), *_spellings().get(plain, ""), *("ßẞ" if plain == "s" else "")}
    return f"[{''.join(re.escape(c) for c in sorted(others) if len(c) == 1)}]{_MARKS}"


def _spelled(word: str) -> str:
    runs = re.findall("s+|[^s]", word)
    return "".join(_sharp(len(run)) if run[0] == "s" else _letter(run) for run in runs)


@cache
def _sharp(n: int) -> str:
    """N letters s, any two of which may be written as one sharp s; of many, half as many are enough."""
    if n > _MOST_SHARP:
        # all ways to write them are more than memory holds; what it finds is looked at word by word
        return f"(?:{_letter('s')}){{{-(-n // 2)},{n}}}"
    if n < 2:
        return _letter("s") * n
    return f"(?:{_letter('s')}{_sharp(n - 1)}|[ßẞ]{_MARKS}{_sharp(n - 2)})"


@lru_cache
def pattern(word: str, *, typos: bool = False, whole: bool = False) -> str:
    """
    Regular expression that finds the words which begin with a folded word.

    Parameters
    ----------
    typos
        Whether one letter may be another, missing, too many, or swapped with its neighbour.
    whole
        Whether nothing may follow.
    """
    ways = [_spelled(word)]
    if typos and takes_typos(word):
        # a sharp s may stand for the letter before and the one at fault
        ways = sorted({f"{_ANY}?{_MARKS}".join(map(_spelled, parts)) for parts in _one_edit(word)})
    return f"{_BEGIN}(?:{'|'.join(ways)}){_END if whole else ''}"


@lru_cache
def takes_typos(word: str) -> bool:
    """Whether a word is one in which a typo is likelier than another word: no short ones, no numbers."""
    return len(word) >= MIN_TYPO and not any(c.isdigit() for c in word)


@lru_cache
def _one_edit(word: str) -> Sequence[tuple[str, ...]]:
    """Parts around any one character, for each edit; an edit that takes a letter away has one part."""
    edits: list[tuple[str, ...]] = []
    for i in range(len(word)):
        edits += [(word[:i], word[i + 1 :]), (word[:i], word[i:]), (word[:i] + word[i + 1 :],)]
        if i:
            edits.append((word[: i - 1] + word[i] + word[i - 1] + word[i + 1 :],))
    return edits


def begins_with_typo(token: str, word: str) -> bool:
    """
    Whether a token begins with a word that is one edit away.

    Examples
    --------
    >>> begins_with_typo("renewal", "renwal"), begins_with_typo("renewals", "rewenal")
    (True, False)
    """
    same = 0
    for letter, other in zip(token, word, strict=False):
        if letter != other:
            break
        same += 1
    # the edit is where they part: one before it would have to be undone, and one after it comes too late
    after = word[same + 1 :]
    return (
        token.startswith(after, same + 1)
        or token.startswith(word[same:], same + 1)
        or token.startswith(after, same)
        or (after != "" and token.startswith(after[0] + word[same] + after[1:], same))
    )
