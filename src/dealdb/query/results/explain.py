"""What a query did: its filter as it was understood, what it read, and where the time went."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from dealdb.model.names import column_named, find_name
from dealdb.model.notebook import InNotebook
from dealdb.query.filters.constants import MANY
from dealdb.query.filters.rendering import spelled_name, spelled_value
from dealdb.query.results.sorting import SortKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation(InNotebook):
    """
    Account of one query that was run.

    Attributes
    ----------
    filter
        The filter in normal form; a Polars expression as Polars writes it; None without one.
    order
        Columns that it sorted by, ``-`` for descending.
    columns
        Columns that filter and order read, in the order of the frame.
    scanned, kept, returned
        Deals there are, deals that the filter keeps, and deals in the result.
    round_trips
        Commands or batches of them that this call sent to the server and waited for.
    steps_ms
        Milliseconds by step: ``sync`` (asking the server for what is new, and applying it), ``parse``, ``scan``
        (the filter over the columns), ``sort`` (ordering, and gathering the result).
    """

    filter: str | None
    order: tuple[str, ...]
    columns: tuple[str, ...]
    scanned: int
    kept: int
    returned: int
    round_trips: int
    steps_ms: Mapping[str, float] = field(hash=False)

    @property
    def total_ms(self) -> float:
        """Milliseconds of all steps."""
        return sum(self.steps_ms.values())

    def __repr__(self) -> str:
        steps = ", ".join(f"{name} {ms:.1f} ms" for name, ms in self.steps_ms.items())
        lines = {
            "filter": self.filter or "none",
            "order": ", ".join(self.order) or "unspecified, but stable",
            "reads": ", ".join(self.columns) or "no column",
            "deals": f"{self.scanned:,} scanned, {self.kept:,} kept, {self.returned:,} returned",
            "round trips": self.round_trips,
            "time": f"{self.total_ms:.1f} ms: {steps}",
        }
        return "\n".join(f"{name:<12} {text}" for name, text in lines.items())


class Watch:
    """
    Stop watch of a query's steps.

    Examples
    --------
    >>> watch = Watch()
    >>> watch.lap("sync")
    >>> list(watch.laps_ms)
    ['sync']
    """

    def __init__(self) -> None:
        self.laps_ms: dict[str, float] = {}
        self._at = time.perf_counter()

    def lap(self, name: str) -> None:
        """End a step."""
        now = time.perf_counter()
        self.laps_ms[name] = (now - self._at) * 1000
        self._at = now


def filter_text(
    where: str | pl.Expr | None, equals: Mapping[str, object], schema: pl.Schema
) -> str | None:
    """
    Filter in normal form: one text for all its parts, names as the columns have them.

    Parameters
    ----------
    where, equals
        A filter that has been compiled, so that nothing in it is unknown.

    Source
    ------
    docs/querying.md#explain

    Examples
    --------
    >>> schema = pl.Schema({"amount": pl.Int64(), "stage": pl.String()})
    >>> filter_text("Amount>5 or not stage in ('won')", {"stage": None}, schema)
    "(amount > 5 OR NOT stage IN ('won')) AND stage IS NULL"
    """
    parts = [_spelled_equal(name, value, schema) for name, value in equals.items()]
    if where is None:
        return " AND ".join(parts) or None
    text = _normal_text(where, schema) if isinstance(where, str) else str(where)
    return " AND ".join([f"({text})", *parts]) if parts else text


def _normal_text(text: str, schema: pl.Schema) -> str:
    # not at the top: the SQL parser takes long to import
    from dealdb.query.filters.parser import parse, rendered

    return rendered(parse(text), lambda name: _known_name(name, schema))


def _known_name(name: str, schema: pl.Schema) -> str:
    found = find_name(name, schema)
    # today and now are written like columns
    return name if found is None else spelled_name(found)


def _spelled_equal(name: str, value: object, schema: pl.Schema) -> str:
    several = schema[column_named(name, schema)] == pl.List(pl.String)
    name = _known_name(name, schema)
    if value is None:
        return f"{name} IS NULL"
    if not isinstance(value, MANY):
        text = spelled_value(value)  # type: ignore[arg-type]  # compiled before
        return f"{text} IN {name}" if several else f"{name} = {text}"
    texts = [spelled_value(each) for each in value if each is not None]
    # in SQL a null is no member of anything
    nulls = [f"{name} IS NULL"] * (len(texts) < len(value))
    members = [f"{text} IN {name}" for text in texts]
    if not several:
        members = [f"{name} IN ({', '.join(texts)})"] * bool(texts)
    either = " OR ".join([*members, *nulls]) or "FALSE"
    return either if not several and len(members) + len(nulls) == 1 else f"({either})"


def columns_read(
    where: str | pl.Expr | None,
    equals: Mapping[str, object],
    keys: Sequence[SortKey],
    schema: pl.Schema,
) -> tuple[str, ...]:
    """
    Columns that a filter and an order read.

    Examples
    --------
    >>> schema = pl.Schema({"id": pl.String(), "n": pl.Int64(), "m": pl.Int64()})
    >>> columns_read("m > 5", {}, [SortKey("n", False)], schema)
    ('n', 'm')
    """
    named = {*equals, *(key.name for key in keys)}
    if isinstance(where, pl.Expr):
        named.update(where.meta.root_names())
    elif where is not None:
        from dealdb.query.filters.parser import column_names, parse

        named.update(column_names(parse(where)))
    found = {find_name(name, schema) for name in named}
    return tuple(name for name in schema if name in found)
