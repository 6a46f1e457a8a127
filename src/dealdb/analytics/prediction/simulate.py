"""What will be won by a day: the 10th, 50th and 90th percentile of its value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from dealdb.analytics.calendar.periods import Periods
from dealdb.analytics.calendar.zone import DAY_MS
from dealdb.analytics.estimates.draws import Draws
from dealdb.analytics.estimates.outcomes import alike, won_within
from dealdb.analytics.estimates.totals import MOST_EXACT, Outlook, exact_outlook, simulated
from dealdb.analytics.exact import column_scale, from_units
from dealdb.analytics.history.lookup import lacking
from dealdb.analytics.history.money import BLANK
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day, Window, choice, day_of, share, whole_number
from dealdb.analytics.prediction.ends import WON, kinds, visits
from dealdb.analytics.prediction.learned import chain_of, standing
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.model.schema import MAX_DECIMAL_DIGITS

if TYPE_CHECKING:
    from dealdb.analytics.estimates.draws import Floats

_READS = ("stage", "amount", "currency", "probability", "expected_close", "closed")
_FIGURES = ("rho", "n", "won", "p10", "p50", "p90", "mean", "error")
# digits of the chances that lines of deals are multiplied by
_CHANCE_DIGITS = 9
_MOST_RUNS = 10_000_000
# draws of the chain from its posterior; the runs are spread over them
_DRAWS = 1_000
_RUNS_OF_ONE = 10
# exits below which a chain is mostly its prior
_FEW = 20


def simulate(
    past: Past,
    until: Day,
    *,
    n: int = 100_000,
    seed: int = 0,
    since: Day = None,
    chances: str = "learned",
    rho: float = 0.0,
    posterior: bool = True,
) -> MetricResult:
    """
    Distribution of what will have been won by a day.

    Parameters
    ----------
    past
        The past, up to ``as_of``.
    until
        The day before which deals are won.
    n
        Number of runs.
    seed
        The same seed gives the same figures, on every machine.
    since
        First day of what is won to date; by default that of the quarter that ends with ``until``.
    chances
        ``"learned"``: each open deal goes through the stages as earlier deals did, from its stage and age, and counts
        with its amount if it is won in time. ``"own"``: it is won with its own probability, else that of its stage;
        when isn't asked, and for at most 20 deals the distribution is exact.
    rho
        Correlation of the deals by what hits all of them, 0 to below 1; above 0 there is a second row for it.
    posterior
        Whether the chain is drawn anew from what is likely after the history; otherwise what is most likely is taken
        as the truth, which tells too narrow a range where the history is short.

    Returns
    -------
    MetricResult
        ``rho``, ``n`` (open deals with a chance and an amount), ``won`` (to date), and of the sum at the end ``p10``,
        ``p50``, ``p90`` (the smallest value that so many percent of the outcomes are not above) and ``mean``, with
        ``error``: the largest standard error of the percentiles by the simulation, null where it is exact. A row a
        group, and a currency, where there are several: the percentiles of groups don't add up to that of all. A line
        for each deal has its amount times its chance, which add up to the mean, and what was won.

    Raises
    ------
    QueryError
        If an option can't be understood, ``until`` isn't after ``as_of``, or ``as_of`` is before the first fact.

    Source
    ------
    docs/metrics.md#simulate
    """
    choice("chances", chances, ("learned", "own"))
    runs = whole_number("n", n, least=100, most=_MOST_RUNS)
    whole_number("seed", seed, least=0, most=2**63)
    rho = share("rho", rho, "a correlation from 0 to below 1", is_open=False)
    window, end = _window(past, since, until)
    keys = past.keys(_FIGURES)
    state = past.state(_READS).join(kinds(past.pipeline), on="stage", how="left")
    deals = state.with_columns(pl.col("cause").fill_null(0), value="amount")
    deals = past.priced(deals, is_closed=pl.col("cause") != 0)
    # its own column comes later
    lacking(keys, ["age_days"], past.facts.schema)
    deals = past.grouped(deals, keys)
    is_open = deals.filter(pl.col("cause") == 0)
    if chances == "own":
        odds = _own(past, is_open, window)
    else:
        n_draws = min(_DRAWS, runs // _RUNS_OF_ONE)
        days = (end - past.moment) / DAY_MS
        odds = _learned(past, is_open, days, seed=seed if posterior else None, n=n_draws)
    won = deals.filter((pl.col("cause") == WON) & window.holds("closed"))
    undated = deals.filter((pl.col("cause") == WON) & pl.col("closed").is_null()).height
    notes = odds.notes | {"won deals without a closing date, left out": undated}
    columns = dict.fromkeys(("life", "id", "currency", "value", "_unpriced", "stage", *keys))
    both = [each.select(*columns) for each in (odds.deals, won)]
    currency, keys = past.currency(pl.concat(both), keys)
    if past.deals:
        lines = _lines(odds, *both)
        return past.result(
            "simulate",
            lines,
            lines,
            keys=keys,
            rows=("figure",),
            figures=(),
            n=odds.deals.height,
            window=window,
            currency=currency,
            counts=notes,
        )
    scale = column_scale(odds.deals["value"])
    rows = []
    for group, mine, to_date in _groups(odds.deals, won, keys):
        base = sum(to_date["value"].drop_nulls().to_physical().to_list())
        for each in (0.0, rho) if rho else (0.0,):
            outlook = _outlook(mine, odds.chances, runs, seed, each)
            rows.append({**group, **_row(outlook, base, scale, each, mine.height)})
    found = past.result(
        "simulate",
        pl.DataFrame(rows, schema=_types(odds.deals, keys)),
        pl.concat([is_open.select(*columns), both[1]]),
        keys=keys,
        rows=(),
        figures=_FIGURES,
        n=odds.deals.height,
        window=window,
        currency=currency,
        counts=notes,
        counted={"n": lambda _: odds.deals, "won": lambda _: both[1]},
    )
    told = (*past.notes, f"chances {chances}", *(("deals independent",) if not rho else ()))
    return replace(found, basis=replace(found.basis, notes=told))


class _Odds(NamedTuple):
    """
    Open deals and what their chances are.

    Attributes
    ----------
    deals
        Those with an amount and a chance; ``_class`` is the column of their chance.
    chances
        A row for each draw of what isn't known for certain, or one row that is exact.
    notes
        What to know of them, with its number.
    """

    deals: pl.DataFrame
    chances: Floats | list[Fraction]
    notes: dict[str, int]


def _groups(
    open_deals: pl.DataFrame, won: pl.DataFrame, keys: list[str]
) -> Iterator[tuple[dict[str, Any], pl.DataFrame, pl.DataFrame]]:
    """Each group with its open and its won deals."""
    if not keys:
        yield {}, open_deals, won
        return
    every = pl.concat([each.select(keys) for each in (open_deals, won)])
    groups = every.unique().sort(keys, nulls_last=True).with_row_index("_group")
    parts = []
    for deals in (open_deals, won):
        numbered = deals.join(groups, on=keys, how="left", nulls_equal=True, maintain_order="left")
        found = numbered.partition_by("_group", as_dict=True, maintain_order=True)
        parts.append({number: own for (number,), own in found.items()})
    for number, *group in groups.rows():
        mine, to_date = (
            part.get(number, deals.clear())
            for part, deals in zip(parts, (open_deals, won), strict=True)
        )
        yield dict(zip(keys, group, strict=True)), mine, to_date


def _lines(odds: _Odds, open_deals: pl.DataFrame, won: pl.DataFrame) -> pl.DataFrame:
    """
    What was won, and of each open deal its amount times its chance.

    They add up to the mean: exactly where the chances are given, and else but for the error of the simulation.
    """
    drawn = odds.chances
    means = drawn if isinstance(drawn, list) else drawn.mean(axis=0).tolist()
    chances = [round(Fraction(each) * 10**_CHANCE_DIGITS) for each in means]
    own = pl.Series(chances, dtype=pl.Int128).gather(odds.deals["_class"])
    scale = column_scale(open_deals["value"])
    money = pl.Decimal(MAX_DECIMAL_DIGITS, scale + _CHANCE_DIGITS)
    told = open_deals.with_columns(
        value=from_units(pl.col("value").to_physical() * own, scale=scale + _CHANCE_DIGITS),
        figure=pl.lit("open"),
    )
    earned = won.with_columns(pl.col("value").cast(money), figure=pl.lit("won"))
    return pl.concat([earned, told]).with_columns(
        pl.col("stage").alias("from"), to=pl.lit(None, pl.String), at=pl.lit(None, pl.Int64)
    )


def _window(past: Past, since: Day, until: Day) -> tuple[Window, int]:
    last = day_of("until", until)
    if last is None:
        msg = "simulate needs until: the day before which deals are won"
        raise QueryError(msg)
    end = past.zone.midnight_ms(last)
    if end < past.moment:
        msg = f"until={last} is not after as_of, {past.day}: what was won by then is known"
        raise QueryError(msg)
    first = day_of("since", since)
    if first is None:
        day = pl.select(pl.lit(last).dt.offset_by("-1d")).item()
        first = Periods.of("quarter", past.pipeline).between(day, day)["period"][0]
    return Window.of(first, last), end


def _learned(past: Past, deals: pl.DataFrame, days: float, *, seed: int | None, n: int) -> _Odds:
    """Chances to be won in so many days, by draws of the chain; one, of the likeliest, without a seed."""
    spans = visits(past)
    chain = chain_of(past, spans)
    stands = standing(past, spans).drop("stage")
    found = deals.join(stands, on="life", how="left", maintain_order="left")
    few = sum(float(stage.exits.sum()) < _FEW for stage in chain.stages)
    usable, lacking = _usable(found, "_place")
    points, classes = alike(chain, usable["_place"].to_list(), usable["age_days"].to_list())
    rates = chain.rates() if seed is None else chain.rates(Draws(seed), n)
    return _Odds(
        usable.with_columns(_class=pl.Series(classes)),
        won_within(chain, rates, points, days),
        {
            "open stages that fewer than 20 deals have left, whose chances are mostly a guess": few,
            **lacking,
        },
    )


def _own(past: Past, deals: pl.DataFrame, window: Window) -> _Odds:
    """Chances as deals have them, else their stages."""
    own = pl.col("probability").cast(pl.Float64)
    names = [each.name for each in past.pipeline if each.probability is not None]
    known = [str(each.probability) for each in past.pipeline if each.probability is not None]
    default = pl.col("stage").replace_strict(names, known, default=None, return_dtype=pl.String)
    told = pl.when(own.is_between(0, 1)).then(pl.col("probability").cast(pl.String))
    found = deals.with_columns(_chance=pl.when(own.is_null()).then(default).otherwise(told))
    late = deals.filter(pl.col("expected_close") >= window.until).height
    usable, lacking = _usable(found, "_chance")
    texts = usable["_chance"].unique(maintain_order=True).to_list()
    classes = {text: place for place, text in enumerate(texts)}
    return _Odds(
        usable.with_columns(
            _class=pl.Series([classes[text] for text in usable["_chance"]], dtype=pl.Int64)
        ),
        [Fraction(text) for text in texts],
        {
            "open deals expected only after until, which count with their full chance": late,
            **lacking,
        },
    )


def _usable(deals: pl.DataFrame, chance: str) -> tuple[pl.DataFrame, dict[str, int]]:
    """Deals with an amount and a chance, and how many have not."""
    has_chance = pl.col(chance).is_not_null()
    # of money without a rate nobody knows what it is worth: it is counted by itself
    return deals.filter(pl.col("value").is_not_null() & has_chance), {
        "open deals without an amount, left out": deals.filter(BLANK).height,
        "open deals with an amount but no chance, left out": deals.filter(
            ~BLANK & ~has_chance
        ).height,
    }


def _outlook(
    deals: pl.DataFrame, chances: Floats | list[Fraction], runs: int, seed: int, rho: float
) -> Outlook:
    import numpy as np

    units, classes = deals["value"].to_physical().to_list(), deals["_class"].to_list()
    if isinstance(chances, list):
        if len(units) <= MOST_EXACT and not rho:
            own = [chances[place] for place in classes]
            return exact_outlook(list(zip(units, own, strict=True)))
        table = np.array([[float(chance) for chance in chances]])
    else:
        table = chances
    # not the numbers that the chain was drawn with
    return simulated(units, table, n=runs, draws=Draws(seed + 1), rho=rho, classes=classes)


def _row(outlook: Outlook, won: int, scale: int, rho: float, n: int) -> dict[str, Any]:
    def money(units: Fraction | int) -> Decimal:
        return Decimal(round(units)).scaleb(-scale)

    p10, p50, p90 = (money(won + each) for each in outlook.quantiles)
    error = None if outlook.errors is None else money(Fraction(max(outlook.errors[:-1])))
    return {
        "rho": rho,
        "n": n,
        "won": money(won),
        "p10": p10,
        "p50": p50,
        "p90": p90,
        "mean": money(won + outlook.mean),
        "error": error,
    }


def _types(deals: pl.DataFrame, keys: list[str]) -> dict[str, pl.DataType]:
    money = pl.Decimal(MAX_DECIMAL_DIGITS, column_scale(deals["value"]))
    names = ("won", "p10", "p50", "p90", "mean", "error")
    groups = {key: deals.schema[key] for key in keys}
    return {**groups, "rho": pl.Float64(), "n": pl.UInt32(), **dict.fromkeys(names, money)}
