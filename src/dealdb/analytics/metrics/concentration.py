"""Concentration: how much of the value rests on a few groups."""

from __future__ import annotations

from dataclasses import replace
from decimal import Context, Decimal

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.exact import column_scale
from dealdb.analytics.flags import OPEN, SIZE, UNPRICED, WON
from dealdb.analytics.options import (
    By,
    Day,
    Window,
    choice,
    column_names,
    label_of_none,
    whole_number,
)
from dealdb.analytics.result import MetricResult
from dealdb.analytics.scope import Metric, Scope, scope
from dealdb.errors import QueryError, SchemaError
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import MAX_DECIMAL_DIGITS
from dealdb.model.values import encode, infer

_WON = Metric(
    name="concentration",
    base=WON,
    columns=("n", "groups", "value", "k", "top_value", "top_share", "hhi", "top"),
    reads=(SIZE.alias("_value"),),
    n_of=("won",),
)
_METRICS = {"won": _WON, "open": replace(_WON, base=OPEN, reads=(), weighs=True, n_of=("open",))}
_VALUE_OF = {"won": "_value", "open": "_weighted"}
# a sum of 38 digits must not be rounded to the 28 of the default context
_EXACT = Context(prec=MAX_DECIMAL_DIGITS)


def concentration(
    frame: pl.DataFrame,
    pipeline: Pipeline,
    by: By = "company",
    *,
    since: Day = None,
    until: Day = None,
    of: str = "won",
    k: int = 5,
    conversion: Conversion | None = None,
) -> MetricResult:
    """
    Share of the ``k`` largest groups in the value, and the Herfindahl-Hirschman index.

    Parameters
    ----------
    frame
        One row a deal.
    pipeline
        What the stages mean.
    by
        What a group is: companies, or any other column or columns.
    since, until
        Window on the closing date, ``until`` itself outside; only for won deals.
    of
        ``"won"``: value of won deals; ``"open"``: weighted value of open deals.
    k
        How many groups are at the top, at least 1.
    conversion
        What money is converted to, and by which rates; None keeps currencies apart. With it there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate).

    Returns
    -------
    MetricResult
        One row (one a currency): ``n`` deals, ``groups`` that have a value, ``value``, ``k``, ``top_value``,
        ``top_share``, ``hhi`` (sum of the squared shares: 1 for a single group, 1/groups for equal ones), ``top``
        (names of the largest that have a value, largest first, ties in order of name).

    Raises
    ------
    QueryError
        If an option can't be understood, there is nothing to group by, or the amounts can't be summed exactly.
    SchemaError
        If a standard column has another type than in a collection.

    Source
    ------
    docs/metrics.md#concentration

    Examples
    --------
    >>> deals = pl.DataFrame(
    ...     {"company": ["Acme", "Bolt"], "stage": ["Won", "Won"], "amount": [300, 100]}
    ... )
    >>> result = concentration(deals, Pipeline().covering(["Won"]), k=1)
    >>> result["top_share"], result["hhi"], result["top"]
    (0.75, 0.625, ['Acme'])
    """
    if not column_names(by):
        msg = "concentration is that of groups: give by= a column, like 'company'"
        raise QueryError(msg)
    k = whole_number("k", k, least=1, most=2**31 - 1)
    column = _VALUE_OF[choice("of", of, _METRICS)]
    window = Window.of(since, until)
    if window and of == "open":
        msg = "open deals have no closing date: leave since= and until= out, or use of='won'"
        raise QueryError(msg)
    deals = scope(frame, pipeline, _METRICS[of], by=by, window=window, conversion=conversion)
    value = deals.weighted_sum() if of == "open" else pl.col(column).sum()
    groups = deals.table(_n=pl.len(), _sum=value)
    mixed = deals.currency == MIXED
    parts = [groups]
    if mixed:
        ordered = groups.sort("currency", nulls_last=True, maintain_order=True)
        parts = ordered.partition_by("currency", maintain_order=True)
    table = _frame([_row(part, deals.keys, k, mixed=mixed) for part in parts], groups, mixed=mixed)
    notes, warnings = _notes(deals, groups, column)
    shown = replace(deals, keys=["currency"] if mixed else [])
    return shown.result(table, notes, *warnings)


def _row(groups: pl.DataFrame, keys: list[str], k: int, *, mixed: bool) -> dict[str, object]:
    # the sort keeps ties in the order of the table, which is by name
    ranked = groups.filter(pl.col("_sum") != 0).sort("_sum", descending=True, maintain_order=True)
    # Python's integers don't overflow when squared, and its division of them rounds once
    units: list[int] = ranked["_sum"].to_physical().to_list()
    total, top = sum(units), sum(units[:k])
    names = [key for key in keys if key != "currency"] or keys
    return {
        "currency": groups["currency"][0] if mixed else None,
        "n": int(groups["_n"].sum()),
        "groups": len(units),
        "value": total,
        "k": k,
        "top_value": top,
        "top_share": top / total if total else None,
        "hhi": sum(unit * unit for unit in units) / (total * total) if total else None,
        "unpriced": int(groups["unpriced"].sum()) if "unpriced" in groups.columns else 0,
        "top": _names(ranked.select(names).head(k), groups),
    }


def _names(top: pl.DataFrame, groups: pl.DataFrame) -> list[str]:
    """Names of groups as texts: values are written as they are saved, without the zeros that a column pads with."""
    none = {name: label_of_none(groups[name]) for name in top.columns}
    return [
        " / ".join(none[name] if part is None else _text(name, part) for name, part in row.items())
        for row in top.iter_rows(named=True)
    ]


def _text(name: str, value: object) -> str:
    try:
        return encode(value, infer(name, value))
    except SchemaError:
        # what no deal can have, but a frame: nan
        return str(value)


def _frame(rows: list[dict[str, object]], groups: pl.DataFrame, *, mixed: bool) -> pl.DataFrame:
    money = groups.schema["_sum"]
    scale = column_scale(groups["_sum"])
    for row in rows:
        for name in ("value", "top_value"):
            row[name] = Decimal(str(row[name])).scaleb(-scale, _EXACT)
    counts = dict.fromkeys(("n", "groups", "k", "unpriced"), pl.UInt32())
    amounts = dict.fromkeys(("value", "top_value"), money)
    shares = dict.fromkeys(("top_share", "hhi"), pl.Float64())
    text = pl.String()
    table = pl.DataFrame(
        rows,
        schema={"currency": text, **counts, **amounts, **shares, "top": pl.List(text)},
    )
    return table if mixed else table.drop("currency")


def _notes(deals: Scope, groups: pl.DataFrame, column: str) -> tuple[dict[str, int], list[str]]:
    names = [key for key in deals.keys if key != "currency"]
    nameless = pl.any_horizontal(pl.col(names).is_null()) if names else pl.lit(value=False)
    left_out = deals.counts(
        priced=nameless & pl.col(column).is_not_null(),
        valueless=pl.col(column).is_null() & ~UNPRICED,
    )
    notes = {
        f"deals without {' or '.join(names)}, counted as one group": left_out["priced"],
        "deals without a value, not in the shares": left_out["valueless"],
    }
    if not (groups["_sum"].to_physical() < 0).any():
        return notes, []
    return notes, ["some groups have a negative value: shares are not meaningful"]
