"""Where a live feed begins: now, after a commit, or after a moment."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, tzinfo
from functools import lru_cache
from struct import Struct
from typing import TYPE_CHECKING, TypeAlias

from dealdb.errors import QueryError
from dealdb.model.moments import MOMENT_EXAMPLE, epoch_ms, read_moment

if TYPE_CHECKING:
    # it brings Polars along, for which saving a deal doesn't wait
    from dealdb.store.log.entry import Position

# what a caller may say
Beginning: TypeAlias = int | str | datetime | date | None

# a number of more digits is of no commit
_MOST_DIGITS = 18
_TOKEN = re.compile(rf"([0-9]{{1,{_MOST_DIGITS}}})-([0-9a-f]{{16}})")
# of several partitions: how many, and what ``vector_token`` makes of their last commits
_VECTOR = re.compile(r"p([0-9]{1,3}):([A-Za-z0-9_-]+)")
_POINT = Struct(">Q8s")
_BEFORE_ALL = "0" * 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """
    Which commits are skipped; with neither number nor time, all that there are.

    Attributes
    ----------
    seq
        Those up to this number, or None.
    hash
        Chain hash of that very commit, or None where the caller gave a number alone.
    time_ms
        Those up to the last one that was made until this millisecond since 1970, or None.
    vector
        Those up to such a commit in each partition, by number and chain hash, or None.
    """

    seq: int | None = None
    hash: bytes | None = None
    time_ms: int | None = None
    vector: tuple[tuple[int, bytes], ...] | None = None

    def is_at(self, position: Position) -> bool:
        """Whether this position is the commit that was named."""
        return self.seq == position.seq and (
            not self.hash or not position.seq or self.hash == position.hash
        )


def token_of(position: Position) -> str:
    """
    Text that names a commit and the history that it belongs to; ``parse_since`` reads it.

    Examples
    --------
    >>> from dealdb.store.log.entry import Position
    >>> token_of(Position(4, b"f5c5c5545f2ac921"))
    '4-f5c5c5545f2ac921'
    """
    return f"{position.seq}-{position.hash.decode() or _BEFORE_ALL}"


@lru_cache(maxsize=1024)
def _packed(seq: int, chain: bytes) -> bytes:
    # most of a vector is as it was at the commit before
    return _POINT.pack(seq, bytes.fromhex((chain or _BEFORE_ALL.encode()).decode()))


def vector_token(points: Collection[tuple[int, bytes]]) -> str:
    """
    Text that names a commit in each partition, by its number and chain hash.

    Examples
    --------
    >>> vector_token([(4, b"f5c5c5545f2ac921"), (0, b"")])
    'p2:AAAAAAAAAAT1xcVUXyrJIQAAAAAAAAAAAAAAAAAAAAA'
    >>> vector_in(_) == ((4, b"f5c5c5545f2ac921"), (0, b""))
    True
    """
    packed = b"".join([_packed(seq, chain) for seq, chain in points])
    return f"p{len(points)}:{urlsafe_b64encode(packed).decode().rstrip('=')}"


def vector_in(token: str) -> tuple[tuple[int, bytes], ...] | None:
    """What ``vector_token`` has put into a text; None where that is none of its texts."""
    found = _VECTOR.fullmatch(token)
    if found is None:
        return None
    text = found[2]
    try:
        packed = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    if len(packed) != int(found[1]) * _POINT.size:
        return None
    return tuple(
        (seq, chain.hex().encode() if any(chain) else b"")
        for seq, chain in _POINT.iter_unpack(packed)
    )


def seq_of(token: str) -> int:
    """
    Number of the commit that a token names; of a token of several partitions, how many commits they have.

    Examples
    --------
    >>> seq_of("4-f5c5c5545f2ac921"), seq_of("")
    (4, 0)
    """
    if (vector := vector_in(token)) is not None:
        return sum(seq for seq, _ in vector)
    number = token.partition("-")[0]
    return int(number) if number.isdigit() else 0


def _utc(_: object) -> tzinfo:
    return UTC


def parse_since(since: Beginning, zone_for: Callable[[object], tzinfo] = _utc) -> Since:
    """
    Beginning of a feed, as callers say it.

    Parameters
    ----------
    since
        What they say.
    zone_for
        Gives the zone in which a date begins; asked only where it is one.

    Raises
    ------
    QueryError
        If it is not one.

    Examples
    --------
    >>> parse_since("4-f5c5c5545f2ac921").seq, parse_since(4).hash
    (4, None)
    """
    match since:
        case None:
            return Since()
        case bool():
            pass
        case int() if since >= 0:
            return Since(seq=since)
        case datetime():
            return Since(time_ms=epoch_ms(since))
        case date():
            # all of that day is included
            return Since(time_ms=epoch_ms(since, zone_for(since)) - 1)
        case str():
            return _parse_text(since.strip(), zone_for)
    raise _unclear(str(since))


def _parse_text(text: str, zone_for: Callable[[object], tzinfo]) -> Since:
    token = _TOKEN.fullmatch(text)
    if token:
        return Since(seq=int(token[1]), hash=token[2].encode())
    if (vector := vector_in(text)) is not None:
        return Since(vector=vector)
    # before the dates: ISO 8601 also writes them as eight digits
    if text.isascii() and text.isdecimal():
        if len(text) > _MOST_DIGITS:
            raise _unclear(text)
        return Since(seq=int(text))
    try:
        moment = read_moment(text, "since")
    except QueryError:
        # there are more ways to say it
        raise _unclear(text) from None
    return parse_since(moment, zone_for)


def _unclear(text: str) -> QueryError:
    msg = (
        f"since: {text[:60]!r} is not a start; give the number of a commit, a token of a feed, "
        f"{MOMENT_EXAMPLE}"
    )
    return QueryError(msg, text=text)
