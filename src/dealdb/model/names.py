"""Names that people write: which one they mean, and what a message says where there is no such name."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from dealdb.errors import QueryError

if TYPE_CHECKING:
    import polars as pl

SHOWN_NAMES = 24
_SHOWN = 80
# what has no width, and what Python doesn't count as a blank
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"))
# of so few, each on its own is quicker than a column of them
_FEW = 500
# its key is the same in small letters
_PLAIN = r"^[!-~]+(?: [!-~]+)*$"


def unknown(
    kind: str,
    name: str,
    known: Iterable[str],
    *,
    plural: str | None = None,
    key: Callable[[str], str] = str.casefold,
) -> str:
    """
    Message for a name that doesn't exist: the nearest one, and those that do.

    Parameters
    ----------
    kind
        What it is a name of.
    name
        As given.
    known
        The names that exist.
    plural
        Of ``kind``, where it takes more than an s.
    key
        What of a name counts in the comparison.

    Examples
    --------
    >>> unknown("column", "ammount", ["id", "amount"])
    "no column 'ammount'; did you mean 'amount'? the columns are id, amount"
    """
    return f"no {kind} {name[:_SHOWN]!r}; {nearest(name, known, plural or f'{kind}s', key=key)}"


def nearest(
    name: str, known: Iterable[str], plural: str, *, key: Callable[[str], str] = str.casefold
) -> str:
    """
    End of a message: the name that was most likely meant, and those that exist; parameters as of ``unknown``.

    Examples
    --------
    >>> nearest("deal id", ["Deal ID", "Amount, net"], "columns")
    "did you mean 'Deal ID'? the columns are Deal ID, 'Amount, net'"
    """
    names = list(known)
    by_key = {key(each): each for each in names}
    near = difflib.get_close_matches(key(name), by_key, n=1, cutoff=0.6)
    guess = f"did you mean {by_key[near[0]]!r}? " if near else ""
    more = f", … ({len(names)} in all)" if len(names) > SHOWN_NAMES else ""
    shown = ", ".join(map(_listed, names[:SHOWN_NAMES]))
    return f"{guess}the {plural} are {shown}{more}"


def _listed(name: str) -> str:
    # in quotes where its ends could not be seen without them
    is_plain = name.isprintable() and name.strip() == name and name and "," not in name
    return name if is_plain else repr(name)


def find_name(name: str, known: Iterable[str]) -> str | None:
    """
    Column that a name means: the exact one, else the only one that differs in case alone.

    Examples
    --------
    >>> find_name("Amount", ["id", "amount"])
    'amount'
    """
    names = list(known)
    if name in names:
        return name
    alike = [each for each in names if each.casefold() == name.casefold()]
    return alike[0] if len(alike) == 1 else None


def column_named(name: str, known: Iterable[str]) -> str:
    """
    Column that a name means.

    Raises
    ------
    QueryError
        If there is none; names the nearest.

    Examples
    --------
    >>> column_named("owner", ["id", "owner"])
    'owner'
    """
    names = list(known)
    found = find_name(name, names)
    if found is None:
        raise QueryError(unknown("column", name, names), text=name, position=0)
    return found


def name_key(name: str) -> str:
    r"""
    A name as it is compared: without case, outer and doubled blanks, and the form in which its accents are written.

    Examples
    --------
    >>> {name_key(text) for text in ("Ann Lee", " ann  LEE", "ANN\u00a0Lee", "Ann Lee\u200b")}
    {'ann lee'}
    """
    if name.isascii():
        return " ".join(name.casefold().split())
    plain = unicodedata.normalize("NFD", name.translate(_UNSEEN)).casefold()
    return unicodedata.normalize("NFC", " ".join(plain.split()))


def name_keys(names: pl.Series) -> pl.Series:
    """
    The key of each name, as ``name_key`` gives it.

    Examples
    --------
    >>> import polars as pl
    >>> name_keys(pl.Series(["Ann Lee", " ann  LEE", "\u00c9va"])).to_list()
    ['ann lee', 'ann lee', '\u00e9va']
    """
    # commands that have no columns import this module
    import polars as pl

    if names.len() <= _FEW:
        return pl.Series(list(map(name_key, names)), dtype=pl.String)
    odd = (~names.str.contains(_PLAIN)).arg_true()
    keys = names.str.to_lowercase()
    if odd.is_empty():
        return keys
    own = pl.Series(list(map(name_key, names.gather(odd))), dtype=pl.String)
    return keys.scatter(odd, own)


def alike(names: pl.Series) -> list[list[str]]:
    """
    Names of which there are several that are the same but for case and blanks: a list for each.

    Examples
    --------
    >>> import polars as pl
    >>> alike(pl.Series(["Ann", "Bob", "ann ", "bob", "Cy"]))
    [['Ann', 'ann '], ['Bob', 'bob']]
    """
    keys = name_keys(names)
    if keys.n_unique() == keys.len():
        return []
    several = keys.is_duplicated()
    groups: dict[str, list[str]] = {}
    for key, name in zip(keys.filter(several), names.filter(several), strict=True):
        groups.setdefault(key, []).append(name)
    return list(groups.values())


def shown_alike(groups: list[list[str]], *, most: int = 3) -> str:
    r"""
    Some of the names that are alike, in pairs, so that the difference can be seen.

    Examples
    --------
    >>> shown_alike([["Ann", "ann "], ["Caf\u00e9", "Cafe\u0301"]])
    "'Ann' and 'ann ', 'Caf\\xe9' and 'Cafe\\u0301'"
    """
    pairs = []
    for one, other, *_ in groups[:most]:
        same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
        pairs.append(
            " and ".join((ascii if same else repr)(each[:_SHOWN]) for each in (one, other))
        )
    more = f" and {len(groups) - most:,} more" if len(groups) > most else ""
    return ", ".join(pairs) + more
