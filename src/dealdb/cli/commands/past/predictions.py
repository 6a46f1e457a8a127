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
        typer.Option(
            metavar="NAME",
            help="competing: open deals count for as long as they were seen; closed: won of all that are closed; "
            "markov: "
            "from moves between stages [default: competing].",
        ),
    ] = None,
) -> None:
    """
    Print how likely a deal in each stage is won in the end.

    It answers: which chances should our stages have? Learned from the history, with the range in which the truth lies
    in 95 % of cases.
    """
    request.show("stage_chances", method=method)


@on_history(window=False)
def survival(
    request: PastRequest,
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="Name of the stage.")],
    event: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Until they left the stage, moved forward, were closed or won: left, forward, closed, won "
            "[default: left].",
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The history is complete from this day on only."),
    ] = None,
) -> None:
    """
    Print how long deals stay in a stage, open ones included.

    It answers: how long does it really take to leave this stage? Stays that still go on count for as long as they last
    (Kaplan-Meier), so that the long ones are not left out.
    """
    request.show("survival", stage=stage, event=event, since=since)


@on_history(window=False)
def time_to_close(
    request: PastRequest,
    deal: Annotated[
        str | None, typer.Option(metavar="ID", help="Only the deal with this id.")
    ] = None,
    event: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Until they are won, or closed [default: won]."),
    ] = None,
) -> None:
    """
    Print how many days open deals still take.

    It answers: when will this deal be won? From its stage and age, by what earlier deals did.
    """
    request.show("time_to_close", deal=deal, event=event)


@on_history(window=True, default="this-quarter", needs=("until",))
def simulate(
    request: PastRequest,
    runs: Annotated[
        int | None,
        typer.Option(metavar="N", help="How often it is played through [default: 100000]."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="The same seed gives the same figures.")
    ] = None,
    chances: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="learned from the history, or own: the deals' probabilities, else their stages' [default: learned].",
        ),
    ] = None,
    rho: Annotated[
        float | None,
        typer.Option(
            metavar="R",
            help="Add a line in which deals go well or badly together, such as 0.1 (up to 1).",
        ),
    ] = None,
) -> None:
    """
    Print what a period will close at: P10, P50 and P90.

    It answers: what will this quarter close at, going by what deals did in the past? What is won so far, and what open
    deals are likely to add by the end of the period (this quarter, unless --until or --in say otherwise).
    """
    request.show("simulate", n=runs, seed=seed, chances=chances, rho=rho)


@on_history(window=False)
def calibration(
    request: PastRequest,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="The first day that is looked at; needed.")
    ] = None,
    horizon: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="How many days later the outcome is looked up [default: 30]."
        ),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="How often it is looked at: each day, week, month, quarter or year [default: week].",
        ),
    ] = None,
) -> None:
    """
    Print whether the probabilities of deals came true.

    It answers: can the chances in our pipeline be believed? On days of the past, what stood there against what became
    of the deals.
    """
    if since is None:
        msg = "calibration needs --since DATE, the first day that is looked at: --since 2026-01-01"
        raise ConfigError(msg)
    request.show("calibration", since=since, horizon_days=horizon, every=every)


@on_history(window=True)
def forecast_error(
    request: PastRequest,
    period: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Forecasts of each month, quarter or year [default: quarter]."
        ),
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

    It answers: how much of last quarter's forecast came true? Forecasts as they stood some days before the end of each
    period, against what was won in it. --in last-quarter shows that one alone.
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
        typer.Option(
            metavar="NAME",
            help="won_value: money won; won_n: number of wins; created_n: deals created [default: won_value].",
        ),
    ] = None,
    period: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="A line for each month or quarter [default: month]."),
    ] = None,
) -> None:
    """
    Print which months are better than the year around them.

    It answers: which time of the year is strong, which weak? It needs two full years.
    """
    request.show("seasonality", measure=measure, period=period)
