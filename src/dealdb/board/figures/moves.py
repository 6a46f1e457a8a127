"""What became of deals between two moments: new, won, lost, moved and so on, with sums by currency."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import polars as pl

from dealdb.model.decimals import number_of
from dealdb.model.pipeline import Kind

if TYPE_CHECKING:
    from dealdb.model.pipeline import Pipeline

# columns that are compared; the last three are shown
COMPARED = ("stage", "amount", "currency", "expected_close", "name", "company", "owner")
# those whose change puts a deal in a list
_DAY = "expected_close"
_TELLING = ("stage", "amount", "currency", _DAY)
_WAS = "_was"
# as the waterfall has it: no amount is nothing, so that one that is entered raises the pipeline
_AMOUNTS = {side: pl.col(f"amount{side}").fill_null(0) for side in ("", _WAS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveKind:
    """
    A way in which deals change.

    Attributes
    ----------
    name
        For programs.
    title
        For people.
    column
        The one whose change it is; None for deals that came or went.
    what
        What its sums are.
    """

    name: str
    title: str
    column: str | None
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moves:
    """
    The deals that changed in one way.

    Attributes
    ----------
    kind
        Which.
    deals
        They: ``id``, the compared columns as they are now or were last, the changed one of before as ``was``, and
        ``value``, what each adds to the sum.
    sums
        By currency.
    """

    kind: MoveKind
    deals: pl.DataFrame
    sums: Mapping[str | None, Decimal]


KINDS: Sequence[MoveKind] = (
    MoveKind(name="new", title="New", column=None, what="amount"),
    MoveKind(name="won", title="Won", column="stage", what="amount"),
    MoveKind(name="lost", title="Lost", column="stage", what="amount"),
    MoveKind(name="reopened", title="Reopened", column="stage", what="amount"),
    MoveKind(name="moved", title="Moved to another stage", column="stage", what="amount"),
    MoveKind(name="raised", title="Amount raised", column="amount", what="rise"),
    MoveKind(name="lowered", title="Amount lowered", column="amount", what="fall"),
    MoveKind(name="pushed", title="Pushed to a later day", column="expected_close", what="amount"),
    MoveKind(name="pulled", title="Pulled to an earlier day", column="expected_close", what="amount"),
    MoveKind(name="deleted", title="Deleted", column=None, what="amount"),
)  # fmt: skip


def moves_between(then: pl.DataFrame, now: pl.DataFrame, pipeline: Pipeline) -> list[Moves]:
    """
    What changed from one state of the deals to another; a deal that changed in two ways is in two lists.

    Parameters
    ----------
    then, now
        ``id`` and the compared columns, as far as there are such.
    pipeline
        What the stages mean.

    Examples
    --------
    >>> from dealdb.model.pipeline import Pipeline
    >>> then = pl.DataFrame({"id": ["1", "2"], "stage": ["Demo", "Demo"], "amount": [5, 7]})
    >>> now = pl.DataFrame(
    ...     {"id": ["1", "3"], "stage": ["Won", "Demo"], "amount": [5, 9], "currency": ["EUR"] * 2}
    ... )
    >>> found = moves_between(then, now, Pipeline().covering(["Demo", "Won"]))
    >>> [
    ...     (each.kind.name, each.deals["id"].to_list(), each.sums) for each in found
    ... ]  # doctest: +NORMALIZE_WHITESPACE
    [('new', ['3'], {'EUR': Decimal('9')}), ('won', ['1'], {'EUR': Decimal('5')}),
     ('deleted', ['2'], {None: Decimal('7')})]
    """
    both = _side_by_side(*_without_same(then, now))
    found = []
    for kind in KINDS:
        deals = _shown(both.filter(_condition(kind.name, pipeline)), kind)
        if deals.height:
            found.append(Moves(kind=kind, deals=deals, sums=_sums(deals)))
    return found


def _without_same(then: pl.DataFrame, now: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both without the deals that no list has: of a million few have changed, and the rest would cost the most."""
    if any(then.schema.get(name) != now.schema.get(name) for name in _TELLING):
        return then, now
    first, second = (
        each.select("id").with_row_index(row) for each, row in ((then, "_a"), (now, "_b"))
    )
    rows = first.join(second, on="id")
    is_same = pl.Series([True]).new_from_index(0, rows.height)
    for name in (each for each in _TELLING if each in now.columns):
        was, value = then[name].gather(rows["_a"]), now[name].gather(rows["_b"])
        same = was.eq_missing(value)
        # a day that was not known, or is not any more, is neither later nor earlier
        is_same &= same | was.is_null() | value.is_null() if name == _DAY else same
    kept = rows.filter(is_same)
    return _without(then, kept["_a"]), _without(now, kept["_b"])


