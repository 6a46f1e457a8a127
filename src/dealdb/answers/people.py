"""Results of metrics as people read them: words in place of codes, percentages, and a grid of cohorts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from dealdb.answers.asked import locale, whole
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

# large counts in what metrics say
_COUNT = re.compile(r"(?<![\w.,])\d{1,3}(?:,\d{3})+(?![\w,]|\.\d)")


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
    What a result rests on, on one line, with numbers and days as readers of the language write them.

    Examples
    --------
    >>> from dealdb.analytics import Basis
    >>> basis_in_words(Basis(n=7, currency="EUR"))
    '7 deals, currency EUR'
    """
    # help is printed without any result
    from dealdb.analytics.basis import in_words

    return in_words(basis, locale())


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


def shown_keys(result: MetricResult) -> list[str]:
    """The columns that a table for people has; others are for programs only."""
    frame = result.frame
    hidden = () if is_lines(frame.columns) else _HIDDEN.get(result.name, ())
    return [key for key in frame.columns if key not in hidden]
