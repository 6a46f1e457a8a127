"""A made history as columns: three years of deals that move, are pushed, closed, reopened, handed over and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import polars as pl

from dealdb.model.pipeline import Kind, Pipeline, Stage
from dealdb.model.schema import Schema
from dealdb.store.facts.facts import COMMITS_SCHEMA, LIVES_SCHEMA, Facts, field_schema

DAY_MS = 86_400_000
FIRST = int(datetime(2023, 1, 1, tzinfo=UTC).timestamp()) * 1000
LAST = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1000
PIPELINE = Pipeline(
    (
        Stage("Lead", Kind.OPEN, Decimal("0.10"), 30, "pipeline"),
        Stage("Demo", Kind.OPEN, Decimal("0.30"), 30, "pipeline"),
        Stage("Offer", Kind.OPEN, Decimal("0.60"), 14, "bestcase"),
        Stage("Contract", Kind.OPEN, Decimal("0.80"), 14, "commit"),
        Stage("Won", Kind.WON),
        Stage("Lost", Kind.LOST),
    )
)
_STAGES = [stage.name for stage in PIPELINE]
_OPEN, _WON, _LOST = 4, 4, 5
OWNERS = [f"owner {number:03}" for number in range(150)]
_REASONS = ["Price", "Timing", "No decision", "Competitor", "Features"]
# where a deal goes from each stage: to Lead, Demo, Offer, Contract, Won and Lost
_WAYS = np.array(
    [
        [0.00, 0.60, 0.10, 0.00, 0.02, 0.28],
        [0.05, 0.00, 0.65, 0.05, 0.03, 0.22],
        [0.00, 0.08, 0.00, 0.62, 0.10, 0.20],
        [0.00, 0.00, 0.10, 0.00, 0.70, 0.20],
        [0.00, 0.00, 0.50, 0.50, 0.00, 0.00],
        [0.50, 0.50, 0.00, 0.00, 0.00, 0.00],
    ]
)
_REOPENED, _DELETED, _BLANK = 0.04, 0.02, 0.05
_STAGE_DAYS = 25
# changes of a field that a deal has on average
_CHANGES = {"amount": 0.85, "expected_close": 1.35, "owner": 0.25}


@dataclass(frozen=True, slots=True)
class Column:
    """Changes of one field: the deal, the moment, and a value, null where ``is_set`` is false."""

    life: np.ndarray
    at: np.ndarray
    value: np.ndarray
    is_set: np.ndarray


def history_of(n: int, seed: int = 7) -> Facts:
    """
    The history of ``n`` deals, which have some five changes each after the values that they began with.

    Every moment of a deal is a commit of its own, as where people save one deal at a time.
    """
    draw = np.random.default_rng(seed)
    begin = np.sort(draw.integers(FIRST, LAST, n))
    stages = _stages(begin, draw)
    # what else changes does so while the deal moves
    last = np.maximum.reduceat(stages.at, np.flatnonzero(np.diff(stages.life, prepend=-1)))
    columns = {
        "stage": stages,
        "amount": _changes(begin, last, draw, "amount"),
        "expected_close": _changes(begin, last, draw, "expected_close"),
        "owner": _changes(begin, last, draw, "owner"),
        **_closings(stages, draw),
        "created": _first(begin, begin // DAY_MS),
        "currency": _first(begin, np.zeros(n, dtype=np.int64)),
    }
    tables = {name: _table(name, column) for name, column in columns.items()}
    end = np.where(draw.random(n) < _DELETED, last + draw.integers(1, 30 * DAY_MS, n), LAST)
    lives = _lives(begin, end)
    commits = _commits(tables, lives, draw)
    return Facts(
        schema=Schema.standard(),
        pipeline=PIPELINE,
        lives=lives,
        read=dict(_numbered(tables, commits)).get,
        commits=commits.select(pl.col(n).cast(t) for n, t in COMMITS_SCHEMA.items()),
        pipelines=[(FIRST, PIPELINE)],
    )


def _stages(begin: np.ndarray, draw: np.random.Generator) -> Column:
    """Stages of all deals, sorted by deal and moment."""
    ways = _WAYS.cumsum(axis=1)
    life, at = np.arange(len(begin)), begin
    stage = (draw.random(len(life)) < 0.15).astype(np.int64)
    parts = [(life, at, stage)]
    while len(life):
        stays = (stage >= _OPEN) & (draw.random(len(life)) >= _REOPENED)
        at = at + 1 + (draw.exponential(_STAGE_DAYS, len(life)) * DAY_MS).astype(np.int64)
        goes = ~stays & (at < LAST)
        life, at, stage = life[goes], at[goes], stage[goes]
        stage = (draw.random(len(life))[:, None] >= ways[stage]).sum(axis=1)
        parts.append((life, at, stage))
    lives, moments, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((moments, lives))
    every = np.ones(len(order), dtype=bool)
    return Column(lives[order], moments[order], values[order], every)


def _closings(stages: Column, draw: np.random.Generator) -> dict[str, Column]:
    """Closing days and reasons of losses, cleared where a deal was reopened."""
    is_closed = stages.value >= _OPEN
    follows = np.concatenate([[False], stages.life[1:] == stages.life[:-1]])
    was_closed = np.concatenate([[False], is_closed[:-1]]) & follows
    told = is_closed | was_closed
    life, at, closed = stages.life[told], stages.at[told], is_closed[told]
    lost = stages.value[told] == _LOST
    has_reason = lost & (draw.random(len(life)) < 0.8)
    reason = draw.integers(0, len(_REASONS), len(life))
    changes = has_reason | ~closed
    return {
        "closed": Column(life, at, at // DAY_MS, closed),
        "loss_reason": Column(life[changes], at[changes], reason[changes], has_reason[changes]),
    }


def _changes(begin: np.ndarray, last: np.ndarray, draw: np.random.Generator, name: str) -> Column:
    """First values of a field, and changes between the first and the last move of a deal."""
    n = len(begin)
    count = np.where(last > begin, draw.poisson(_CHANGES[name] / 0.97, n), 0)
    first = np.arange(n)[draw.random(n) >= _BLANK]
    later = np.repeat(np.arange(n), count)
    span = (last - begin)[later]
    moments = begin[later] + 1 + (draw.random(len(later)) * (span - 1)).astype(np.int64)
    life, at = np.concatenate([first, later]), np.concatenate([begin[first], moments])
    order = np.lexsort((at, life))
    life, at = life[order], at[order]
    value = _values(name, life, at, draw)
    return Column(life, at, value, np.ones(len(life), dtype=bool))


def _values(name: str, life: np.ndarray, at: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    if name == "amount":
        return (np.exp(draw.normal(9, 1, len(life))) * 100).astype(np.int64)
    if name == "owner":
        return draw.integers(0, len(OWNERS), len(life))
    # a date in 10 to 100 days, which now and then is earlier than the one before
    return at // DAY_MS + draw.integers(10, 100, len(life))


def _first(begin: np.ndarray, value: np.ndarray) -> Column:
    return Column(np.arange(len(begin)), begin, value, np.ones(len(begin), dtype=bool))


def _table(name: str, column: Column) -> pl.DataFrame:
    """Facts of a field without those that repeat the one before."""
    table = pl.DataFrame({"life": column.life, "at": column.at, "value": _typed(name, column)})
    table = table.with_columns(
        pl.when(pl.Series(column.is_set)).then("value").alias("value"),
        pl.col("life").cast(pl.UInt32),
    ).unique(["life", "at"], keep="last", maintain_order=True)
    same = (pl.col("life") == pl.col("life").shift(1)).fill_null(value=False)
    before = pl.when(same).then(pl.col("value").shift(1))
    return table.filter(pl.col("value").ne_missing(before))


def _typed(name: str, column: Column) -> pl.Series:
    texts = {"stage": _STAGES, "owner": OWNERS, "loss_reason": _REASONS, "currency": ["EUR"]}
    found = pl.Series(column.value)
    if name in texts:
        return pl.Series(texts[name], dtype=pl.String).gather(found)
    if name == "amount":
        units = pl.DataFrame({"value": found}).select(
            pl.col("value").cast(pl.Decimal(38, 0)) * pl.lit(Decimal("0.01"), pl.Decimal(38, 2))
        )
        return units.to_series().cast(field_schema(Schema.standard()["amount"])["value"])
    return found.cast(pl.Int32).cast(pl.Date)


def _lives(begin: np.ndarray, end: np.ndarray) -> pl.DataFrame:
    frame = pl.DataFrame({"begin": begin, "end": end}).with_row_index("life")
    over = pl.when(pl.col("end") < LAST).then("end")
    return frame.with_columns(
        over.alias("end"),
        id=pl.format("D{}", "life"),
        survivor=pl.lit(None, pl.String),
    ).select(pl.col(n).cast(t) for n, t in LIVES_SCHEMA.items())


def _commits(
    tables: dict[str, pl.DataFrame], lives: pl.DataFrame, draw: np.random.Generator
) -> pl.DataFrame:
    """A commit for each moment of each deal: ``life``, and the columns of commits."""
    parts = [table.select("life", "at") for table in tables.values()]
    moments = pl.concat(parts).unique().sort("at", "life").with_row_index("seq", offset=1)
    begins = lives.select("life", "begin")
    actors = pl.Series(OWNERS).gather(draw.integers(0, len(OWNERS), moments.height))
    first = pl.col("at") == pl.col("begin")
    return moments.join(begins, on="life", maintain_order="left").with_columns(
        actors.alias("who"), kind=pl.when(first).then(pl.lit("add")).otherwise(pl.lit("set"))
    )


def _numbered(
    tables: dict[str, pl.DataFrame], commits: pl.DataFrame
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Facts with the numbers of their commits, as the history of a collection has them."""
    seqs = commits.select("life", "at", pl.col("seq").cast(pl.UInt32))
    schema = Schema.standard()
    for name, table in tables.items():
        numbered = table.join(seqs, on=["life", "at"], maintain_order="left")
        types = field_schema(schema[name])
        yield name, numbered.select(pl.col(n).cast(t) for n, t in types.items()).rechunk()


def quotas_of(start: date) -> pl.DataFrame:
    """A quota for each owner, for one quarter."""
    amounts = [Decimal(100_000 + 1_000 * number) for number in range(len(OWNERS))]
    return pl.DataFrame(
        {
            "period_start": [start] * len(OWNERS),
            "period": ["quarter"] * len(OWNERS),
            "key": OWNERS,
            "amount": pl.Series(amounts, dtype=pl.Decimal(38, 2)),
            "currency": ["EUR"] * len(OWNERS),
        }
    )
