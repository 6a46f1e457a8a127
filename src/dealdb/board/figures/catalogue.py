"""All metrics as a sales manager asks for them: the question of each, and how it is asked where nothing is said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureEntry:
    """
    A metric on the pages.

    Attributes
    ----------
    metric
        Name of its method.
    title
        For people.
    given
        Options of an address that are so unless it says otherwise; the window is as on the command line.
    choices
        Options with a few named values, the usual one first.
    more
        Further options of its form.
    is_slow
        Whether it takes seconds where there are many deals, and is computed only when one asks for it.
    """

    metric: str
    title: str
    given: Mapping[str, str] = field(default_factory=dict)
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)
    more: Sequence[str] = ()
    is_slow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FigureSection:
    """
    Metrics that answer one question.

    Attributes
    ----------
    name
        In the address of a part of the page.
    question
        As one asks it.
    entries
        The metrics.
    """

    name: str
    question: str
    entries: Sequence[FigureEntry]


_PERIODS = ("month", "day", "week", "quarter", "year")
_BASES = ("stage", "created", "update")

SECTIONS: tuple[FigureSection, ...] = (
    FigureSection(
        name="pipeline",
        question="How much is in the pipeline?",
        entries=(
            FigureEntry(metric="pipeline", title="Open deals by stage"),
            FigureEntry(metric="summary", title="All at a glance"),
        ),
    ),
    FigureSection(
        name="outlook",
        question="What will come?",
        entries=(
            FigureEntry(
                metric="forecast", title="What this quarter closes at", choices={"period": _PERIODS}
            ),
            FigureEntry(
                metric="coverage", title="Is it enough for the target?", more=("target", "win_rate")
            ),
            FigureEntry(
                metric="simulate",
                title="How sure that is",
                choices={"chances": ("learned", "own")},
                more=("rho", "seed", "n"),
            ),
            FigureEntry(
                metric="seasonality",
                title="Strong and weak times of the year",
                choices={
                    "measure": ("won_value", "won_n", "created_n"),
                    "period": ("month", "quarter"),
                },
            ),
        ),
    ),
    FigureSection(
        name="movement",
        question="What changed?",
        entries=(
            FigureEntry(
                metric="waterfall",
                title="The open pipeline, then and now",
                choices={"net": ("yes", "no")},
            ),
            FigureEntry(
                metric="slippage", title="Deals that slipped out of the quarter", more=("settle",)
            ),
            FigureEntry(
                metric="trend",
                title="Created, won and lost over time",
                given={"events": "yes"},
                choices={"period": _PERIODS, "events": ("yes", "no")},
            ),
        ),
    ),
    FigureSection(
        name="stages",
        question="Where do deals get stuck?",
        entries=(
            FigureEntry(
                metric="funnel",
                title="How far deals come",
                choices={"mode": ("reached", "any", "ordered")},
                more=("cohort",),
            ),
            FigureEntry(
                metric="time_in_stage",
                title="Time in each stage",
                choices={"unit": ("deal", "visit"), "closed": ("no", "yes")},
            ),
            FigureEntry(
                metric="ageing",
                title="How old open deals are",
                choices={"basis": _BASES, "calendar": ("days", "weekdays")},
            ),
            FigureEntry(
                metric="survival",
                title="How long deals stay in a stage",
                choices={"event": ("left", "forward", "closed", "won")},
                more=("stage",),
            ),
            FigureEntry(
                metric="rotting",
                title="Deals that nobody looks after",
                choices={"basis": ("update", "stage", "created")},
                more=("rot_days", "respite"),
            ),
        ),
    ),
    FigureSection(
        name="outcomes",
        question="What did we win and lose, and why?",
        entries=(
            FigureEntry(
                metric="win_rate",
                title="Win rate by owner",
                given={"by": "owner"},
                choices={"measure": ("count", "value")},
            ),
            FigureEntry(
                metric="losses",
                title="Why deals were lost",
                given={"by": "loss_reason"},
                choices={"fold": ("no", "yes")},
            ),
            FigureEntry(
                metric="win_loss",
                title="Is the difference real?",
                given={"by": "owner"},
                choices={"few": ("no", "yes")},
            ),
            FigureEntry(
                metric="cohorts",
                title="Do newer deals do better?",
                choices={
                    "by_period": ("month", "quarter", "year"),
                    "measure": ("won_n", "won_value", "win_rate"),
                },
                more=("periods",),
            ),
            FigureEntry(metric="deal_size", title="Size of won deals"),
            FigureEntry(
                metric="concentration",
                title="How much hangs on few customers",
                given={"by": "company"},
                choices={"of": ("won", "open")},
                more=("k",),
            ),
        ),
    ),
    FigureSection(
        name="people",
        question="Who?",
        entries=(
            FigureEntry(
                metric="leaderboard",
                title="Who won most",
                given={"by": "owner", "at": "closing"},
                choices={"at": ("closing", "now")},
            ),
            FigureEntry(metric="attainment", title="Won against quota", more=("period",)),
            FigureEntry(
                metric="ramp",
                title="How quickly new owners sell",
                given={"by": "owner"},
                choices={"start": ("first_deal", "first_win")},
                more=("months",),
            ),
            FigureEntry(metric="activity", title="Who keeps deals up to date", given={"by": "who"}),
        ),
    ),
    FigureSection(
        name="speed",
        question="How quick are we?",
        entries=(
            FigureEntry(
                metric="sales_cycle",
                title="Days from creation to closing",
                given={"by": "owner"},
                choices={"outcome": ("won", "lost")},
            ),
            FigureEntry(
                metric="velocity", title="Money per day", choices={"basis": ("closed", "open")}
            ),
            FigureEntry(
                metric="time_to_close",
                title="Days that open deals still take",
                choices={"event": ("won", "closed")},
                more=("deal",),
            ),
        ),
    ),
    FigureSection(
        name="trust",
        question="Can these figures be believed?",
        entries=(
            FigureEntry(
                metric="stage_chances",
                title="Chance to win, by stage",
                choices={"method": ("competing", "closed", "markov")},
            ),
            FigureEntry(
                metric="forecast_error",
                title="What earlier forecasts were worth",
                choices={"period": ("quarter", "month", "year")},
                more=("days_before",),
            ),
            FigureEntry(
                metric="calibration",
                title="Did the chances come true?",
                choices={"every": ("week", "day", "month", "quarter", "year")},
                more=("horizon_days",),
                is_slow=True,
            ),
            FigureEntry(metric="late_entry", title="How late wins are recorded", more=("days",)),
            FigureEntry(metric="hindsight", title="Did the last figures hold?", more=("known",)),
        ),
    ),
)

ENTRIES: dict[str, FigureEntry] = {
    entry.metric: entry for section in SECTIONS for entry in section.entries
}
