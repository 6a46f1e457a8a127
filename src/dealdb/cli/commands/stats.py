"""The commands for figures: ``stats``, ``pipeline``."""

from __future__ import annotations

import inspect
import re
from dataclasses import asdict, dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.arguments import Sort, names
from dealdb.cli.commands.find import tell_if_empty
from dealdb.cli.completion import complete_columns
from dealdb.cli.output.cells import Form, to_json
from dealdb.cli.output.figures import print_figures
from dealdb.cli.output.labels import in_labels, key_of, label_of
from dealdb.cli.output.printing import (
    TableFile,
    print_facts,
    print_rows,
    save_rows,
    table_file,
    write_file,
)
from dealdb.cli.output.streams import Output, note, note_as_text, note_escaped, say
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.model.names import column_named
from dealdb.model.pipeline import Kind, Pipeline, Stage

if TYPE_CHECKING:
    from dealdb.analytics import Analytics, MetricResult

_SHARES = ("rate", "share", "share_n", "share_value", "next", "cumulative", "attainment", "pace")
METRICS = (
    "summary", "pipeline", "win-rate", "deal-size", "sales-cycle", "velocity", "leaderboard",
    "concentration", "trend",
)  # fmt: skip

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
    sort: Sort = None,
    limit: Annotated[int | None, typer.Option(metavar="N", help="At most this many rows.")] = None,
    at: At = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
    file: Annotated[
        str | None,
        typer.Option("--export", metavar="FILE", help="Write the rows as export does."),
    ] = None,
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
    rows = RowOptions(sort=names(sort), limit=limit, parquet=parquet, xlsx=xlsx, file=file)
    rows.check(session)
    given = {"where": where, "since": since, "until": until, "as_of": as_of, "measure": measure}
    given |= {"outcome": outcome, "basis": basis, "of": of, "period": period}
    with session.reading(at) as db:
        result = _metric(db.analytics, metric, {"by": names(by), "k": top, **given})
        if not result.basis.n and at is None:
            tell_if_empty(db)
    show_metric(session, result, rows)


def pipeline(
    session: Session,
    by: By = None,
    where: Where = None,
    as_of: AsOf = None,
    at: At = None,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="STAGES",
            help="Define the stages: NAME:KIND[:PROBABILITY[:ROT_DAYS]],...; a NAME with commas in quotes.",
        ),
    ] = None,
    force: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--force", help="With --set: also leave out stages that deals are in.")
    ] = False,
    closes: Annotated[
        bool | None,
        typer.Option(
            "--closes/--no-closes",
            help="Whether saving a deal as won or lost sets its closing date, and reopening it clears that.",
        ),
    ] = None,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the stages with their deals, or define the stages.

    KIND is open, won or lost; the order is the order of the stages. To leave out a stage that deals are in takes
    --force: these deals then count as open, whatever the stage is called. --closes and --no-closes are kept until they
    are set again; at first it is --closes.
    """
    options = {"by": names(by), "where": where, "as_of": as_of}
    file = table_file(parquet, xlsx)
    if force and set_to is None:
        msg = "--force belongs to --set, which defines the stages"
        raise ConfigError(msg)
    if set_to is None and closes is None:
        with session.reading(at) as db:
            print_metric(_metric(db.analytics, "pipeline", options), session.output, file)
        return
    if at or any(options.values()):
        msg = "--set defines the stages for all deals: leave out --by, --where, --as-of and --at"
        if set_to is None:
            msg = "--closes is for all deals: leave out --by, --where, --as-of and --at"
        raise ConfigError(msg)
    stages = None if set_to is None else parse_stages(set_to)
    with session.open() as db:
        now = db.pipeline
        wanted = replace(
            now,
            stages=now.stages if stages is None else stages.stages,
            closes=now.closes if closes is None else closes,
        )
        db.set_pipeline(wanted, force=force)
        rows = [{**asdict(stage), "kind": str(stage.kind)} for stage in db.pipeline]
    save_rows(rows, ["name", "kind", "probability", "rot_days"], session.output, file)


def parse_stages(text: str) -> Pipeline:
    """
    Pipeline from the text of ``--set``, as ``Pipeline.to_text`` writes it.

    Raises
    ------
    ConfigError
        If a stage is not ``NAME:KIND[:PROBABILITY[:ROT_DAYS]]``.
    SchemaError
        If a probability or a number of days is out of range, or a name occurs twice.

    Examples
    --------
    >>> [stage.name for stage in parse_stages("Lead:open:0.1:30,Won:won")]
    ['Lead', 'Won']
    >>> [stage.name for stage in parse_stages('"Lead, cold":open,Won:won')]
    ['Lead, cold', 'Won']
    """
    return Pipeline(tuple(_parse_stage(item.strip()) for item in _STAGE.findall(text)))


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
    """

    sort: list[str] | None = None
    limit: int | None = None
    parquet: Path | None = None
    xlsx: Path | None = None
    file: str | None = None

    def check(self, session: Session) -> None:
        """
        Refuse what excludes each other, before anything is read.

        Raises
        ------
        ConfigError
            If a file and another form of output are asked for.
        """
        is_other = self.parquet is not None or session.output is not Output.TABLE
        if self.file is not None and is_other:
            msg = "--export excludes --parquet and the forms of output: the file's name gives the format"
            raise ConfigError(msg)


