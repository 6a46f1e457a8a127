"""The commands for what is likely to come: ``simulate``, ``stage-chances`` and so on."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.arguments import names
from dealdb.cli.commands.past.request import PastRequest, number, on_history
from dealdb.errors import ConfigError


@on_history(window=True)
def stage_chances(
    request: PastRequest,
    method: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="competing, closed or markov [default: competing]."),
    ] = None,
) -> None:
    """
    Print how likely a deal in each stage is won in the end.

    Learned from the history, with 95 % intervals.
    """
    request.show("stage_chances", method=method)


@on_history(window=False)
def survival(
    request: PastRequest,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Name of the stage.")],
    event: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="left, forward, closed or won [default: left]."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="History is known from this day on.")
    ] = None,
) -> None:
    """
    Print how long deals stay in a stage, open ones included.

    Kaplan-Meier; for won and forward the cumulative incidence.
    """
    request.show("survival", stage=stage, event=event, since=since)


@on_history(window=False)
def time_to_close(
    request: PastRequest,
    deal: Annotated[str | None, typer.Option(metavar="ID", help="Only this deal.")] = None,
    event: Annotated[
        str | None, typer.Option(metavar="NAME", help="won or closed [default: won].")
    ] = None,
) -> None:
    """
    Print how many days open deals still take.

    From their stage and age, by what earlier deals did.
    """
    request.show("time_to_close", deal=deal, event=event)


@on_history(window=True)
def simulate(
    request: PastRequest,
    runs: Annotated[int | None, typer.Option(metavar="N", help="Runs [default: 100000].")] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed gives the same figures.")
    ] = None,
    chances: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="learned, or own for the deals' probabilities [default: learned]."
        ),
    ] = None,
    rho: Annotated[
        float | None, typer.Option(metavar="R", help="Correlation of the deals, 0 to below 1.")
    ] = None,
) -> None:
    """
    Print what a period will close at: P10, P50 and P90.

    What was won since --since, and what the open deals are likely to add before --until.
    """
    request.show("simulate", n=runs, seed=seed, chances=chances, rho=rho)


@on_history(window=False)
def calibration(
    request: PastRequest,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="The first moment that is looked at.")
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(metavar="N", help="Days after which the outcome counts [default: 30]."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="day, week, month, quarter or year between two moments [default: week].",
        ),
    ] = None,
) -> None:
    """
    Print whether the probabilities of deals came true.

    At moments of the past, what stood there against what became of the deals.
    """
    if since is None:
        msg = "calibration needs --since DATE: the first moment that is looked at"
        raise ConfigError(msg)
    request.show("calibration", since=since, horizon_days=horizon, every=every)


@on_history(window=True)
def forecast_error(
    request: PastRequest,
    period: Annotated[
        str | None, typer.Option(metavar="NAME", help="month, quarter or year [default: quarter].")
    ] = None,
    days_before: Annotated[
        str | None,
        typer.Option(
            metavar="N,...", help="Days before the end of the period [default: 90,60,30,7]."
        ),
    ] = None,
) -> None:
    """
    Print how much of earlier forecasts came true.

    Forecasts as they stood some days before the end of each period, against what was won.
    """
    request.show(
        "forecast_error",
        period=period,
        days_before=None
        if days_before is None
        else [int(number("--days-before", each) or 0) for each in names(days_before) or ()],
    )


@on_history(window=False)
def seasonality(
    request: PastRequest,
    measure: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="won_value, won_n or created_n [default: won_value]."),
    ] = None,
    period: Annotated[
        str | None, typer.Option(metavar="NAME", help="month or quarter [default: month].")
    ] = None,
) -> None:
    """
    Print which months are better than the year around them.

    It needs two full years.
    """
    request.show("seasonality", measure=measure, period=period)
