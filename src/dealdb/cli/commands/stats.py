"""The command ``stats``: a metric of the deals."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.answers.labels import in_labels, key_of
from dealdb.answers.people import Sheet, basis_in_words, sheet_of
from dealdb.cli.arguments import Sort, names
from dealdb.cli.commands.find import tell_if_empty
from dealdb.cli.completion import complete_columns
from dealdb.cli.output.figures import print_figures
from dealdb.cli.output.pager import show
from dealdb.cli.output.pictures import AsChart, ChartOptions, Plot
from dealdb.cli.output.printing import (
    TableFile,
    print_above,
    print_facts,
    print_rows,
    table_file,
    wrapped,
    write_file,
)
from dealdb.cli.output.streams import Output, note, note_as_text, note_escaped, say
from dealdb.cli.session import At, AtTime, Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.formats.cells import Form, to_cell, to_json
from dealdb.model.names import column_named

if TYPE_CHECKING:
    from dealdb.analytics import Analytics, MetricResult

METRICS = (
    "summary", "pipeline", "win-rate", "deal-size", "sales-cycle", "velocity", "leaderboard",
    "concentration", "trend",
)  # fmt: skip

# charts whose rows don't stand on each other
_ANY_ROWS = ("bars", "heat", "dots")

Where = Annotated[
    str | None, typer.Option(metavar="FILTER", help="Only deals that this filter keeps.")
]
AsOf = Annotated[
    str | None, typer.Option(metavar="DATE", help="Judge open deals on this day [default: today].")
]
By = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN,...",
        help="A row for each value of these columns.",
        autocompletion=complete_columns,
    ),
]


def stats(
    session: Session,
    metric: Annotated[
        str,
        typer.Argument(
            metavar="METRIC",
            help=f"One of {', '.join(METRICS)}.",
            autocompletion=lambda: list(METRICS),
        ),
    ] = "summary",
    by: By = None,
    where: Where = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Closed on this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Closed before this day.")
    ] = None,
    as_of: AsOf = None,
    measure: Annotated[
        str | None, typer.Option(metavar="NAME", help="win-rate: count or value.")
    ] = None,
    outcome: Annotated[
        str | None, typer.Option(metavar="NAME", help="sales-cycle: won or lost.")
    ] = None,
    basis: Annotated[
        str | None, typer.Option(metavar="NAME", help="velocity: closed or open.")
    ] = None,
    of: Annotated[
        str | None, typer.Option(metavar="NAME", help="concentration: won or open.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="concentration: share of the N largest; leaderboard: the first N."
        ),
    ] = None,
    period: Annotated[
        str | None, typer.Option(metavar="NAME", help="trend: day, week, month, quarter or year.")
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="CURRENCY", help="Convert money, by the rates of dealdb rates."),
    ] = None,
    rate_day: Annotated[
        str | None,
        typer.Option(
            metavar="DAY",
            help="With --to: event (closing day; open deals: --as-of), as-of, or a date [default: event].",
        ),
    ] = None,
    rates_known: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="With --to: by the rates known then [default: now]."),
    ] = None,
    sort: Sort = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")] = None,
    at: At = None,
    time: AtTime = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
    file: Annotated[
        str | None,
        typer.Option("--export", metavar="FILE", help="Write the rows as export does."),
    ] = None,
    plot: Plot = None,
    chart: AsChart = False,  # noqa: FBT002 a flag
) -> None:
    """
    Print a metric of the deals.

    What the figures rest on (deals, window, currency, warnings) goes to stderr, or into the JSON. --sort takes a column
    of the table, as JSON and CSV or as the table call it. --export writes all digits, in the format of the file's name.
    """
    metric = metric.replace("_", "-")
    if metric == "leaderboard" and top is not None:
        if limit is not None:
            msg = "--top and --limit are one for a leaderboard: give one of them"
            raise ConfigError(msg)
        limit, top = top, None
    drawn = ChartOptions(file=plot, is_text=chart)
    rows = RowOptions(
        sort=names(sort), limit=limit, parquet=parquet, xlsx=xlsx, file=file, chart=drawn
    )
    rows.check(session)
    given = {"where": where, "since": since, "until": until, "as_of": as_of, "measure": measure}
    rate_day = "as_of" if rate_day == "as-of" else rate_day
    given |= {"to": to, "rate_day": rate_day, "rates_known": rates_known}
    given |= {"outcome": outcome, "basis": basis, "of": of, "period": period}
    with session.reading(at, time) as db:
        result = figures_of(db.analytics, metric, {"by": names(by), "k": top, **given})
        if not result.basis.n and at is None:
            tell_if_empty(db)
    show_metric(session, result, rows)


@dataclass(frozen=True, kw_only=True)
class RowOptions:
    """
    Which rows of a metric are shown, and where they go.

    Attributes
    ----------
    sort
        Columns to sort by, ``-COLUMN`` descending.
    limit
        Rows, at most.
    parquet, xlsx, file
        Files to write instead; the name of ``file`` gives its format.
    chart
        Whether a chart takes their place.
    """

    sort: list[str] | None = None
    limit: int | None = None
    parquet: Path | None = None
    xlsx: Path | None = None
    file: str | None = None
    chart: ChartOptions = field(default_factory=ChartOptions)

    def check(self, session: Session) -> None:
        """
        Refuse what excludes each other, before anything is read.

        Raises
        ------
        ConfigError
            If a file and another form of output are asked for.
        """
        others = {"parquet": self.parquet, "xlsx": self.xlsx, "export": self.file}
        self.chart.check(session.output, **others)
        is_other = self.parquet is not None or session.output is not Output.TABLE
        if self.file is not None and is_other:
            msg = "--export excludes --parquet and the forms of output: the file's name gives the format"
            raise ConfigError(msg)


def show_metric(
    session: Session,
    result: MetricResult,
    rows: RowOptions,
    *,
    answer: str | None = None,
    grid: str | None = None,
) -> None:
    """
    Print the rows of a metric that were asked for, or write them to a file.

    Parameters
    ----------
    session
        Of this run.
    result
        All rows.
    rows
        Which of them, and where they go.
    answer
        What the result says, in sentences above its table.
    grid
        Of cohorts: the measure of which people get a column for each period.
    """
    shown = _first_rows(result, rows.sort, rows.limit)
    if rows.chart:
        _draw(shown, rows, answer)
        return
    if rows.file is not None:
        _export(session, shown, rows.file)
        return
    grid = None if rows.sort or rows.limit else grid
    file = table_file(rows.parquet, rows.xlsx)
    print_metric(shown, session.output, file, answer=answer, grid=grid)
    if (left := len(result) - len(shown)) and session.output is Output.TABLE:
        note(f"{left:,} more; a larger --limit shows more")


def _draw(result: MetricResult, rows: RowOptions, answer: str | None) -> None:
    """Draw the rows in place of printing them; where each stands on the one before, all of them."""
    chart = result.chart()
    if (rows.sort or rows.limit) and chart.form not in _ANY_ROWS:
        msg = (
            f"the chart of {result.name} has all rows in their order: leave out --sort and --limit"
        )
        raise ConfigError(msg)
    notes = [in_labels(result.name, each) for each in chart.notes]
    rows.chart.put(replace(chart, notes=notes), wrapped(answer))


def print_metric(
    result: MetricResult,
    output: Output,
    file: TableFile | None = None,
    *,
    answer: str | None = None,
    grid: str | None = None,
) -> None:
    """Print a metric: a table, or its figures one a line where it has one row; or write its table to a file."""
    frame, basis = result.frame, result.basis
    if output is Output.JSON and file is None:
        totals = {"totals": dict(result.totals)} if result.totals else {}
        say(
            to_json(
                {
                    "metric": result.name,
                    "basis": asdict(basis),
                    **totals,
                    "rows": frame.to_dicts(),
                }
            )
        )
        return
    by_label = output in (Output.TABLE, Output.MD) and file is None
    if file is not None:
        write_file(frame, output, file)
    elif by_label:
        _print_sheet(sheet_of(result, grid=grid), output, wrapped(answer))
    else:
        print_rows(frame.iter_rows(named=True), frame.columns, output)
    _note_basis(result, by_label=by_label, with_totals=answer is None)


def _print_sheet(sheet: Sheet, output: Output, answer: Sequence[str]) -> None:
    """Print a table for people below the sentences that say what it means."""
    if output is Output.MD:
        print_above(answer)
        rows = [
            dict(zip(sheet.columns, row, strict=True))
            for row in zip(*sheet.columns.values(), strict=True)
        ]
        print_rows(rows, list(sheet.columns), output, forms=sheet.forms)
        return
    above = [*answer, ""] if answer else []
    shown = {
        name: ["-" if v is None else v for v in values] for name, values in sheet.columns.items()
    }
    if sheet.height == 1:
        print_facts(
            {name: values[0] for name, values in shown.items()},
            output,
            forms=sheet.forms,
            above=above,
        )
    elif sheet.height or not answer:
        print_figures(shown, sheet.forms, above=above)
    else:
        # the sentence says that there is nothing, and headings alone would say no more
        show(answer)


def _export(session: Session, result: MetricResult, file: str) -> None:
    with session.open() as db:
        report = db.loader.export(file, result.frame, raw=session.raw)
    rows = "row" if report.rows == 1 else "rows"
    note(f"{report.target}: {report.rows:,} {rows}, {report.bytes:,} bytes of {report.format}")
    note_escaped(report.escaped)
    note_as_text(report.as_text)
    _note_basis(result, by_label=False)


def _note_basis(result: MetricResult, *, by_label: bool, with_totals: bool = True) -> None:
    """Say what the figures rest on, in the words of the table or in the keys of a file."""
    if result.totals and with_totals:
        form = Form(digits=2, grouped=True)
        shown = (
            f"{name.replace('_', ' ') if by_label else name} {'-' if total is None else to_cell(total, form)}"
            for name, total in result.totals.items()
        )
        note(f"in all: {', '.join(shown)}")
    note(f"basis: {basis_in_words(result.basis)}")
    for remark in result.basis.remarks:
        note(f"note: {remark}")
    for warning in result.basis.warnings:
        note(f"warning: {in_labels(result.name, warning) if by_label else warning}")


def _first_rows(result: MetricResult, sort: list[str] | None, limit: int | None) -> MetricResult:
    """The rows of a metric in another order, nulls last, or the first of them."""
    if limit is not None and limit < 1:
        msg = f"--limit is a number of rows from 1 up, not {limit}"
        raise ConfigError(msg)
    frame = result.frame
    keys = [_sort_key(result.name, name, frame.columns) for name in sort or []]
    for name, _ in keys:
        if frame.schema[name].is_nested():
            msg = f"the rows of {result.name} can't be sorted by {name}, which is a list"
            raise ConfigError(msg)
    if keys:
        frame = frame.sort(
            [name for name, _ in keys],
            descending=[descending for _, descending in keys],
            nulls_last=True,
            maintain_order=True,
        )
    return replace(result, frame=frame if limit is None else frame.head(limit))


def _sort_key(metric: str, name: str, keys: list[str]) -> tuple[str, bool]:
    """Column that a key of ``--sort`` means, and whether it is descending."""
    key = key_of(metric, name.removeprefix("-"), keys)
    return column_named(key, keys), name.startswith("-")


def figures_of(analytics: Analytics, metric: str, options: dict[str, Any]) -> MetricResult:
    """
    A metric by its name, with the options that were given.

    Raises
    ------
    ConfigError
        If there is no such metric, or it takes no such option.
    """
    if metric not in METRICS:
        msg = f"there is no metric {metric!r}; the metrics are {', '.join(METRICS)}"
        raise ConfigError(msg)
    if metric in ("leaderboard", "trend") and options.get("as_of") is not None:
        msg = (
            f"the metric {metric} takes no --as-of; dealdb {metric} does, which goes by the history"
        )
        raise ConfigError(msg)
    method = getattr(analytics, metric.replace("-", "_"))
    given = {name: value for name, value in options.items() if value is not None}
    unknown = [name for name in given if name not in inspect.signature(method).parameters]
    if unknown:
        option = {"k": "top"}.get(unknown[0], unknown[0]).replace("_", "-")
        msg = f"the metric {metric} takes no --{option}"
        raise ConfigError(msg)
    result: MetricResult = method(**given)
    return result
