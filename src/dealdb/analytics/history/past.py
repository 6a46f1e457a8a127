"""What every metric on history shares: the moment, the deals that count, their groups, their currency, the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Any, TypeAlias, cast

import polars as pl

from dealdb.analytics.basis import MIXED, Basis
from dealdb.analytics.calendar.zone import Zone, as_moments
from dealdb.analytics.conversion import Conversion
from dealdb.analytics.doubts import alike_groups
from dealdb.analytics.history.linked import Counted, links_of, usual_counts
from dealdb.analytics.history.lookup import are_among, beside, lacking
from dealdb.analytics.history.money import COLUMNS, MARK, in_one, priced, said_of
from dealdb.analytics.history.state import known_lives, last_values, values_until, with_last
from dealdb.analytics.options import By, Day, Window, choice, day_of, group_columns, named_groups
from dealdb.analytics.result import MetricResult
from dealdb.errors import NotYetKnown, QueryError
from dealdb.model.moments import epoch_ms, from_epoch_ms
from dealdb.model.pipeline import Pipeline
from dealdb.store.facts.facts import Facts, field_schema

Where: TypeAlias = str | pl.Expr | None
# a filter, the columns that it may name, and the zone of its days, to an expression
Compile: TypeAlias = Callable[[Where, pl.Schema, str], pl.Expr | None]
Moment: TypeAlias = datetime | Day

# of a deal's own line: what it adds to a figure, and the facts that this rests on
LINE = ("id", "value", "from", "to", "at")


@dataclass(frozen=True, kw_only=True)
class Past:
    """
    The past as a metric looks at it.

    Attributes
    ----------
    facts
        What was so of each deal, and since when.
    compile
        Makes an expression of a filter.
    by
        Columns to group by.
    where
        Which deals count, judged by their state at ``as_of``; of a deal that is deleted by then, by its last values.
    as_of
        Date (its end) or datetime (just before it) up to which facts count; None for now.
    pipeline
        ``"now"``: stages mean what they mean now. ``"then"``: what they meant at ``as_of``.
    by_at
        ``"event"``: the value of a group when something happened. ``"end"``: at ``as_of``. ``"now"``: today's. None:
        what the metric does by itself.
    deals
        Whether the result has a line for each deal instead of the figures.
    convert
        What money is converted to; None keeps currencies apart.
    present
        How many deals that can be queried a filter keeps; None where nobody knows.
    now
        The last moment of which anything is known, where it is not the present.
    """

    facts: Facts
    compile: Compile
    by: By = None
    where: Where = None
    as_of: Moment = None
    pipeline_of: str = "now"
    by_at: str | None = None
    deals: bool = False
    convert: Conversion | None = None
    present: Callable[[pl.Expr], int] | None = None
    now: Moment = None
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        choice("pipeline", self.pipeline_of, ("now", "then"))
        choice("by_at", self.by_at or "end", ("event", "end", "now"))
        self._check(self.moment, "as_of", self.as_of)
        if self.now is not None and self.moment > self._now:
            msg = f"as_of={self.as_of} is after {self.now}, the moment of these deals: ask a later one, or the database"
            raise QueryError(msg)

    @cached_property
    def zone(self) -> Zone:
        """Time zone in which days begin."""
        return Zone.of(self.facts.pipeline)

    @cached_property
    def pipeline(self) -> Pipeline:
        """What the stages mean."""
        is_now = self.pipeline_of == "now"
        return self.facts.pipeline if is_now else self.facts.pipeline_at(self.moment)

    @cached_property
    def moment(self) -> int:
        """Milliseconds of the moment before which facts count."""
        return self._now if self.as_of is None else _moment(self.as_of, self.zone)

    @cached_property
    def _now(self) -> int:
        """The end of today, as ages would be others a minute later; what is recorded is past in any case."""
        if self.now is not None:
            return _moment(self.now, self.zone)
        last = self.facts.commits["at"].max()
        now = max(epoch_ms(datetime.now(UTC)), last if isinstance(last, int) else 0)
        return self.zone.end_of_day_ms(self.zone.day_of_moment(now))

    @cached_property
    def day(self) -> date:
        """The last day that counts."""
        return self.zone.day_of_moment(self.moment - 1)

    def bounds(self, since: Day, until: Day) -> tuple[int | None, int, Window]:
        """
        First moment of a window, the moment before which it ends, at most ``moment``, and its days.

        Raises
        ------
        QueryError
            If one is not a date, they are the wrong way round, or it ends before the first fact.
        """
        window = Window.of(since, until)
        first = None if window.since is None else self.zone.midnight_ms(window.since)
        end = self.moment if window.until is None else self.zone.midnight_ms(window.until)
        self._check(end, "until", window.until)
        return first, min(end, self.moment), window

    def ending(self, moment: int) -> Past:
        """The same past, of which only what was before an earlier moment is known."""
        return self if moment == self.moment else replace(self, as_of=from_epoch_ms(moment))

    def _check(self, moment: int, option: str, given: object) -> None:
        first = self.facts.first
        if given is not None and first is not None and moment <= first:
            day = self.zone.day_of_moment(first)
            msg = f"{option}={given} is before the first fact, which is of {day}: nothing is known of the time before"
            raise NotYetKnown(msg)

    # deals ---------------------------------------------------------------------------------------

    @cached_property
    def kept(self) -> pl.Series | None:
        """Lives that the filter keeps; None where there is none."""
        if self.where is None:
            return None
        types = {name: field_schema(each)["value"] for name, each in self.facts.schema.items()}
        schema = pl.Schema({"id": pl.String(), **types})
        condition = self.compile(self.where, schema, self.facts.pipeline.zone)
        if condition is None:
            return None
        values = last_values(self.facts, self.moment, condition.meta.root_names())
        return values.filter(condition)["life"]

    def chosen(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Rows of the lives that count."""
        return frame if self.kept is None else frame.filter(are_among(frame["life"], self.kept))

    def values(self, names: Iterable[str], moment: int | None = None) -> pl.DataFrame:
        """
        The lives that count with their last values before a moment; ``is_alive`` says which are not deleted.

        As ``state.last_values`` has them; the moment is ``as_of`` by default.
        """
        return self.chosen(
            last_values(self.facts, self.moment if moment is None else moment, names)
        )

    def state(
        self, names: Iterable[str], moment: int | None = None, *, when: pl.Expr | None = None
    ) -> pl.DataFrame:
        """
        The same of the deals that exist at the moment: ``life``, ``id``, and a column for each name.

        Where ``when`` says which of them to keep, by their fields, the others' values are not looked up.
        """
        at = self.moment if moment is None else moment
        deals = self.chosen(known_lives(self.facts, at, gone=False))
        if when is not None:
            deals = with_last(deals, self.facts, at, when.meta.root_names()).filter(when)
        return with_last(deals, self.facts, at, ["id", *names])

    # groups --------------------------------------------------------------------------------------

    def keys(self, taken: Sequence[str], *, also: Sequence[str] = ()) -> list[str]:
        """
        Columns to group by: fields, and what a metric has ``also``.

        Raises
        ------
        QueryError
            If one doesn't exist, is given twice, or has the name of a figure.
        """
        columns = list(dict.fromkeys(("id", *self.facts.schema, *also)))
        used = [*taken, "life", "is_alive", "unpriced", *(COLUMNS if self.convert else ())]
        return group_columns(self.by, columns, taken=used)

    def grouped(
        self, lines: pl.DataFrame, keys: Sequence[str], *, by_at: str = "end"
    ) -> pl.DataFrame:
        """
        Lines with the columns of their groups: at the moment ``at`` of the line, at ``as_of``, or now.

        Lines have ``life``, and ``at`` where groups are those of an event; ``by_at`` is what the metric does by itself.
        A line of no event has the group at ``as_of``.
        """
        by_at = self.by_at or by_at
        missing = lacking(keys, lines.columns, self.facts.schema)
        if not missing:
            return lines
        if by_at == "event" and "at" in lines.columns:
            lines_at = lines.select("life", pl.col("at").fill_null(self.moment - 1))
            ids = self.facts.lives["id"].gather(lines["life"])
            values = [
                (ids if key == "id" else values_until(self.facts.of(key), lines_at)).alias(key)
                for key in missing
            ]
            return lines.with_columns(values)
        moment = self._now if by_at == "now" else self.moment
        found = last_values(self.facts, moment, missing).select("life", *missing)
        return beside(lines, found)

    # money ---------------------------------------------------------------------------------------

    @cached_property
    def conversion(self) -> Conversion | None:
        """What money is converted to, open deals by the rates of ``as_of``."""
        return None if self.convert is None else replace(self.convert, as_of=self.day)

    def priced(
        self,
        deals: pl.DataFrame,
        *,
        is_closed: pl.Expr | bool,
        closed: str = "closed",
        amount: str = "value",
        as_of: date | None = None,
    ) -> pl.DataFrame:
        """
        Deals with their amounts in one currency, where one was asked for; ``_unpriced`` marks those without a rate.

        Parameters
        ----------
        deals
            With columns of the amount, ``currency`` and, where any may be closed, the day on which they were.
        is_closed
            Which of them are won or lost; the others have the rate of ``as_of``.
        closed, amount
            Columns of the closing day and of the amount.
        as_of
            The day on which deals are open, where it is another.
        """
        condition = pl.lit(value=is_closed) if isinstance(is_closed, bool) else is_closed
        money = self.conversion
        if money is not None and as_of is not None:
            money = replace(money, as_of=as_of)
        day = (
            None
            if money is None
            else money.day(
                condition, pl.col(closed) if is_closed is not False else pl.lit(None, pl.Date)
            )
        )
        return priced(deals, money, day=day, amount=amount)

    def currency(self, lines: pl.DataFrame, keys: list[str]) -> tuple[str | None, list[str]]:
        """
        The one currency of lines with ``currency`` and ``value``, and the groups: several currencies are one of them.

        Lines without money don't count; no currency is one of its own where others have one. Money that was converted
        is in one currency.
        """
        if self.convert is not None:
            return self.convert.to, keys
        has_money = pl.col("value").is_not_null() & (pl.col("value") != 0)
        found = lines.select(pl.col("currency").filter(has_money)).to_series()
        if not found.ne_missing(found[:1]).any():
            # the one, or none at all
            return (found[0] if found.len() else None), keys
        return MIXED, keys if "currency" in keys else [*keys, "currency"]

    # results -------------------------------------------------------------------------------------

    def result(
        self,
        name: str,
        table: pl.DataFrame,
        lines: pl.DataFrame,
        *,
        keys: Sequence[str],
        rows: Sequence[str],
        figures: Sequence[str],
        n: int,
        window: Window | None = None,
        currency: str | None = None,
        counts: Mapping[str, int] | None = None,
        totals: Mapping[str, Any] | None = None,
        line_rows: Sequence[str] | None = None,
        counted: Mapping[str, Counted] | None = None,
        exact: pl.DataFrame | None = None,
    ) -> MetricResult:
        """
        The table of a metric, or its lines where a line for each deal was asked for.

        Parameters
        ----------
        name
            Of the metric.
        table
            Columns ``keys``, ``rows`` and ``figures``, in the order of the rows.
        lines
            Columns ``keys``, ``rows``, ``life``, ``value``, ``from``, ``to`` and ``at`` (milliseconds).
        keys, rows, figures
            Columns of the groups, those that tell the rows of a group apart, and those of the figures.
        n
            Deals in the base set.
        window, currency
            For the basis.
        counts
            What the figures leave out, by the text that says so; those of 0 are left out.
        totals
            Of all rows together.
        line_rows
            Columns that tell the lines apart; ``rows`` by default.
        counted
            What the counts of a row are of, the first one first; ``n``, where it is not named, is of all lines.
        exact
            The table before it was rounded, where the metric does so by itself.
        """
        money = self.conversion
        found = {**(counts or {}), **(said_of(lines, money) if money else {})}
        warnings = [f"{text}: {number:,}" for text, number in found.items() if number]
        basis = Basis(
            n=n,
            since=window.since if window else None,
            until=window.until if window else None,
            as_of=self.day,
            currency=currency,
            notes=(*self.notes, f"stages as they mean {self.pipeline_of}"),
            warnings=(*warnings, *(() if self.deals else alike_groups(table, keys))),
        )
        before = None
        if self.deals:
            chosen = self._own_lines(lines, keys, rows if line_rows is None else line_rows)
        elif money is None or MARK not in lines.columns:
            chosen = table.select(*named_groups(table, keys), *rows, *figures)
        else:
            both = (table, table if exact is None else exact)
            groups = named_groups(table, keys)
            chosen, before = in_one(both, lines, money, groups, figures, keys=keys, rows=rows)
        is_told = self.deals or money is None or MARK not in lines.columns
        links = links_of(
            name,
            table,
            lines,
            self.facts.lives,
            keys=keys,
            rows=rows,
            counts=usual_counts(table, figures, counted, unpriced=not is_told),
            present=self.present,
            is_lines=self.deals,
        )
        return MetricResult(
            name=name, frame=chosen, basis=basis, totals=totals or {}, links=links, exact=before
        )

    def _own_lines(
        self, lines: pl.DataFrame, keys: Sequence[str], rows: Sequence[str]
    ) -> pl.DataFrame:
        ids = self.facts.lives.select("life", "id")
        own = lines if "id" in lines.columns else lines.join(ids, on="life", maintain_order="left")
        named = [*named_groups(own, keys), *rows, *(name for name in LINE if name not in keys)]
        if self.convert is not None and MARK in own.columns:
            named.append(pl.col(MARK).cast(pl.UInt32).alias("unpriced"))
            if "currency" not in keys:
                named.append(pl.lit(self.convert.to).alias("currency"))
        return own.with_columns(as_moments(pl.col("at"))).select(named)


def spine(
    groups: pl.DataFrame, keys: Sequence[str], name: str, values: Sequence[str | None]
) -> pl.DataFrame:
    """Every value of a row key for every group, in order: ``keys``, the name, and ``_place``."""
    rows = pl.DataFrame({name: pl.Series(values, dtype=pl.String)}).with_row_index("_place")
    if not keys:
        return rows
    found = groups.select(keys).unique().sort(keys, nulls_last=True)
    return found.join(rows, how="cross", maintain_order="left_right")


def _moment(as_of: Moment, zone: Zone) -> int:
    if isinstance(as_of, datetime):
        return epoch_ms(as_of)
    return zone.end_of_day_ms(cast("date", day_of("as_of", as_of)))