def show_metric(session: Session, result: MetricResult, rows: RowOptions) -> None:
    """Print the rows of a metric that were asked for, or write them to a file."""
    shown = _first_rows(result, rows.sort, rows.limit)
    if rows.file is not None:
        _export(session, shown, rows.file)
        return
    print_metric(shown, session.output, table_file(rows.parquet, rows.xlsx))
    if (left := len(result) - len(shown)) and session.output is Output.TABLE:
        note(f"{left:,} more; a larger --limit shows more")


def print_metric(result: MetricResult, output: Output, file: TableFile | None = None) -> None:
    """Print a metric: a table, or its figures one a line where it has one row; or write its table to a file."""
    frame, basis = result.frame, result.basis
    if output is Output.JSON and file is None:
        say(to_json({"metric": result.name, "basis": asdict(basis), "rows": frame.to_dicts()}))
        return
    labels = {key: label_of(result.name, key) for key in frame.columns}
    forms = {labels[key]: figure_form(key) for key in frame.columns}
    by_label = output in (Output.TABLE, Output.MD) and file is None
    if file is not None:
        write_file(frame, output, file)
    elif output is Output.TABLE and frame.height == 1:
        figures = frame.row(0, named=True).items()
        print_facts({labels[k]: "-" if v is None else v for k, v in figures}, output, forms=forms)
    elif output is Output.TABLE:
        print_figures(
            {labels[c.name]: ["-" if v is None else v for v in c.to_list()] for c in frame}, forms
        )
    else:
        named = frame.rename(labels) if by_label else frame
        print_rows(named.iter_rows(named=True), named.columns, output)
    _note_basis(result, by_label=by_label)


def _export(session: Session, result: MetricResult, file: str) -> None:
    with session.open() as db:
        report = db.loader.export(file, result.frame, raw=session.raw)
    rows = "row" if report.rows == 1 else "rows"
    note(f"{report.target}: {report.rows:,} {rows}, {report.bytes:,} bytes of {report.format}")
    note_escaped(report.escaped)
    note_as_text(report.as_text)
    _note_basis(result, by_label=False)


def _note_basis(result: MetricResult, *, by_label: bool) -> None:
    """Say what the figures rest on, in the words of the table or in the keys of a file."""
    basis = result.basis
    deals = "1 deal" if basis.n == 1 else f"{basis.n:,} deals"
    note(f"basis: {basis.describe().replace(f'n {basis.n:,}', deals, 1)}")
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


def figure_form(name: str) -> Form:
    """
    How a table writes a figure of a metric; JSON and CSV have all digits.

    Examples
    --------
    >>> (
    ...     figure_form("win_rate").percent,
    ...     figure_form("mean_days").digits,
    ...     figure_form("mean_size").digits,
    ... )
    (True, 1, 2)
    """
    if name.endswith(_SHARES):
        return Form(percent=True, digits=1)
    digits = {"hhi": 4}.get(name, 1 if name.endswith("days") else 2)
    return Form(digits=digits, grouped=True)


def _metric(analytics: Analytics, metric: str, options: dict[str, Any]) -> MetricResult:
    if metric not in METRICS:
        msg = f"there is no metric {metric!r}; the metrics are {', '.join(METRICS)}"
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


# a name in quotes may have commas and colons; anything else ends at the next comma
_STAGE = re.compile(r'(?:^|(?<=,))(?:\s*"(?:[^"]|"")*"(?=\s*:))?[^,]*')
_QUOTED = re.compile(r'"(?:[^"]|"")*"(?=:)')


def _parse_stage(text: str) -> Stage:
    quoted = _QUOTED.match(text)
    name, rest = (quoted[0], text[quoted.end() :]) if quoted else text.partition(":")[::2]
    if quoted:
        name, rest = name[1:-1].replace('""', '"'), rest.removeprefix(":")
    kind, probability, rot_days = (*rest.split(":"), "", "", "")[:3]
    if rest.count(":") > 2 or kind not in set(Kind):
        msg = f"{text!r} is not NAME:KIND[:PROBABILITY[:ROT_DAYS]] with KIND open, won or lost"
        raise ConfigError(msg)
    try:
        chance = Decimal(probability) if probability else None
        days = int(rot_days) if rot_days else None
    except (InvalidOperation, ValueError):
        msg = f"{text!r}: PROBABILITY is a number from 0 to 1, ROT_DAYS a whole number"
        raise ConfigError(msg) from None
    return Stage(name, Kind(kind), chance, days)
