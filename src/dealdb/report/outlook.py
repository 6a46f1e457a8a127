"""What the quarter will close at: by what was entered, and as a range."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from dealdb.model.pipeline import Kind
from dealdb.report.evidence import Evidence, Inquiry
from dealdb.report.parts import ReportSection, section_of, table_of
from dealdb.report.quality import kept_by_kind

# how simulations say that they have learned from too few deals
_GUESS = "mostly a guess"


@dataclass(frozen=True, slots=True)
class Quarter:
    """A quarter as the pipeline has it."""

    label: str
    since: date
    until: date

    @property
    def last(self) -> date:
        """Its last day."""
        return self.until - timedelta(days=1)


def _is_idle(simulated: Evidence) -> bool:
    """Whether no open deal can add to what is won."""
    return simulated.frame is not None and not any(row["n"] for row in simulated.rows)


def outlook_of(inquiry: Inquiry, quarter: Quarter) -> tuple[ReportSection, Evidence, Evidence]:
    """What the quarter will close at: by the deals' own dates and chances, and as a range."""
    expected = inquiry.metric("forecast", since=quarter.since, until=quarter.until)
    simulated = inquiry.metric("simulate", until=quarter.until, since=quarter.since)
    how = "The range goes by what earlier deals did, the forecast by dates and chances as they were entered."
    if any(_GUESS in warning for warning in simulated.warnings):
        # too few deals have gone through the stages: what was entered is all there is
        kept = (
            f"{kept_by_kind(inquiry, Kind.WON)} OR "
            f"(expected_close >= DATE '{quarter.since}' AND expected_close < DATE '{quarter.until}')"
        )
        simulated = inquiry.metric(
            "simulate", until=quarter.until, since=quarter.since, chances="own", where=kept
        )
        how = (
            "Too few deals have been seen on their way through the stages to learn chances from them, so the range "
            "goes by the chances that deals and stages have, of open deals that are due in it."
        )
    is_over = inquiry.day >= quarter.last
    # of what is over, there is nothing to guess
    guesses = [] if is_over or _is_idle(simulated) else [simulated]
    outlooks = [text for each in guesses for text in (each.answer or each.why, how)]
    section = section_of(
        "forecast",
        f"What did {quarter.label} close at?"
        if is_over
        else f"What will {quarter.label} close at?",
        expected,
        *guesses,
        answer="\n".join(filter(None, (expected.answer or expected.why, *outlooks))),
        tables=[
            *(
                table
                for each in guesses
                for table in table_of(
                    each,
                    ("currency", "n", "won", "p10", "p50", "p90", "mean"),
                    title="Range of outcomes",
                    labels={"p10": "low, P10", "p50": "middle, P50", "p90": "high, P90"},
                )
            ),
            *table_of(
                expected,
                (
                    "label",
                    "currency",
                    "won",
                    "n",
                    "weighted",
                    "commit",
                    "best",
                    "pipeline",
                    "omitted",
                    "blank",
                ),
                title="By the month in which deals are expected to close",
                sheet="Forecast",
                rows=[row for row, each in enumerate(expected.rows) if each["n"] or each["period"]],
                labels={"weighted": "expected of open deals"},
            ),
        ],
    )
    return section, expected, simulated
