"""``ReportContents``: everything that a report says, as data; from the deals of one commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from dealdb.answers.asked import counted, days_between
from dealdb.charts import Unit
from dealdb.model.pipeline import Kind
from dealdb.report import sections
from dealdb.report.brief import (
    closed_sentence,
    joined,
    largest_win,
    look_at,
    outlook_sentence,
    pipeline_sentence,
    without_rate,
)
from dealdb.report.evidence import Evidence, Inquiry
from dealdb.report.outlook import Quarter, outlook_of
from dealdb.report.parts import Headline, ReportSection, cells_of, compared
from dealdb.report.quality import kept_by_kind, quality_notes
from dealdb.report.ranked import ranked
from dealdb.report.span import ReportSpan


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContents:
    """
    What a report says.

    Attributes
    ----------
    collection
        Whose deals.
    where
        Which of them; None for all.
    commit, moment
        The commit that all figures are of, and when it was looked at.
    zone
        The time zone of all its moments and days.
    day
        The day that the report is of.
    span
        The days that it looks at.
    brief
        The first sentences.
    compared_with
        What the figures at the top are compared with.
    headlines
        The figures at the top.
    sections
        The rest.
    remarks
        What to know of all of it.
    evidence
        All that figures are read from.
    """

    collection: str
    where: str | None
    commit: int
    moment: datetime | date
    zone: str
    day: date
    span: ReportSpan
    brief: Sequence[str]
    compared_with: str
    headlines: Sequence[Headline]
    sections: Sequence[ReportSection]
    remarks: Sequence[str]
    evidence: Sequence[Evidence]


def contents_of(
    inquiry: Inquiry, span: ReportSpan, *, by: Sequence[str] = (), collection: str = "deal"
) -> ReportContents:
    """
    What a report says of the deals of one commit.

    Parameters
    ----------
    inquiry
        What asks for the figures.
    span
        The days to look at.
    by
        Columns to group by, in a section of their own.
    collection
        What the deals are called.

    Raises
    ------
    StoreError
        If the server can't be reached. What can't be computed is said in its section, and fails nothing.
    """
    summary = inquiry.metric("summary")
    waterfall = inquiry.metric("waterfall", since=span.since)
    now, before = (
        inquiry.metric("win_rate", measure="value", since=each.since, until=each.until)
        for each in (span, span.before)
    )
    created = [
        inquiry.metric("summary", where=_created(each))
        if "created" in inquiry.view.schema
        else None
        for each in (span, span.before)
    ]
    rotting = inquiry.metric("rotting")
    overdue = ranked(
        inquiry,
        inquiry.metric("ageing", where=f"expected_close < DATE '{inquiry.day}'", deals=True),
    )
    n_overdue = sum(row["overdue"] for row in summary.rows)
    own_by = by or (["owner"] if "owner" in inquiry.view.schema else [])
    won = ranked(
        inquiry,
        inquiry.metric(
            "leaderboard",
            where=kept_by_kind(inquiry, Kind.WON),
            by=["owner" if "owner" in inquiry.view.schema else "stage"],
            since=span.since,
            until=span.until,
            at="closing",
            deals=True,
        ),
    )
    quarter = Quarter(*inquiry.view.analytics.period("this-quarter", today=inquiry.day))
    outlook, forecast, simulated = outlook_of(inquiry, quarter)
    attainment = inquiry.metric("attainment", period=quarter.label)
    notes = quality_notes(inquiry, summary)
    found = [
        sections.pipeline(inquiry, summary),
        sections.changes(inquiry, waterfall, span, created[0]),
        outlook,
        sections.waiting(inquiry, rotting, overdue, n_overdue),
        *([sections.people(inquiry, quarter, own_by, attainment)] if own_by else []),
        *([sections.groups(inquiry, by, span)] if by else []),
        sections.funnel(inquiry),
        sections.losses(inquiry),
    ]
    remarks = list(dict.fromkeys(each for one in inquiry.asked for each in one.remarks))
    found.append(
        ReportSection(
            key="quality",
            title="What would mislead?",
            answer=f"{counted(len(notes), 'thing')} in the data would make figures mislead."
            if notes
            else "No deal has a fault that rules can find.",
            quality=notes,
            notes=remarks,
        )
    )
    empty = not sum(row["deals"] for row in summary.rows)
    return ReportContents(
        collection=collection,
        where=inquiry.where,
        commit=inquiry.view.snapshot.seq,
        moment=inquiry.view.when,
        zone=inquiry.view.pipeline.zone,
        day=inquiry.day,
        span=span,
        brief=["There are no deals to report on."]
        if empty
        else joined(
            [
                pipeline_sentence(waterfall, summary, span),
                without_rate(summary),
                closed_sentence(now, before, span),
                largest_win(won),
                outlook_sentence(
                    quarter.label,
                    forecast,
                    simulated,
                    attainment,
                    is_over=inquiry.day >= quarter.last,
                ),
                look_at(overdue, n_overdue, rotting, len(notes)),
                _stale(inquiry, summary),
            ]
        ),
        compared_with=f"{'A week before' if is_week(span) else 'The period before'}: "
        f"{days_between(span.before.since, span.before.until)}.",
        headlines=_headlines(summary, waterfall, now, before, created, span),
        sections=found,
        remarks=remarks,
        evidence=list(inquiry.asked),
    )


def _created(span: ReportSpan) -> str:
    return f"created >= DATE '{span.since}' AND created < DATE '{span.until}'"


def _stale(inquiry: Inquiry, summary: Evidence) -> str | None:
    """That all of it is long ago, where it is: a report of another day says more."""
    days = [row[key] for row in summary.rows for key in ("last_created", "last_closed") if row[key]]
    if not days or inquiry.as_of is not None or (inquiry.day - max(days)).days < _OLD_DAYS:
        return None
    return (
        f"No deal was created or closed after {max(days)}: --as-of {max(days)} reports on that day."
    )


_OLD_DAYS = 60


def is_week(span: ReportSpan) -> bool:
    """Whether days are compared with the same ones a week before."""
    return (span.since - span.before.since).days == _WEEK


_WEEK = 7


def _headlines(
    summary: Evidence,
    waterfall: Evidence,
    now: Evidence,
    before: Evidence,
    created: Sequence[Evidence | None],
    span: ReportSpan,
) -> list[Headline]:
    then = "a week before" if is_week(span) else "in the period before"
    at_start = f"at the start of {days_between(span.since, None).removeprefix('since ')}"
    opened = cells_of(waterfall, "value", bucket="end") or cells_of(summary, "pipeline_value")
    has_amounts = any(row["blank"] < row["open"] for row in summary.rows)
    # where no open deal has an amount, their number is all that one knows
    is_unknown = not has_amounts and any(row["open"] for row in summary.rows)
    found = (
        [Headline(label="Open deals", unit=Unit.DEALS, values=compared(cells_of(summary, "open")))]
        if is_unknown
        else [
            Headline(
                label="Open pipeline",
                unit=Unit.MONEY,
                values=compared(opened, cells_of(waterfall, "value", bucket="start")),
                than=at_start if waterfall.frame is not None else "",
            ),
            Headline(
                label="Weighted by chance",
                unit=Unit.MONEY,
                values=compared(cells_of(summary, "weighted")),
            ),
        ]
    )
    for label, unit, key in (
        ("Won", Unit.MONEY, "won_value"),
        ("Deals won", Unit.DEALS, "won"),
        ("Deals lost", Unit.DEALS, "lost"),
        ("Win rate", Unit.SHARE, "win_rate"),
    ):
        values = compared(cells_of(now, key), cells_of(before, key))
        found.append(Headline(label=label, unit=unit, values=values, than=then))
    new, old = created
    if new is not None and old is not None:
        values = compared(cells_of(new, "deals"), cells_of(old, "deals"))
        found.append(Headline(label="New deals", unit=Unit.DEALS, values=values, than=then))
    found.append(
        Headline(label="Overdue", unit=Unit.DEALS, values=compared(cells_of(summary, "overdue")))
    )
    return [each for each in found if each.values]
