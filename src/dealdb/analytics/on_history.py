"""``OnHistory``: the metrics that read what happened to deals, a method each."""

from __future__ import annotations

from typing import Protocol, TypedDict, Unpack

from dealdb.analytics.history.past import Compile, Moment, Past, Where
from dealdb.analytics.history.stages.funnel import funnel
from dealdb.analytics.history.stages.time_in_stage import time_in_stage
from dealdb.analytics.options import By, Day, choice
from dealdb.analytics.result import MetricResult
from dealdb.errors import QueryError
from dealdb.store.facts.facts import Facts


class FactSource(Protocol):
    """Gives what happened to the deals."""

    def __call__(self, *, time: str, assume: str) -> Facts:
        """
        The history of all deals.

        Parameters
        ----------
        time
            ``"event"``: as it happened. ``"recorded"``: as the log got to know it.
        assume
            What was so before a deal was first saved: ``"birth"``, ``"backfill"`` or ``"none"``.
        """
        ...


class PastOptions(TypedDict, total=False):
    """
    The options that all metrics on history share.

    Attributes
    ----------
    where
        SQL text or a boolean Polars expression, of the deal at ``as_of``; of a deleted one, as it was last.
    as_of
        Facts before the end of this date, or before this datetime, count; now by default.
    pipeline
        ``"now"``: stages mean what they mean now. ``"then"``: what they meant at ``as_of``.
    by_at
        ``"event"``: groups are those of the moment when something happened; ``"end"``: at ``as_of``; ``"now"``.
    time
        ``"event"``: things happened when they happened. ``"recorded"``: when the log got to know them.
    assume
        What was so of a deal before it was first saved: ``"birth"`` (its first values, from ``created`` on),
        ``"backfill"`` (also without ``created``) or ``"none"``.
    deals
        True for a line for each deal, with what it adds to the figures, instead of these.
    """

    where: Where
    as_of: Moment
    pipeline: str
    by_at: str
    time: str
    assume: str
    deals: bool


class OnHistory:
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

    def _past(self, by: By, options: PastOptions, *, by_at: str = "end") -> Past:
        if self._facts is None or self._compile is None:
            msg = "these deals have no history: metrics on history are those of a database"
            raise QueryError(msg)
        time = choice("time", options.get("time", "event"), ("event", "recorded"))
        assume = choice("assume", options.get("assume", "birth"), ("birth", "backfill", "none"))
        facts = self._facts(time=time, assume=assume)
        notes = [] if time == "event" else ["as it was recorded"]
        if facts.n_assumed:
            notes.append(f"values before their record assumed of {facts.n_assumed:,} deals")
        return Past(
            facts=facts,
            compile=self._compile,
            by=by,
            where=options.get("where"),
            as_of=options.get("as_of"),
            pipeline_of=options.get("pipeline", "now"),
            by_at=options.get("by_at", by_at),
            deals=options.get("deals", False),
            notes=notes,
        )

    def funnel(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        mode: str = "reached",
        cohort: str = "created",
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How many deals of a period came how far, and what became of those that stopped.

        Parameters
        ----------
        by
            Columns to group by.
        since, until
            Days of the cohort, ``until`` itself outside.
        mode
            ``"reached"`` (a skipped stage counts as passed), ``"any"`` (it ever stood there) or ``"ordered"`` (it
            entered all steps up to this one in their order).
        cohort
            ``"created"``: by the creation date. ``"entered:STAGE"``: by the first entry into a stage.
        past
            As ``PastOptions`` has them.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or ``as_of`` is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the history of the stage.

        Source
        ------
        docs/metrics.md#funnel

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.loader.load([{"id": n, "stage": "Lead"} for n in range(4)], bar=False)
        ...     _ = db.save_deal({"id": 1, "stage": "Won"})
        ...     db.analytics.funnel(cohort="entered:Lead").frame.select("stage", "n").rows()
        [('Lead', 4), ('won', 1)]
        """
        return funnel(self._past(by, past), since=since, until=until, mode=mode, cohort=cohort)

    def time_in_stage(
        self,
        by: By = None,
        *,
        since: Day = None,
        until: Day = None,
        unit: str = "deal",
        closed: bool = False,
        **past: Unpack[PastOptions],
    ) -> MetricResult:
        """
        How long deals stayed in each stage, of those that left it, and how long the others have been there.

        Parameters
        ----------
        by
            Columns to group by: the value at the end of a visit, by default.
        since, until
            Days on which visits ended, ``until`` itself outside.
        unit
            ``"deal"``: the visits of a deal are added, of deals that don't stand there at ``as_of``.
            ``"visit"``: each visit by itself.
        closed
            Whether won and lost stages have rows: the time until a deal was reopened.
        past
            As ``PastOptions`` has them.

        Raises
        ------
        QueryError
            If the filter or an option can't be understood, or ``as_of`` is before the first fact.
        StoreError
            If the server can't be reached.

        Cost
        ----
        One round trip when nothing is new, and a scan of the history of the stage.

        Source
        ------
        docs/metrics.md#time-in-stage

        Examples
        --------
        >>> from dealdb import DealDatabase
        >>> with DealDatabase.embedded(tmp_path) as db:
        ...     _ = db.save_deal({"id": 1, "stage": "Lead"})
        ...     _ = db.save_deal({"id": 1, "stage": "Won"})
        ...     db.analytics.time_in_stage()["n"]
        1
        """
        asked = self._past(by, past, by_at="event")
        return time_in_stage(asked, since=since, until=until, unit=unit, closed=closed)
