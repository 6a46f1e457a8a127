"""The deals that everyone gets: generated, the same ones every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from dealdb import sample
from dealdb.model.columns import encode_column, field_of

_TODAY = date(2026, 9, 1)
_POOL = 5_000
_PLAIN = ("name", "company", "owner", "stage", "amount", "source", "created", "expected_close")
_CENT = Decimal("0.01")

# Any, as redis-py declares the names of fields invariant
Hash = dict[Any, str]


@dataclass(frozen=True)
class Deals:
    """
    Deals in every form that a way of loading takes.

    Attributes
    ----------
    frame
        Typed columns, ``id`` first.
    """

    frame: pl.DataFrame

    def __len__(self) -> int:
        return self.frame.height

    @cached_property
    def texts(self) -> pl.DataFrame:
        """Each value as the text that is in the hash."""
        return pl.DataFrame([_texts(column) for column in self.frame])

    def hashes(self, count: int | None = None) -> list[tuple[str, Hash]]:
        """Id and fields of the first deals; a field that is null is absent."""
        return list(self.each_hash(count))

    def each_hash(self, count: int | None = None) -> Iterator[tuple[str, Hash]]:
        names = self.texts.columns[1:]
        for id_, *values in self.texts.head(count or len(self)).iter_rows():
            yield (
                id_,
                {name: text for name, text in zip(names, values, strict=True) if text is not None},
            )

    def mappings(self, count: int) -> list[dict[str, object]]:
        """The first deals with Python values."""
        return self.frame.head(count).to_dicts()

    def csv(self, folder: Path) -> Path:
        path = folder / f"deals-{len(self)}-{self.frame.width}.csv"
        if not path.exists():
            self.frame.write_csv(path)
        return path


def _texts(column: pl.Series) -> pl.Series:
    field = field_of(column.name, column.dtype)
    assert field is not None, column.dtype
    return encode_column(column, field).alias(column.name)


def plain(n: int, *, first: int = 0) -> Deals:
    """Deals of 8 fields, from number ``first`` on."""
    pool = _pool().select("kind", *_PLAIN[1:])
    rows = pool.sample(n, with_replacement=True, seed=7 + first)
    # some 5 deals a company and amounts to the cent: as varied as real ones
    number = _ints(n, max(n // 600, 1), seed=11 + first)
    factor = _ints(n, 10_000, seed=13 + first)
    company = (pl.col("company") + " " + number.cast(pl.String)).alias("company")
    cents = pl.col("amount").cast(pl.Int64) * (5_000 + factor) // 100
    frame = rows.with_columns(
        company,
        (cents.cast(pl.Decimal(38, 0)) * pl.lit(_CENT)).cast(pl.Decimal(38, 2)).alias("amount"),
    ).with_columns((pl.col("company") + " " + pl.col("kind")).alias("name"))
    ids = pl.int_range(first + 1, first + n + 1, eager=True).cast(pl.String)
    return Deals(frame.select(("D" + ids).alias("id"), *_PLAIN))


def wide(n: int) -> Deals:
    """Deals of 40 fields of all types."""
    frame = plain(n).frame
    texts = ("region", "segment", "industry", "team", "product", "channel", "country", "campaign")
    columns = [
        *(_words(n, name, 4 + 3 * k) for k, name in enumerate(texts)),
        *(_ints(n, 10 ** (1 + k), seed=30 + k).alias(f"count_{k}") for k in range(6)),
        *(_decimals(n, f"money_{k}", seed=40 + k) for k in range(5)),
        *((_ints(n, 9_973, seed=50 + k) / 9_973).alias(f"score_{k}") for k in range(3)),
        *((_ints(n, 2, seed=60 + k) == 1).alias(f"flag_{k}") for k in range(4)),
        *(frame["created"].dt.offset_by(f"{20 * k}d").alias(f"date_{k}") for k in range(1, 5)),
        ("person " + _ints(n, 10**7, seed=70).cast(pl.String)).alias("contact"),
        ("p" + _ints(n, 10**7, seed=70).cast(pl.String) + "@example.com").alias("email"),
    ]
    return Deals(frame.with_columns(columns))


def dirty(n: int) -> Deals:
    """Deals of 10 fields, with a third of the values missing, and texts of up to 2,000 characters."""
    frame = plain(n).frame
    sentence = 'Zoë said: "not before Q3", they compare us with Müller & Co.\n'
    notes = pl.Series("notes", [sentence * (1 + k % 32) for k in range(97)])
    steps = pl.Series("next_step", ["call, again", "send the offer; wait", "", None])
    frame = frame.with_columns(
        notes.sample(n, with_replacement=True, seed=81),
        steps.sample(n, with_replacement=True, seed=82),
    )
    holes = [
        pl.when(_ints(n, 3, seed=90 + k) > 0).then(name).alias(name)
        for k, name in enumerate(frame.columns[2:])
    ]
    return Deals(frame.with_columns(holes))


def _pool() -> pl.DataFrame:
    deals = pl.DataFrame(sample.deals(_POOL, today=_TODAY), infer_schema_length=None)
    kind = pl.col("name").str.strip_prefix(pl.col("company")).str.strip_chars().alias("kind")
    return deals.with_columns(kind)


def _ints(n: int, below: int, *, seed: int) -> pl.Series:
    return pl.int_range(below, eager=True).sample(n, with_replacement=True, seed=seed)


def _words(n: int, name: str, count: int) -> pl.Series:
    return pl.Series(name, [f"{name} {k}" for k in range(count)]).sample(
        n, with_replacement=True, seed=count
    )


def _decimals(n: int, name: str, *, seed: int) -> pl.Series:
    cents = _ints(n, 9_999_999, seed=seed).cast(pl.Decimal(38, 0))
    return (cents * pl.Series([_CENT])).cast(pl.Decimal(38, 2)).alias(name)
