"""The commands for figures: ``stats``, ``pipeline``."""

from __future__ import annotations

import inspect
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dealdb.cli.context import Output, Session, shared_options
from dealdb.cli.output import note, print_facts, print_frame, print_rows, to_json
from dealdb.errors import ConfigError
from dealdb.pipeline import Kind, Pipeline, Stage

if TYPE_CHECKING:
    from dealdb.analytics import MetricResult

METRICS = (
    "summary", "pipeline", "win-rate", "deal-size", "sales-cycle", "velocity", "leaderboard",
    "concentration", "trend",
)  # fmt: skip

Where = Annotated[str | None, typer.Option(metavar="FILTER", help="Only deals of this filter.")]
By = Annotated[
    str | None, typer.Option(metavar="COLUMN,...", help="A row for each value of these columns.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command(epilog="Example: dealdb stats win-rate --by owner --since 2026-01-01")(
        shared_options(stats)
    )
    app.command(epilog='Example: dealdb pipeline --set "Lead:open:0.1:30,Won:won,Lost:lost"')(
        shared_options(pipeline)
    )


def stats(
    session: Session,
    metric: Annotated[
        str, typer.Argument(metavar="METRIC", help=f"One of {', '.join(METRICS)}.")
    ] = "summary",
    by: By = None,
    where: Where = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="Closed on this day or later.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Closed before this day.")
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(metavar="PERIOD", help="Of trend: day, week, month, quarter, year."),
    ] = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", help="Of concentration: how many are the largest.")
    ] = None,
) -> None:
    """
    Print a figure of the deals.

    What the figures rest on (deals, window, currency, warnings) goes to stderr, or into the JSON.
    """
    options = {"by": by.split(",") if by else None, "where": where, "since": since, "until": until}
    options |= {"period": period, "top": top}
    given = {name: value for name, value in options.items() if value is not None}
    with session.open() as db:
        print_metric(_metric(db.analytics, metric, given), session.output)


def pipeline(
    session: Session,
    by: By = None,
    where: Where = None,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="STAGES",
            help="Define the stages: NAME:KIND[:PROBABILITY[:ROT_DAYS]],...",
        ),
    ] = None,
) -> None:
    """
    Print the stages of the pipeline with their deals, or define the stages.

    KIND is open, won or lost; the order is the order of the stages. A stage that deals stand in can't be left out.
    """
    stages = parse_stages(set_to) if set_to else None
    with session.open() as db:
        if stages is None:
            given = {"by": by.split(",") if by else None, "where": where}
            result = _metric(db.analytics, "pipeline", {k: v for k, v in given.items() if v})
            print_metric(result, session.output)
            return
        db.set_pipeline(stages)
        rows = [asdict(stage) | {"kind": str(stage.kind)} for stage in db.pipeline]
    print_rows(rows, ["name", "kind", "probability", "rot_days"], session.output)


def parse_stages(text: str) -> Pipeline:
    """
    Pipeline from the text of ``--set``.

    Raises
    ------
    ConfigError
        If a stage is not ``NAME:KIND[:PROBABILITY[:ROT_DAYS]]``.
    SchemaError
        If a probability or a number of days is out of range, or a name stands twice.

    Examples
    --------
    >>> [stage.name for stage in parse_stages("Lead:open:0.1:30,Won:won")]
    ['Lead', 'Won']
    """
    return Pipeline(tuple(_parse_stage(item.strip()) for item in text.split(",")))


def print_metric(result: MetricResult, output: Output) -> None:
    """Print a metric: a table, or its figures one a line where it has one row."""
    frame, basis = result.frame, result.basis
    if output is Output.JSON:
        print(to_json({"metric": result.name, "basis": asdict(basis), "rows": frame.to_dicts()}))
        return
    if output is Output.TABLE and frame.height == 1:
        print_facts(
            {k: "-" if v is None else v for k, v in frame.row(0, named=True).items()}, output
        )
    else:
        print_frame(frame, output, null="-")
    note(f"basis: {basis.describe()}")
    for warning in basis.warnings:
        note(f"warning: {warning}")


def _metric(analytics: Any, metric: str, options: dict[str, Any]) -> MetricResult:
    if metric not in METRICS:
        msg = f"there is no metric {metric!r}; the metrics are {', '.join(METRICS)}"
        raise ConfigError(msg)
    method = getattr(analytics, metric.replace("-", "_"))
    unknown = sorted(set(options) - set(inspect.signature(method).parameters))
    if unknown:
        msg = f"stats {metric} takes no --{unknown[0]}"
        raise ConfigError(msg)
    result: MetricResult = method(**options)
    return result


def _parse_stage(text: str) -> Stage:
    name, kind, probability, rot_days = (*text.split(":"), "", "", "", "")[:4]
    if text.count(":") > 3 or kind not in set(Kind):
        msg = f"{text!r} is not NAME:KIND[:PROBABILITY[:ROT_DAYS]] with KIND open, won or lost"
        raise ConfigError(msg)
    try:
        chance = Decimal(probability) if probability else None
        days = int(rot_days) if rot_days else None
    except (InvalidOperation, ValueError):
        msg = f"{text!r}: PROBABILITY is a number from 0 to 1, ROT_DAYS a whole number"
        raise ConfigError(msg) from None
    return Stage(name, Kind(kind), chance, days)
