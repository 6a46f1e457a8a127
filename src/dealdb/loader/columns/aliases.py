"""
The table of header names, ``headers.toml``, in the form in which it is looked up.

It is read when a source is first loaded: programs that load nothing don't wait for it.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

# places of names in lists of their own: weak ones come after all others
WEAK = 1_000

_LINK_WORDS = "de del della dell di da do das dos des du la le l el d van der von of the"
_LINKS = frozenset(_LINK_WORDS.split())

# German umlauts are also written with two letters
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue"})


class Candidate(NamedTuple):
    """
    A field that a header could be.

    Attributes
    ----------
    field
        Its name.
    place
        Place of the header in the list of the field: the lowest is preferred.
    """

    field: str
    place: float


def key_of(text: str) -> str:
    """
    A header as it is compared: without case, spaces, punctuation and accents.

    Examples
    --------
    >>> key_of("Date de clôture (prévue)")
    'datedeclotureprevue'
    """
    text = text.casefold()
    if not text.isascii():
        split = unicodedata.normalize("NFKD", text)
        text = "".join(letter for letter in split if not unicodedata.combining(letter))
    return re.sub(r"[\W_]+", "", text)


@cache
def names() -> Mapping[str, tuple[str, ...]]:
    """Names of each field, in order of preference, without the weak ones."""
    return {field: tuple(found) for field, found in _table().items() if isinstance(found, list)}


@cache
def places() -> Mapping[str, tuple[Candidate, ...]]:
    """Fields that each name could be, by the key of the name."""
    found: dict[str, list[Candidate]] = {}
    weak = {field: list(aliases) for field, aliases in _table()["weak"].items()}
    for first, lists in ((0, names()), (WEAK, weak)):
        for field, aliases in lists.items():
            for place, alias in enumerate(aliases, first):
                for key in _keys(alias):
                    found.setdefault(key, []).append(Candidate(field, place))
    return {key: tuple(sorted(each, key=lambda one: one.place)) for key, each in found.items()}


@cache
def loose_places() -> Mapping[str, tuple[Candidate, ...]]:
    """Fields that each name could be, by its key without the words that only link the others."""
    found: dict[str, tuple[Candidate, ...]] = {}
    for field, aliases in names().items():
        for place, alias in enumerate(aliases):
            found.setdefault(loose_key(alias), (Candidate(field, place),))
    return found


def loose_key(text: str) -> str:
    """
    A header without the words that only link the others.

    Examples
    --------
    >>> loose_key("Data de fechamento") == loose_key("data_fechamento")
    True
    """
    words = re.split(r"[\W_]+", text.casefold())
    return key_of(" ".join(word for word in words if word not in _LINKS))


@cache
def currencies() -> Mapping[str, str]:
    """Code of each currency by what a header may end with: the code itself, in any case, or a sign."""
    table = _table()["currencies"]
    codes = {code.casefold(): code for code in table["codes"].split()}
    return codes | {sign.casefold(): code for sign, code in table["signs"].items()}


@cache
def _table() -> Mapping[str, Any]:
    return tomllib.loads(files("dealdb.loader.columns").joinpath("headers.toml").read_text("utf-8"))


def _keys(alias: str) -> Iterable[str]:
    return dict.fromkeys(_spellings(alias))


def _spellings(alias: str) -> Iterator[str]:
    yield key_of(alias)
    yield key_of(alias.translate(_UMLAUTS))
