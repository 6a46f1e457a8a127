"""What the methods of metrics on history share: where the history comes from, and their options."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Protocol, TypedDict

import polars as pl

from dealdb.analytics.conversion import Conversion
from dealdb.analytics.history.past import Compile, Moment, Past, Where
from dealdb.analytics.options import By, Day, as_of_day, choice, day_of
from dealdb.errors import QueryError
from dealdb.model.names import unknown
from dealdb.store.facts.facts import Facts
from dealdb.store.replica.snapshot import Snapshot


class FactSource(Protocol):
    """Gives what happened to the deals."""

    def __call__(self, *, time: str, assume: str, known: datetime | date | None = None) -> Facts:
        """
        The history of all deals.

        Parameters
        ----------
        time
            ``"event"``: as it happened. ``"recorded"``: as the log got to know it.
        assume
            What was so before a deal was first saved: ``"birth"``, ``"backfill"`` or ``"none"``.
        known
            The last day whose commits count, or the moment until which they do; None for all.
        """
        ...


class PastView(TypedDict, total=False):
    """
    How a metric looks at the past.

    Attributes
    ----------
    pipeline
        ``"now"``: stages mean what they mean now. ``"then"``: what they meant at ``as_of``.
    by_at
        ``"event"``: groups are those of the moment when something happened; ``"end"``: at ``as_of``; ``"now"``.
    time
        ``"event"``: things happened when they happened. ``"recorded"``: when the log got to know them.
    assume
        What was so of a deal before it was first saved: ``"birth"`` (its first values, from ``created`` on),
        ``"backfill"`` (also without ``created``) or ``"none"``.
    """

    pipeline: str
    by_at: str
    time: str
    assume: str


class PastOptions(PastView, total=False):
    """
    The options that all metrics on history share, besides those of ``PastView``.

    Attributes
    ----------
    where
        SQL text or a boolean Polars expression, of the deal at ``as_of``; of a deleted one, as it was last.
    as_of
        Facts before the end of this date, or before this datetime, count; by default today, and for deals of the past
        (``db.as_of``) their moment.
    deals
        True for a line for each deal, with what it adds to the figures, instead of these.
    to
        Currency that money is converted to, such as ``"EUR"``, by the rates of ``db.rates``; then there are the columns
        ``currency``, ``unpriced`` (deals without a rate) and ``rates_until`` (the newest rate). Lines have amounts that
        are not rounded. Without it, several currencies have rows of their own.
    rate_day
        Whose rate counts: ``"event"`` the closing day of won and lost deals, and ``as_of`` of open ones; ``"as_of"``
        for all; or a date.
    rates_known
        Use the rates that were known at the end of that day; None for those known now.
    """

    where: Where
    as_of: Moment
    deals: bool
    to: str | None
    rate_day: Day
    rates_known: Day


class HistoryMethods:
    """
    Metrics of what happened to deals.

    All take ``by`` and the options of ``PastOptions``. With ``deals=True`` the result has a line for each deal: what it
    adds to the figures (``value``), and the facts that this rests on (``from``, ``to``, ``at``). The lines add up to
    the figures exactly.

    Each costs one round trip when nothing is new, and reads the history when a metric first asks for it. All raise
    ``QueryError`` for an option that can't be understood and for a moment before the first fact, and ``StoreError``
    when the server can't be reached.
    """

    _facts: FactSource | None
    _compile: Compile | None
    _quotas: Callable[[], pl.DataFrame] | None
    _rates: Callable[[date | None], pl.DataFrame] | None
    # of deals of the past: the moment up to which anything is known
    _select: Callable[[Where], Snapshot]
    _moment: datetime | date | None = None

    def _past(
        self, by: By, options: PastOptions, *, by_at: str | None = None, money: bool = True
    ) -> Past:
        """The past that was asked for; without ``money`` there is none to convert."""
        if self._compile is None:
            raise _without_history()
        # nothing else looks at the names: one that is misspelt would do nothing
        for name in set(options) - set(PastOptions.__annotations__):
            raise QueryError(unknown("option", name, PastOptions.__annotations__))
        if not money and options.get("to") is not None:
            msg = "to converts money, and this metric has none: leave it out"
            raise QueryError(msg)
        facts = self._history(options)
        notes = ["as it was recorded"] if options.get("time") == "recorded" else []
        if facts.n_assumed:
            deals = "deal" if facts.n_assumed == 1 else "deals"
            notes.append(f"values before their record assumed of {facts.n_assumed:,} {deals}")
            notes.append(_assumed(facts.n_assumed))
        is_event = options.get("time", "event") == "event"
        if is_event and options.get("assume", "birth") == "birth" and (n := _undated(facts)):
            notes.append(_no_creation(n))
        return Past(
            facts=facts,
            compile=self._compile,
            by=by,
            where=options.get("where"),
            as_of=self._moment if options.get("as_of") is None else options.get("as_of"),
            now=self._moment,
            present=lambda kept: self._select(kept).height,
            pipeline_of=options.get("pipeline", "now"),
            by_at=options.get("by_at", by_at),
            deals=options.get("deals", False),
            convert=self._converting(
                facts.pipeline.zone,
                options.get("to"),
                options.get("rate_day", "event"),
                options.get("rates_known"),
            ),
            notes=notes,
        )

    def _converting(
        self, zone: str, to: str | None, rate_day: Day, known: Day, as_of: Day = None
    ) -> Conversion | None:
        """What money is to be converted to, or None."""
        if to is None:
            if rate_day != "event" or known is not None:
                msg = "rate_day and rates_known are of a conversion: say to= which currency, such as to='EUR'"
                raise QueryError(msg)
            return None
        if self._rates is None:
            msg = "these deals come without rates: to= needs those of a collection, which db.rates.load keeps"
            raise QueryError(msg)
        rates = self._rates(day_of("rates_known", known))
        return Conversion(to=to, rates=rates, rate_day=rate_day, as_of=as_of_day(as_of, zone))

    def _history(self, options: PastOptions, *, known: date | None = None) -> Facts:
        """The history that was asked for, or what of it was known at the end of a day."""
        if self._facts is None:
            raise _without_history()
        time = choice("time", options.get("time", "event"), ("event", "recorded"))
        assume = choice("assume", options.get("assume", "birth"), ("birth", "backfill", "none"))
        return self._facts(time=time, assume=assume, known=known).with_present_names()


def _undated(facts: Facts) -> int:
    """Deals that came together, as those of a load do, and don't say when they were created."""
    commits = facts.commits.group_by(begin="at").agg(commits=pl.len())
    # saves of one millisecond are no load
    lives = facts.lives.join(commits, on="begin").filter(pl.len().over("begin") > pl.col("commits"))
    if lives.is_empty():
        return 0
    created = facts.of("created").filter(pl.col("value").is_not_null())["life"].unique()
    return lives.filter(~pl.col("life").is_in(created.implode())).height


def _assumed(n: int) -> str:
    which = (
        "1 deal has values from before it"
        if n == 1
        else f"{n:,} deals have values from before they"
    )
    return (
        f"{which} came here: these are taken as so since the deal's 'created' (the stage of a closed one since "
        "'closed'), so ages, stays and moves before the load are assumed, not known; dealdb history load adds what was "
        "so, and assume='none' (--assume none) leaves out what is assumed."
    )


def _no_creation(n: int) -> str:
    which = "1 deal was loaded" if n == 1 else f"{n:,} deals were loaded"
    return (
        f"{which} without 'created': deals count from the load on, as if created then; load their day of creation, or "
        "take them as older with assume='backfill' (--assume backfill)."
    )


def _without_history() -> QueryError:
    return QueryError("these deals have no history: metrics on history are those of a database")