def _without(frame: pl.DataFrame, rows: pl.Series) -> pl.DataFrame:
    keeps = pl.Series([True]).new_from_index(0, frame.height)
    return frame.filter(keeps.scatter(rows, values=False))


def _side_by_side(then: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """A row for each deal of either, with the values of before behind ``_was``."""
    types: dict[str, pl.DataType] = {
        "currency": pl.String(),
        "expected_close": pl.Date(),
        "amount": pl.Int64(),
    }

    def whole(frame: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
        lacking = [name for name in COMPARED if name not in frame.columns]
        nulls = [
            pl.lit(None, other.schema.get(name, types.get(name, pl.String()))).alias(name)
            for name in lacking
        ]
        return frame.with_columns(*nulls).select("id", *COMPARED)

    before, after = whole(then, now), whole(now, then)
    before = before.rename({name: name + _WAS for name in COMPARED}).with_columns(_then=True)
    found = after.with_columns(_now=True).join(
        before, on="id", how="full", coalesce=True, maintain_order="left_right"
    )
    return found.with_columns(pl.col("_then", "_now").fill_null(value=False))


def _condition(name: str, pipeline: Pipeline) -> pl.Expr:
    def is_of(column: str, kind: Kind) -> pl.Expr:
        return pl.col(column).is_in(list(pipeline.names(kind))).fill_null(value=False)

    there, was_there = pl.col("_now"), pl.col("_then")
    won, lost = is_of("stage", Kind.WON), is_of("stage", Kind.LOST)
    was_won, was_lost = is_of("stage" + _WAS, Kind.WON), is_of("stage" + _WAS, Kind.LOST)
    is_open, was_open = ~(won | lost), ~(was_won | was_lost)
    both = there & was_there
    amount, amount_was = (_AMOUNTS[side] for side in ("", _WAS))
    day, day_was = (pl.col("expected_close" + each) for each in ("", _WAS))
    alike = pl.col("currency").eq_missing(pl.col("currency" + _WAS))
    conditions = {
        "new": there & ~was_there,
        "deleted": was_there & ~there,
        "won": there & won & ~(was_there & was_won),
        "lost": there & lost & ~(was_there & was_lost),
        "reopened": both & is_open & ~was_open,
        "moved": both & is_open & was_open & pl.col("stage").ne_missing(pl.col("stage" + _WAS)),
        "raised": both & is_open & alike & (amount > amount_was),
        "lowered": both & is_open & alike & (amount < amount_was),
        "pushed": both & is_open & (day > day_was),
        "pulled": both & is_open & (day < day_was),
    }
    return conditions[name].fill_null(value=False)


def _shown(deals: pl.DataFrame, kind: MoveKind) -> pl.DataFrame:
    """The columns that are shown; of deals that are gone, as they were."""
    if kind.name == "deleted":
        deals = deals.with_columns(pl.col(name + _WAS).alias(name) for name in COMPARED)
    change = _AMOUNTS[""] - _AMOUNTS[_WAS]
    value = change if kind.column == "amount" else pl.col("amount")
    was = pl.col(kind.column + _WAS) if kind.column else pl.lit(None)
    found = deals.select("id", *COMPARED, was.alias("was"), value.alias("value"))
    return found.sort(pl.col("value").abs(), "id", descending=[True, False], nulls_last=True)


def _sums(deals: pl.DataFrame) -> dict[str | None, Decimal]:
    """Sums of all digits, the currency with the most deals first."""
    found = (
        deals.drop_nulls("value")
        .group_by("currency")
        .agg(n=pl.len(), total=pl.col("value").sum())
        .sort("n", "currency", descending=[True, False])
    )
    return {
        currency: number_of(total) or Decimal(0)
        for currency, total in found.select("currency", "total").rows()
    }
