"""The forecast: what a period has brought so far, and what its open deals may bring."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Context, Decimal
from functools import partial

import polars as pl

from dealdb.analytics.basis import MIXED
from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.history.money import BLANK, in_cents
from dealdb.analytics.history.movement.ends import period_of
from dealdb.analytics.history.opens import category, kind_of, own_category, weighed
from dealdb.analytics.history.past import LINE, Past, spine
from dealdb.analytics.options import Day, Window
from dealdb.analytics.result import MetricResult
from dealdb.analytics.weights import Weights
from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

_FIGURES = (
    "won", "weighted", "commit", "best", "pipeline", "omitted", "n", "blank", "unweighted",
)  # fmt: skip
_CATEGORIES = _FIGURES[2:6]
_READS = ("stage", "amount", "currency", "probability", "expected_close", "closed")
_OVERDUE, _UNDATED = "overdue", "undated"
_EXACT = Context(prec=2 * MAX_DECIMAL_DIGITS)
_MOST_ROWS = 1_000_000


def forecast(past: Past, *, since: Day, until: Day, period: str = "month") -> MetricResult:
    """
    Money that was won, and that open deals may bring, by the period in which they are expected to close.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    since, until
        Days in which deals close or are expected to, ``until`` itself outside.
    period
        ``"day"``, ``"week"``, ``"month"``, ``"quarter"`` or ``"year"``.

    Returns
    -------
    MetricResult
        A row for each period, after one of the open deals of the window that are ``overdue``, and before one of those
        that are ``undated``: ``period`` (its first day), ``label``, ``won`` (by closing date), ``weighted`` (amount
        times chance of open deals), their amounts by category (``commit``, ``best``, ``pipeline``, ``omitted``), ``n``
        open deals, ``blank`` (without an amount) and ``unweighted`` (with one, and no chance from 0 to 1). ``totals``
        of all rows but ``undated``: ``low`` (won and commit), ``base`` (won and weighted), ``high`` (won and all that
        is open); empty with several currencies. A line for each deal has the ``figure`` that it adds to.

    Raises
    ------
    QueryError
        If an option can't be understood, ``as_of`` is before the first fact, or amounts can't be summed exactly.

    Source
    ------
    docs/metrics.md#forecast
    """
    periods = Periods.of(period, past.pipeline)
    window = period_of(past, since, until)
    keys = past.keys((*_FIGURES, *LINE[1:], "period", "label", "figure"))
    reads = [*_READS, *own_category(past.facts.schema)]
    deals = past.state(reads, when=_may_count(past, window)).with_columns(
        kind_of(past.pipeline), value="amount"
    )
    is_earlier = (pl.col("kind") == "open") & _before(window)
    earlier = deals.filter(is_earlier).height
    deals = deals.filter(~is_earlier.fill_null(value=False))
    deals = past.priced(deals, is_closed=pl.col("kind") != "open")
    deals, weights = weighed(deals, past.pipeline, amount="value")
    told = past.grouped(_placed(deals, past, window, periods), keys)
    currency, keys = past.currency(told, keys)
    rows = _rows(window, periods)
    groups = told.select(keys).n_unique() if keys else 1
    if rows.height * groups > _MOST_ROWS:
        msg = f"a forecast of {rows.height * groups:,} rows: ask for a shorter window or longer periods"
        raise QueryError(msg)
    table = _table(told, weights, keys, rows)
    still_open = told.filter(pl.col("kind") == "open")
    no_date = deals.filter((pl.col("kind") == "won") & pl.col("closed").is_null()).height
    past.notes.append(f"by {period}")
    return past.result(
        "forecast",
        table,
        _lines(told, weights) if past.deals else told,
        keys=keys,
        rows=("period", "label"),
        line_rows=("period", "label", "figure"),
        figures=_FIGURES,
        n=told.height,
        counted={
            "n": lambda _: still_open,
            "blank": lambda _: still_open.filter(BLANK),
            "unweighted": lambda _: still_open.filter(
                pl.col("value").is_not_null() & pl.col("_weighted").is_null()
            ),
            "won": lambda _: told.filter(pl.col("kind") == "won"),
            **{name: partial(_in_category, still_open, name) for name in _CATEGORIES},
        },
        window=window,
        currency=currency,
        counts={
            "won deals without a closing date, in no row": no_date,
            "open deals that were due before the window, in no row": earlier,
        },
        totals={} if currency == MIXED else _shown(past, _totals(table)),
    )


def _may_count(past: Past, window: Window) -> pl.Expr:
    """Deals that a row or a remark counts: open and due, won in the window, or without the date that would tell."""
    kind, dates = kind_of(past.pipeline), ("expected_close", "closed")
    due, closed = (window.holds(name) | pl.col(name).is_null() for name in dates)
    return pl.when(kind == "open").then(due | _before(window)).otherwise((kind == "won") & closed)


def _before(window: Window) -> pl.Expr:
    return pl.col("expected_close") < pl.lit(window.since, pl.Date)


def _placed(deals: pl.DataFrame, past: Past, window: Window, periods: Periods) -> pl.DataFrame:
    """Open deals, and those won in the window, with the row that each is in and its category."""
    is_open = pl.col("kind") == "open"
    won = (pl.col("kind") == "won") & window.holds("closed")
    due = is_open & window.holds("expected_close")
    late = due & (pl.col("expected_close") < past.day)
    undated = is_open & pl.col("expected_close").is_null()
    day = pl.when(won).then("closed").when(due & ~late).then("expected_close")
    placed = deals.filter(won | due | undated).with_columns(
        period=periods.start(day),
        _row=pl.when(late).then(pl.lit(_OVERDUE)).when(undated).then(pl.lit(_UNDATED)),
        _category=pl.when(is_open).then(category(deals, past.pipeline)),
        _date=pl.coalesce(day, "expected_close"),
        at=pl.lit(None, pl.Int64),
    )
    names = _rows(window, periods).drop_nulls().select("period", "label")
    labelled = placed.join(names, on="period", how="left", maintain_order="left")
    return labelled.with_columns(label=pl.coalesce("_row", "label"))


def _rows(window: Window, periods: Periods) -> pl.DataFrame:
    """The rows of the table, in order: ``label`` and ``period``."""
    first, until = window.since or date.min, window.until or date.max
    found = pl.DataFrame(schema={"period": pl.Date, "label": pl.String})
    if first < until:
        if periods.most(first, until) > 2 * _MOST_ROWS:
            msg = f"a forecast by {periods.period} from {first} to {until} has too many rows"
            raise QueryError(msg)
        found = periods.between(first, until - timedelta(days=1))
    ends = [
        pl.DataFrame({"period": None, "label": label}, schema=found.schema)
        for label in (_OVERDUE, _UNDATED)
    ]
    return pl.concat([ends[0], found, ends[1]])


def _table(
    told: pl.DataFrame, weights: Weights, keys: list[str], rows: pl.DataFrame
) -> pl.DataFrame:
    value, is_open = pl.col("value"), pl.col("kind") == "open"
    sums = {name: value.filter(pl.col("_category") == name).sum() for name in _CATEGORIES}
    cells = told.group_by(*keys, "label").agg(
        won=value.filter(pl.col("kind") == "won").sum(),
        weighted=weights.total(),
        **sums,
        n=is_open.sum().cast(pl.UInt32),
        blank=(is_open & BLANK).sum().cast(pl.UInt32),
        unweighted=(is_open & value.is_not_null() & pl.col("_weighted").is_null())
        .sum()
        .cast(pl.UInt32),
    )
    cells = weights.settled(cells)[0]
    table = spine(told, keys, "label", rows["label"].to_list()).join(
        rows, on="label", how="left", maintain_order="left"
    )
    full = table.join(
        cells, on=[*keys, "label"], how="left", nulls_equal=True, maintain_order="left"
    )
    return full.with_columns(pl.col(_FIGURES).fill_null(0))


def _in_category(deals: pl.DataFrame, name: str, _row: object) -> pl.DataFrame:
    return deals.filter(pl.col("_category") == name)


def _lines(told: pl.DataFrame, weights: Weights) -> pl.DataFrame:
    """A line for each deal and figure: won deals add to one, open ones to the weighted sum and to their category."""
    shares = told.group_by("life", maintain_order=True).agg(_share=weights.total())
    shares = weights.settled(shares)[0]
    is_open, unweighted = pl.col("kind") == "open", pl.col("_weighted").is_null()
    each = told.join(shares, on="life", maintain_order="left").with_columns(
        pl.col("_date").cast(pl.String).alias("to"), pl.col("stage").alias("from")
    )
    money = shares.schema["_share"]
    parts = [
        each.filter(~is_open).with_columns(figure=pl.lit("won"), value=value.cast(money))
        if name == "won"
        else each.filter(is_open).with_columns(figure=figure, value=value.cast(money))
        for name, figure, value in (
            ("won", pl.lit("won"), pl.col("value")),
            ("weighted", pl.lit("weighted"), pl.when(~unweighted).then("_share")),
            ("category", pl.col("_category"), pl.col("value")),
        )
    ]
    order = pl.DataFrame({"figure": _FIGURES}).with_row_index("_figure")
    return (
        pl.concat(parts).join(order, on="figure").sort("_date", "_figure", "life", nulls_last=True)
    )


def _totals(table: pl.DataFrame) -> dict[str, Decimal]:
    within = table.filter(pl.col("label") != _UNDATED)
    won, weighted, commit, *others = (
        _sum(within[name]) for name in ("won", "weighted", "commit", "best", "pipeline", "omitted")
    )
    low = high = _EXACT.add(won, commit)
    for part in others:
        high = _EXACT.add(high, part)
    return {"low": low, "base": _EXACT.add(won, weighted), "high": high}


def _shown(past: Past, totals: dict[str, Decimal]) -> dict[str, Decimal]:
    return in_cents(totals) if past.convert else totals


def _sum(column: pl.Series) -> Decimal:
    # not the sum of a column of decimals, whose type says less
    return Decimal(str(column.sum()))
