"""Results of metrics as people read them: words in place of codes, percentages, and a grid of cohorts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from dealdb.answers.asked import day, percent, whole
from dealdb.answers.labels import is_lines, labels_of
from dealdb.formats.cells import AS_IS, Form

if TYPE_CHECKING:
    from dealdb.analytics import Basis, MetricResult

# by whole names: a column to group by may be called tax_rate, and hold 19
_SHARES = frozenset(
    (
        *("rate", "win_rate", "value_win_rate", "base_rate"),
        *(
            "share",
            "share_n",
            "share_value",
            "top_share",
            "open_share",
            "resolved_share",
            "base_share",
        ),
        *("next", "cumulative", "attainment", "pace"),
    )
)
# of these metrics, columns whose names tell nothing are shares, too
_MORE_SHARES = {
    "win_loss": ("lo", "hi"),
    "stage_chances": ("chance", "lo", "hi", "undecided"),
    "survival": ("s", "lo", "hi", "incidence"),
    "time_to_close": ("chance",),
    "calibration": ("bias", "bias_lo", "bias_hi"),
}
_DAYS = {"time_to_close": ("p10", "p50", "p90")}
# what only programs need where there is a name beside it
_HIDDEN = {
    "forecast": ("period",),
    "cohorts": ("cohort",),
    "forecast_error": ("period",),
    "ageing": ("from", "to"),
}
_FINE = ("hhi", "brier", "reliability", "resolution", "uncertainty", "log_loss", "skill")
_GRID = {"won_n": "won", "won_value": "value", "win_rate": "rate"}
# more columns side by side are not easier to read
_MOST_GROUPS = 8

# what notes of a basis are in words; those of the default say nothing new
_NOTES: tuple[tuple[str, str], ...] = (
    (r"stages as they mean now", ""),
    (r"stages as they mean then", "stages as they were meant then"),
    (r"cohort created, mode reached", "a stage that was skipped counts as passed"),
    (r"cohort created, mode any", "only stages in which a deal really was"),
    (r"cohort created, mode ordered", "only deals that took all stages in their order"),
    (
        r"cohort entered:(.*), mode reached",
        r"from their first entry into \1; a skipped stage counts",
    ),
    (r"cohort entered:(.*), mode any", r"from their first entry into \1; only stages they were in"),
    (r"cohort entered:(.*), mode ordered", r"from their first entry into \1; all stages in order"),
    (r"unit deal", "the visits of a deal to a stage are added up"),
    (r"unit visit", "each visit to a stage by itself"),
    (r"basis stage, calendar days(.*)", r"days in the present stage\1"),
    (r"basis created, calendar days(.*)", r"days since creation\1"),
    (r"basis activity, calendar days(.*)", r"days since the last activity\1"),
    (r"basis activity, calendar weekdays(.*)", r"weekdays since the last activity\1"),
    (r"basis activity(, respite .*)?", r"days since the last activity\1"),
    (r"basis (?:update), calendar days(.*)", r"days since the last change\1"),
    (r"basis stage, calendar weekdays(.*)", r"weekdays in the present stage\1"),
    (r"basis created, calendar weekdays(.*)", r"weekdays since creation\1"),
    (r"basis (?:update), calendar weekdays(.*)", r"weekdays since the last change\1"),
    (r"basis update(, respite .*)?", r"days since the last change\1"),
    (r"basis stage(, respite .*)?", r"days in the present stage\1"),
    (r"basis created(, respite .*)?", r"days since creation\1"),
    (r"net: both ends(.*)", r"the first and the last day compared\1"),
    (r"gross: every change(.*)", r"each change by itself\1"),
    (r"by (\w+), measure won_n", r"by \1, number of wins"),
    (r"by (\w+), measure won_value", r"by \1, won value"),
    (r"by (\w+), measure win_rate", r"by \1, share of wins"),
    (r"start first_deal", "month 0 begins with the first deal"),
    (r"start first_win", "month 0 begins with the first win"),
    (r"method closed", "won of all that are closed"),
    (r"method competing", "open deals counted for as long as they were seen"),
    (r"method markov", "from moves between stages"),
    (r"chances learned", "chances learned from the history"),
    (r"chances own", "chances of the deals, else of their stages"),
    (r"event left", "until a deal left the stage"),
    (r"event forward", "until a deal moved on"),
    (r"event closed", "until a deal was won or lost"),
    (r"event won", "until a deal was won"),
    (r"period (\S+)", r"\1"),
    (r"1 moments, horizon (\d+) days", r"1 day looked at, \1 days ahead"),
    (r"(\d+) moments, horizon (\d+) days", r"\1 days looked at, \2 days ahead of each"),
)
_ERROR = re.compile(r"(\d+ days before): MAPE ([0-9.e-]+) WAPE ([0-9.e-]+)")
_COUNT = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,]|\.\d)")
_DUE = re.compile(r"due from (\S+) before (\S+)")


@dataclass(frozen=True)
class Sheet:
    """
    A table for people.

    Attributes
    ----------
    columns
        Values by heading; None where there is none.
    forms
        How the numbers of a column are written.
    """

    columns: dict[str, list[Any]]
    forms: dict[str, Form]

    @property
    def height(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), []))


def sheet_of(result: MetricResult, *, grid: str | None = None) -> Sheet:
    """
    A result in words.

    Parameters
    ----------
    result
        The rows to show.
    grid
        Of cohorts the measure of which there is a column for each period; of a waterfall the group of which there is
        one for each value. None for a row for each.
    """
    # not at the top: the program starts without it
    import polars as pl

    from dealdb.analytics.drawing.figures import group_columns

    frame, name = result.frame, result.name
    hidden = () if is_lines(frame.columns) else _HIDDEN.get(name, ())
    keys = [key for key in frame.columns if key not in hidden]
    forms = {
        key: form_of(name, key, is_money=isinstance(frame.schema[key], pl.Decimal)) for key in keys
    }
    # a number that rows are grouped by is a name, such as a year
    forms |= dict.fromkeys(group_columns(name, frame.columns), AS_IS)
    labels = labels_of(name, keys)
    if grid in _GRID and {"k", "size"} <= {*keys}:
        return _cohort_grid(result, _GRID[grid], labels, forms)
    if grid is not None and name == "waterfall" and keys[0] == grid and keys[1:2] == ["bucket"]:
        return _group_grid(result, grid, labels)
    columns = {labels[key]: _values(name, key, frame[key].to_list()) for key in keys}
    return Sheet(columns, {labels[key]: forms[key] for key in keys})


def words_of(metric: str, key: str, text: str) -> str:
    """
    What people call a code; a text that is none stays.

    Examples
    --------
    >>> words_of("waterfall", "bucket", "start"), words_of("waterfall", "stage", "start")
    ('open at the start', 'start')
    """
    return _codes().get((metric, key), {}).get(text, text)


@cache
def _codes() -> dict[tuple[str, str], Mapping[str, str]]:
    """Words for codes of rows, by metric and column: those of the charts."""
    # not at the top: the program starts without Polars
    from dealdb.analytics.drawing.movement import BUCKETS, KNOWLEDGE
    from dealdb.analytics.drawing.predictions import TARGETS

    return {
        ("waterfall", "bucket"): BUCKETS,
        ("hindsight", "bucket"): KNOWLEDGE,
        ("calibration", "target"): TARGETS,
        ("forecast", "figure"): {"best": "best case"},
    }


def _values(metric: str, key: str, values: Sequence[Any]) -> list[Any]:
    words = _codes().get((metric, key), {})
    return [
        ("yes" if value else "no")
        if isinstance(value, bool)
        else words.get(value, value)
        if isinstance(value, str)
        else value
        for value in values
    ]


def _cohort_grid(
    result: MetricResult, figure: str, labels: Mapping[str, str], forms: Mapping[str, Form]
) -> Sheet:
    """A line for each cohort, and a column for each period after its own that has begun for one of them."""
    frame = result.frame
    names = frame.columns[: frame.columns.index("k")]
    lines = frame.unique(names, keep="first", maintain_order=True)
    begun = frame.drop_nulls(figure)["k"].unique().sort().to_list()
    wide = frame.pivot("k", index=names, values=figure, aggregate_function="first")
    wide = lines.select(names).join(wide, on=names, nulls_equal=True, maintain_order="left")
    hidden = _HIDDEN[result.name]
    columns = {labels[key]: lines[key].to_list() for key in names if key not in hidden}
    columns[labels["size"]] = lines["size"].to_list()
    columns |= {str(k): wide[str(k)].to_list() for k in begun}
    columns |= {labels[key]: lines[key].to_list() for key in ("open", "deleted")}
    kept = {labels[key]: form for key, form in forms.items() if labels[key] in columns}
    return Sheet(columns, {**kept, **{str(k): forms[figure] for k in begun}})


def _group_grid(result: MetricResult, group: str, labels: Mapping[str, str]) -> Sheet:
    """A line for each bucket, and a column with the value of each group."""
    frame = result.frame
    names = frame[group].unique(maintain_order=True).to_list()
    if len(names) > _MOST_GROUPS or len({*map(str, names)} | {labels["bucket"]}) <= len(names):
        return sheet_of(result)
    buckets = frame["bucket"].unique(maintain_order=True).to_list()
    found = {(row[group], row["bucket"]): row["value"] for row in frame.to_dicts()}
    columns = {labels["bucket"]: _values("waterfall", "bucket", buckets)}
    columns |= {str(name): [found.get((name, each)) for each in buckets] for name in names}
    form = form_of("waterfall", "value", is_money=True)
    return Sheet(columns, {str(name): form for name in names})


def form_of(metric: str, key: str, *, is_money: bool = False) -> Form:
    """
    How a table writes a figure of a metric; JSON and CSV have all digits.

    Examples
    --------
    >>> (
    ...     form_of("leaderboard", "win_rate").percent,
    ...     form_of("win_loss", "lo").percent,
    ...     form_of("sales_cycle", "mean_days").digits,
    ...     form_of("leaderboard", "mean_size").digits,
    ... )
    (True, True, 1, 2)
    """
    is_share = key in _SHARES or key in _MORE_SHARES.get(metric, ())
    if is_share and not is_money:
        return Form(percent=True, digits=1)
    in_days = key.endswith("days") or key in _DAYS.get(metric, ())
    return Form(digits=4 if key in _FINE else 1 if in_days else 2, grouped=True)


def basis_in_words(basis: Basis) -> str:
    """
    What a result rests on, on one line.

    Examples
    --------
    >>> from datetime import date
    >>> from dealdb.analytics import Basis
    >>> basis = Basis(n=7, since=date(2026, 1, 1), until=date(2026, 4, 1), currency="EUR")
    >>> basis_in_words(basis)
    '7 deals, from 2026-01-01 to 2026-03-31, currency EUR'
    """
    last = basis.until - timedelta(days=1) if basis.until else None
    # means of one are no means
    is_one = "only 1 period" in basis.notes
    bounds = (("from", basis.since), ("to" if basis.since else "up to", last))
    parts = [
        "1 deal" if basis.n == 1 else f"{whole(basis.n)} deals",
        " ".join(f"{word} {day(bound)}" for word, bound in bounds if bound),
        f"as of {day(basis.as_of)}" if basis.as_of else "",
        f"currency {basis.currency}" if basis.currency else "",
        *(
            note_in_words(note)
            for note in basis.notes
            # remarks have lines of their own
            if note not in basis.remarks and not (is_one and _ERROR.fullmatch(note))
        ),
    ]
    return ", ".join(filter(None, parts))


def counts_in_words(text: str) -> str:
    """
    A sentence of a metric with its large counts as readers of the language write them.

    Examples
    --------
    >>> from dealdb.answers.asked import speaking
    >>> from dealdb.formats.locale import Locale
    >>> with speaking(Locale("de-DE")):
    ...     counts_in_words("open deals without an amount: 1,589")
    'open deals without an amount: 1.589'
    """
    return _COUNT.sub(lambda found: whole(int(found[0].replace(",", ""))), text)


def note_in_words(note: str) -> str:
    """
    A note of a basis as people say it; empty where it says that all is as usual.

    Examples
    --------
    >>> note_in_words("unit visit"), note_in_words("stages as they mean now")
    ('each visit to a stage by itself', '')
    """
    if error := _ERROR.fullmatch(note):
        before, mean, of_all = error.groups()
        return f"{before}: off by {percent(float(mean))} on average, and by {percent(float(of_all))} of all money"
    for pattern, words in _NOTES:
        if found := re.fullmatch(pattern, note):
            note = found.expand(words)
            break
    return _DUE.sub(r"due from \1 to the day before \2", note)


def shown_keys(result: MetricResult) -> list[str]:
    """The columns that a table for people has; others are for programs only."""
    frame = result.frame
    hidden = () if is_lines(frame.columns) else _HIDDEN.get(result.name, ())
    return [key for key in frame.columns if key not in hidden]
