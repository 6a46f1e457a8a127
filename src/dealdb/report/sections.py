"""The sections of a report, each from the deals of one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from dealdb.answers.asked import counted, days_between, listing, money
from dealdb.charts import Chart
from dealdb.report.brief import opened
from dealdb.report.evidence import Evidence, Inquiry
from dealdb.report.outlook import Quarter
from dealdb.report.parts import ReportSection, section_of, table_of
from dealdb.report.ranked import MOST_DEALS, Ranked, beside, overdue_table, values_of
from dealdb.report.span import ReportSpan
from dealdb.view import EMPTY

# losses of a week are too few to tell reasons from chance
_LOSS_DAYS = 90
_FUNNEL_DAYS = 365


def pipeline(inquiry: Inquiry, summary: Evidence) -> ReportSection:
    """What is open, by stage."""
    found = inquiry.metric("pipeline")
    rows = [number for number, row in enumerate(found.rows) if row["kind"] == "open"]
    return section_of(
        "pipeline",
        "What is open, and in which stage?",
        found,
        answer=_open_answer(summary, found),
        tables=table_of(
            found,
            ("stage", "currency", "n", "value", "weighted", "blank", "mean_age_days", "overdue"),
            sheet="Pipeline",
            rows=rows,
            labels={"n": "open deals"},
        ),
        # the table has a column of it; that there are no deals yet is said at the top
        unsaid=("open deals without an amount", *(() if inquiry.as_of else (EMPTY,))),
    )


def _open_answer(summary: Evidence, stages: Evidence) -> str:
    told = []
    for row in summary.rows:
        currency = summary.money_in(row)
        if not row["open"]:
            continue
        weighted = f"; weighted by their chance, {money(row['weighted'], currency)}"
        told.append(f"{opened(row, currency)}{weighted if row['blank'] < row['open'] else ''}.")
        own = [
            each
            for each in stages.rows
            if each["kind"] == "open" and stages.money_in(each) == currency and each["value"]
        ]
        if own:
            most = max(own, key=lambda each: each["value"])
            told.append(
                f"Most of it is in {most['stage']}: {counted(most['n'], 'deal')}, {money(most['value'], currency)}."
            )
    return " ".join(told) or "No deal is open."


def changes(
    inquiry: Inquiry, waterfall: Evidence, span: ReportSpan, created: Evidence | None
) -> ReportSection:
    """What led from the open value of the first day to that of the last, and which deals did."""
    lines = inquiry.metric("waterfall", since=span.since, deals=True)
    moves = [
        (number, row)
        for number, row in enumerate(lines.rows)
        if row["bucket"] not in ("start", "end") and row["value"] is not None
    ]
    moves.sort(key=lambda each: (-abs(each[1]["value"]), each[0]))
    return section_of(
        "changes",
        f"What changed {days_between(span.since, None)}?",
        waterfall,
        lines,
        tables=[
            *table_of(
                waterfall,
                ("bucket", "currency", "n", "value", "blank"),
                sheet="Changes",
                most=40,
                rows=_happened(waterfall, "bucket", "start", "end"),
            ),
            *table_of(
                lines,
                ("bucket", "id", "currency", "value", "from", "to", "at"),
                title="The deals that changed most",
                sheet="Changed deals",
                most=MOST_DEALS,
                # what a deal was worth when it was won is not added to what is open
                labels={"value": "value"},
                rows=[number for number, _ in moves],
                beside=_of_moves(inquiry, [row["id"] for _, row in moves[:MOST_DEALS]]),
            ),
        ],
        notes=_of_creation(waterfall, created),
    )


def _of_creation(waterfall: Evidence, created: Evidence | None) -> list[str]:
    """Why there are more or fewer created deals here than new ones at the top, where there are."""
    if created is None or waterfall.frame is None or created.frame is None:
        return []
    came = sum(row["n"] for row in waterfall.rows if row["bucket"] == "created")
    if came == sum(row["deals"] for row in created.rows):
        return []
    return [
        "'created' goes by when a deal is first known here, which is the load of those without a day of creation; the "
        "new deals at the top go by their day of creation"
    ]


def _of_moves(inquiry: Inquiry, ids: Sequence[str]) -> dict[str, Mapping[Any, Any]]:
    """What stands beside the changes of deals; they may have had another owner then."""
    found = beside(inquiry, ids)
    told = {f"{name} now" if name == "owner" else name: known for name, known in found.items()}
    # what a deal went from and to is in its own money
    own = values_of(inquiry, ids, ("currency",)).get("currency") if inquiry.to else None
    return {**told, **({"own currency": own} if own else {})}


def _happened(evidence: Evidence, key: str, *ends: str) -> list[int]:
    """The rows of what happened at all, and those of both ends."""
    return [row for row, each in enumerate(evidence.rows) if each["n"] or each[key] in ends]


def _since(inquiry: Inquiry, n_days: int) -> date:
    """The first of some days, the last of which is that of the report."""
    return inquiry.day - timedelta(days=n_days - 1)


def funnel(inquiry: Inquiry) -> ReportSection:
    """How far the deals of a year came."""
    since = _since(inquiry, _FUNNEL_DAYS)
    found = inquiry.metric("funnel", since=since)
    return section_of(
        "funnel",
        "How far do deals come?",
        found,
        tables=table_of(
            found,
            ("stage", "currency", "n", "next", "cumulative", "open", "lost"),
            sheet="Funnel",
            # of a year without deals, the answer says all
            rows=None if any(row["n"] for row in found.rows) else [],
        ),
        # the answer says how many these are
        unsaid=("in no step",),
    )


def waiting(inquiry: Inquiry, rotting: Evidence, overdue: Ranked, n_overdue: int) -> ReportSection:
    """Which open deals are old, left alone or overdue."""
    ages = inquiry.metric("ageing")
    lines = inquiry.metric("rotting", deals=True) if _rotten(rotting) else None
    late = f"{counted(n_overdue, 'open deal is', 'open deals are')} overdue." if n_overdue else ""
    worst = []
    if lines is not None and lines.frame is not None:
        order = lines.frame.with_row_index("_row").sort(
            "value", descending=True, nulls_last=True, maintain_order=True
        )
        worst = order["_row"].to_list()
    ids = [] if lines is None or lines.frame is None else lines.frame["id"].gather(worst).to_list()
    return section_of(
        "waiting",
        "Which open deals wait too long?",
        ages,
        rotting,
        *([lines] if lines else []),
        *([overdue.evidence] if n_overdue or overdue.evidence.why else []),
        answer=" ".join(filter(None, (ages.answer or ages.why, _rotting_answer(rotting), late))),
        charts=[each.chart for each in (ages,) if each.chart],
        tables=[
            *table_of(
                ages,
                ("bucket", "currency", "n", "value", "weighted"),
                sheet="Ages",
                rows=[row for row, each in enumerate(ages.rows) if each["n"] or each["to"]],
            ),
            *table_of(
                rotting,
                ("stage", "currency", "rot_days", "n", "rotting", "share", "value", "worst_days"),
                title="Left alone for too long, by stage",
                sheet="Left alone",
            ),
            *(
                table_of(
                    lines,
                    ("stage", "id", "currency", "value", "at"),
                    title="The largest of them",
                    sheet="Deals left alone",
                    most=MOST_DEALS,
                    labels={"value": "worth", "at": "unchanged since"},
                    rows=worst,
                    beside=beside(inquiry, ids[:MOST_DEALS]),
                )
                if lines
                else []
            ),
            *overdue_table(inquiry, overdue),
        ],
    )


def _rotten(rotting: Evidence) -> int:
    return int(sum(row["rotting"] for row in rotting.rows))


def _rotting_answer(rotting: Evidence) -> str:
    # what to do about it is for those who set the stages up, not for readers
    if rotting.frame is not None and rotting.frame.is_empty():
        return (
            "No stage says after how many days without a change a deal is left alone for too long."
        )
    return rotting.answer.replace(" --deals lists them.", "") or rotting.why


def people(
    inquiry: Inquiry, quarter: Quarter, by: Sequence[str], attainment: Evidence
) -> ReportSection:
    """Who won what, against the quota."""
    board = inquiry.metric(
        "leaderboard", by=list(by), since=quarter.since, until=quarter.until, at="closing"
    )
    has_quota = any(row["quota"] is not None for row in attainment.rows)
    without = (
        "No quotas are kept that it could be compared with: dealdb quotas load FILE adds some."
    )
    return section_of(
        "people",
        f"Who won what in {quarter.label}?",
        *([attainment] if has_quota else []),
        board,
        answer=" ".join(
            filter(None, (_first(board, by), attainment.answer if has_quota else without))
        ),
        tables=[
            *(
                table_of(
                    attainment,
                    ("key", "currency", "quota", "won", "remaining", "attainment", "pace"),
                    title="Against the quota",
                    sheet="Quotas",
                )
                if has_quota
                else []
            ),
            *table_of(
                board,
                (*by, "currency", *(_WINS if _tops(board) else ()), *_BESIDE_WINS),
                title="By won value"
                if _tops(board)
                else f"By {listing([name.replace('_', ' ') for name in by])}",
                sheet="Leaderboard",
            ),
        ],
        # there is no column of it
        unsaid=("weighted open value",),
    )


# a rank among those who have won nothing says nothing
_WINS = ("rank", "won_value", "won")
_BESIDE_WINS = ("lost", "win_rate", "mean_size", "open")


def _tops(board: Evidence) -> list[dict[str, Any]]:
    """Who has won most, in each currency in which something was won."""
    return [row for row in board.rows if row["rank"] == 1 and row["won_value"]]


def _first(board: Evidence, by: Sequence[str]) -> str:
    if board.why:
        return board.why
    tops = _tops(board)
    if not tops:
        won = sum(row["won"] for row in board.rows)
        if not won:
            return "Nobody has won anything yet."
        return f"{counted(won, 'deal was', 'deals were')} won, worth nothing that is known."
    told = [
        f"{', '.join(str(row[name]) for name in by)} with {money(row['won_value'], board.money_in(row))} in "
        f"{counted(row['won'], 'deal')}"
        for row in tops
    ]
    return f"Most was won by {listing(told)}."


def losses(inquiry: Inquiry) -> ReportSection:
    """Why deals were lost."""
    found = inquiry.metric("losses", since=_since(inquiry, _LOSS_DAYS))
    order = sorted(range(len(found.rows)), key=lambda row: -found.rows[row]["n"])
    return section_of(
        "losses",
        f"Why were deals lost in the last {_LOSS_DAYS} days?",
        found,
        charts=[_largest_first(found.chart)] if found.chart else [],
        tables=table_of(
            found,
            ("loss_reason", "currency", "n", "share_n", "value", "median_days"),
            sheet="Losses",
            rows=order,
        ),
    )


def _largest_first(chart: Chart) -> Chart:
    """A chart of bars in the order of the table below it, that of their numbers."""
    return replace(chart, marks=chart.marks.sort("value", descending=True, maintain_order=True))


def groups(inquiry: Inquiry, by: Sequence[str], span: ReportSpan) -> ReportSection:
    """The main figures of each group."""
    found = inquiry.metric("summary", by=list(by), since=span.since, until=span.until)
    names = listing([name.replace("_", " ") for name in by])
    order = sorted(
        range(len(found.rows)), key=lambda row: -(found.rows[row]["pipeline_value"] or 0)
    )
    return section_of(
        "groups",
        f"How does it look by {names}?",
        found,
        answer=_top_group(found, names, by),
        tables=table_of(
            found,
            (
                *by,
                "currency",
                "open",
                "pipeline_value",
                "weighted",
                "overdue",
                "won",
                "won_value",
                "lost",
            ),
            sheet="Groups",
            rows=order,
        ),
    )


def _top_group(found: Evidence, names: str, by: Sequence[str]) -> str:
    rows = [row for row in found.rows if row["pipeline_value"]]
    if not rows:
        return found.why or "No group has open deals that are worth anything."
    tops: dict[str | None, dict[str, Any]] = {}
    for row in sorted(rows, key=lambda each: -each["pipeline_value"]):
        tops.setdefault(found.money_in(row), row)
    told = [
        f"{', '.join(str(row[name]) for name in by)} ({money(row['pipeline_value'], currency)} in "
        f"{counted(row['open'], 'deal')})"
        for currency, row in tops.items()
    ]
    return (
        f"The most open value is with {listing(told)}. Won and lost deals are those of the period; each counts for "
        f"the {names} that it has now."
    )
