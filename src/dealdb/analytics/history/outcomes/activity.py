"""Activity: what was changed in deals, by whom or in whose deals, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial

import polars as pl

from dealdb.analytics.calendar.zone import as_moments
from dealdb.analytics.history.lookup import are_among, gathered, n_lives, rows_of, true_rows
from dealdb.analytics.history.outcomes.closings import in_groups, outcome_of, with_previous
from dealdb.analytics.history.past import Past
from dealdb.analytics.options import Day
from dealdb.analytics.result import MetricResult

_FIGURES = (
    *("deals_touched", "changes", "stage_moves", "pushes", "amount_changes", "created", "closed"),
    *("days_active", "last", "bulk"),
)
_WHO = "who"
# what dealdb stamps by itself
_STAMPS = ("id", "updated")
# imports of history and repairs, and loads, whose commits are often of this kind, and else of several deals
_BULK = ("add", "facts", "mend")
# what a change of one field may be, and what a line may have
_MARKS = ("stage_moves", "pushes", "amount_changes", "closed")
_COUNTED = ("changes", "stage_moves", "pushes", "amount_changes", "created", "closed", "bulk")


def activity(past: Past, *, since: Day = None, until: Day = None) -> MetricResult:
    """
    Changes of deals, by actor (``by="who"``), or by any column as it was after the change.

    It counts records, not work: dealdb knows of no mails and no calls.

    Parameters
    ----------
    past
        The past; ``by`` may name ``who``, the actor of the commit.
    since, until
        Days of the changes, ``until`` itself outside. A filter is judged at the end of them.

    Returns
    -------
    MetricResult
        A row for each group: ``deals_touched``, ``changes`` (of a field each), ``stage_moves`` (from one stage to
        another), ``pushes`` (``expected_close`` moved to a later day), ``amount_changes`` (after the deal was
        created), ``created`` and ``closed`` (deals that began, and that were won or lost), ``days_active``, ``last``
        (moment of the last change) and ``bulk`` (changes that came by loads, imports and saves of several deals at
        once).

    Raises
    ------
    QueryError
        If an option can't be understood, or a moment is before the first fact.

    Source
    ------
    docs/metrics.md#activity
    """
    first, end, window = past.bounds(since, until)
    past = past.ending(end)
    keys = past.keys(_FIGURES, also=(_WHO,))
    inside = pl.col("at") < end if first is None else pl.col("at").is_between(first, end - 1)
    changes = _Changes(past, inside, tuple(keys))
    lines = changes.together()
    table = in_groups(
        lines,
        keys,
        deals_touched=pl.col("_deal").n_unique().cast(pl.UInt32),
        **{name: pl.col(name).sum().cast(pl.UInt32) for name in _COUNTED},
        days_active=past.zone.days_of_ms(pl.col("at")).n_unique().cast(pl.UInt32),
        last=as_moments(pl.col("at").max()),
    )
    return past.result(
        "activity",
        table,
        _each(lines, keys) if past.deals else lines,
        keys=keys,
        rows=(),
        counted={
            "deals_touched": changes.touched,
            **{name: partial(changes.of, name) for name in _COUNTED},
        },
        figures=_FIGURES,
        n=n_lives(lines["_deal"]),
        window=window,
    )


@dataclass(frozen=True)
class _Changes:
    """
    Changes of fields, and deals that began, in a window.

    The facts are looked at field by field: all of them in one table are many times the size of what is told of them.

    Attributes
    ----------
    past
        The past.
    inside
        Whether a moment is in the window.
    keys
        Columns to group by.
    """

    past: Past
    inside: pl.Expr
    keys: tuple[str, ...]

    # figures -------------------------------------------------------------------------------------

    def together(self) -> pl.DataFrame:
        """
        A line for each deal that began, with all that its first commit said, and one for each other change.

        With the columns of the groups, ``_deal``, and how many of each count it is.
        """
        numbers = self.past.facts.lives.height
        n_changes = pl.repeat(0, numbers, dtype=pl.UInt32, eager=True)
        closed = pl.repeat(False, numbers, eager=True)  # noqa: FBT003  # values
        later = []
        for changed in self._by_field():
            is_first = self._is_first(changed)
            lives = changed["life"].filter(is_first)
            if lives.len():
                n_changes = n_changes.scatter(lives, n_changes.gather(lives) + 1)
                if "closed" in changed.columns:
                    closed = closed.scatter(lives, changed["closed"].filter(is_first))
            later.append(_with_all_marks(changed.filter(~is_first)))
        births = self._births()
        born = births.with_columns(
            n_changes.gather(births["life"]).alias("changes"),
            closed.gather(births["life"]).alias("closed"),
            created=pl.lit(value=True),
        )
        lines = pl.concat([_with_all_marks(born), *later])
        in_bulk = self._in_bulk.gather(lines["seq"])
        return self._grouped(
            lines.with_columns(pl.when(in_bulk).then("changes").otherwise(0).alias("bulk"))
        )

    def _is_first(self, changed: pl.DataFrame) -> pl.Series:
        """Which changes of a field were made by the commit that their deal began with, at that moment."""
        lives = changed["life"]
        # a deal begins with one value of a field
        leads = (lives != lives.shift(1)).fill_null(value=True)
        begins = self.past.facts.lives["begin"].gather(lives)
        commits = self._first_commits.gather(lives)
        return leads & (changed["at"] == begins) & (changed["seq"] == commits)

    # lines ---------------------------------------------------------------------------------------

    def of(self, count: str, _row: object) -> pl.DataFrame:
        """What a count is of, a line each: found when it is asked for, as it is seldom."""
        if count == "created":
            return self._grouped(self._births())
        parts = [self._counted(changed, count) for changed in self._by_field()]
        return self._grouped(pl.concat([self._births().clear(), *parts]))

    def touched(self, _row: object) -> pl.DataFrame:
        """The first line of each deal in each group."""
        parts = [changed.select("life", "at", "seq") for changed in self._by_field()]
        lines = self._grouped(pl.concat([*parts, self._births()]))
        return lines.unique(["_deal", *self.keys], maintain_order=True)

    def _counted(self, changed: pl.DataFrame, count: str) -> pl.DataFrame:
        """What of the changes of a field one count is of."""
        own = changed.select("life", "at", "seq")
        if count == "changes":
            return own
        if count == "bulk":
            return own.filter(self._in_bulk.gather(own["seq"]))
        return own.filter(changed[count]) if count in changed.columns else own.clear()

    # both ----------------------------------------------------------------------------------------

    def _grouped(self, lines: pl.DataFrame) -> pl.DataFrame:
        """Lines with their deals and their groups."""
        told = lines.with_columns(self.past.facts.deals.gather(lines["life"]).alias("_deal"))
        if _WHO in self.keys:
            who = gathered(self.past.facts.commits["who"], self._places.gather(lines["seq"]))
            told = told.with_columns(who.alias(_WHO))
        return self.past.grouped(told, self.keys, by_at="event")

    def _by_field(self) -> Iterator[pl.DataFrame]:
        """Changes of each field: ``life``, ``at``, ``seq``, and marks of what they were, where it has any."""
        for name in self._names:
            facts = self.past.facts.of(name)
            rows = true_rows(facts.select(self.inside).to_series())
            if self.past.kept is not None:
                rows = rows.filter(are_among(facts["life"].gather(rows), self.past.kept))
            if name in ("stage", "expected_close"):
                changed = with_previous(facts, rows)
            else:
                changed = facts.select("life", "at", "seq")[rows]
            yield changed.select("life", "at", "seq", **self._marks(name, changed["life"]))

    def _marks(self, name: str, lives: pl.Series) -> dict[str, pl.Expr]:
        """What the changes of a field were, by the count that they are of."""
        if name == "stage":
            was, now = outcome_of(self.past, "from"), outcome_of(self.past, "value")
            return {
                "stage_moves": pl.col("value").is_not_null() & pl.col("from").is_not_null(),
                "closed": now.is_not_null() & now.ne_missing(was),
            }
        if name == "expected_close":
            return {"pushes": (pl.col("value") > pl.col("from")).fill_null(value=False)}
        if name == "amount":
            begins = self.past.facts.lives["begin"].gather(lives)
            return {"amount_changes": pl.col("at") > begins}
        return {}

    def _births(self) -> pl.DataFrame:
        """Deals that began, with the commit that each began with: ``life``, ``at`` and ``seq``."""
        lives = self.past.facts.lives.select("life", at="begin").filter(self.inside)
        began = self.past.chosen(lives)
        return began.with_columns(self._first_commits.gather(began["life"]).alias("seq"))

    @property
    def _names(self) -> list[str]:
        return [name for name in self.past.facts.schema if name not in _STAMPS]

    # commits -------------------------------------------------------------------------------------

    @cached_property
    def _first_commits(self) -> pl.Series:
        """Of each life, the first commit of the facts of the moment at which it began; null for none."""
        lives = self.past.facts.lives
        first = pl.repeat(None, lives.height, dtype=pl.UInt32, eager=True)
        for name in self._names:
            facts = self.past.facts.of(name).select("life", "at", "seq").filter(self.inside)
            own = facts.filter(facts["at"] == lives["begin"].gather(facts["life"]))
            if own.height:
                found = pl.repeat(None, lives.height, dtype=pl.UInt32, eager=True)
                found = found.scatter(own["life"], own["seq"])
                first = pl.select(pl.min_horizontal(first, found)).to_series()
        return first

    @cached_property
    def _places(self) -> pl.Series:
        """Row of each commit by its number, null for none."""
        commits = self.past.facts.commits["seq"]
        ends = [commits.max(), *(self.past.facts.of(name)["seq"].max() for name in self._names)]
        size = max((end for end in ends if isinstance(end, int)), default=-1) + 1
        return rows_of(commits, pl.int_range(size, dtype=pl.UInt32, eager=True))

    @cached_property
    def _in_bulk(self) -> pl.Series:
        """Of each commit by its number, whether it was a load, or one of many deals."""
        commits = self.past.facts.commits
        is_load = gathered(commits["kind"].is_in(_BULK), self._places)
        recorded = gathered(commits["at"], self._places)
        several = _Several(is_load.len())
        is_dated = pl.repeat(False, is_load.len(), eager=True)  # noqa: FBT003  # values
        for name in self._names:
            facts = self.past.facts.of(name).select("life", "at", "seq").filter(self.inside)
            # null where no commit has the number: it is still one that may be of several deals
            loaded = is_load.gather(facts["seq"])
            own = facts.filter(~loaded.fill_null(value=False))
            several.add(own)
            dated = own.filter(own["at"] != recorded.gather(own["seq"]))["seq"]
            is_dated = is_dated.scatter(dated, True) if dated.len() else is_dated  # noqa: FBT003
        # what a commit says of other moments may be outside the window
        for name in self._names if is_dated.any() else ():
            facts = self.past.facts.of(name).select("life", "seq")
            several.add(facts.filter(is_dated.gather(facts["seq"])))
        return is_load.fill_null(value=False) | several.found


class _Several:
    """
    Commits that changed more than one deal, whichever of them count, and whenever.

    Attributes
    ----------
    found
        Of each commit by its number, whether it did, as far as is known.
    """

    def __init__(self, size: int) -> None:
        self.found = pl.repeat(False, size, eager=True)  # noqa: FBT003  # values
        self._lives = pl.repeat(None, size, dtype=pl.UInt32, eager=True)

    def add(self, facts: pl.DataFrame) -> None:
        """Take more facts into account: ``life`` and ``seq``."""
        if facts.is_empty():
            return
        seqs, lives = facts["seq"], facts["life"]
        is_new = self._lives.gather(seqs).is_null()
        if is_new.any():
            # any of its lives will do: another one differs from it
            self._lives = self._lives.scatter(seqs.filter(is_new), lives.filter(is_new))
        others = seqs.filter(self._lives.gather(seqs) != lives)
        if others.len():
            self.found = self.found.scatter(others, True)  # noqa: FBT003  # values


def _with_all_marks(lines: pl.DataFrame) -> pl.DataFrame:
    """Changes with how many of each count they are."""
    n = pl.lit(1, pl.UInt32).alias("changes")
    marks = [pl.lit(value=False).alias(name) for name in (*_MARKS, "created")]
    missing = [each for each in (n, *marks) if each.meta.output_name() not in lines.columns]
    return lines.with_columns(missing).select("life", "at", "seq", "changes", *_MARKS, "created")


def _each(lines: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """A line for each deal of a group, with the number of its changes."""
    return (
        lines.group_by(*keys, life="_deal")
        .agg(value=pl.col("changes").sum(), at=pl.col("at").max())
        .sort(*keys, "life", nulls_last=True)
        .with_columns(pl.lit(None, pl.String).alias(name) for name in ("from", "to"))
    )
