"""The commands for what became of deals, and who worked on them."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.commands.past.request import PastRequest, on_history
from dealdb.errors import ConfigError


@on_history(window=False)
def cohorts(
    request: PastRequest,
    period: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A line for each month, quarter or year of creation [default: month].",
        ),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="won_n: number of wins; won_value: their money; win_rate: their share of the deals created "
            "[default: won_n].",
        ),
    ] = None,
    periods: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="So many periods from the one of creation on [default: 12]."
        ),
    ] = None,
) -> None:
    """
    Print what was won of the deals created in each period.

    It answers: do newer deals do better than older ones did at the same age? A column for each period after creation, 0
    being its own; it counts what was won by then. --sort, --limit, --json and --csv have a line for each instead.
    """
    request.show("cohorts", by_period=period, measure=measure, periods=periods)


@on_history(window=True)
def losses(
    request: PastRequest,
    fold: Annotated[
        bool, typer.Option("--fold", help="Take reasons that differ in case or blanks only as one.")
    ] = False,
    events: Annotated[
        bool,
        typer.Option("--events", help="Each loss, also of deals that were reopened or deleted."),
    ] = False,
) -> None:
    """
    Print why deals were lost, by reason or by --by.

    It answers: why do we lose? Of the deals lost in the window. --by from_stage says from which stage, --by owner
    whose.
    """
    request.show("losses", fold=fold, events=events)


@on_history(window=True)
def win_loss(
    request: PastRequest,
    few: Annotated[
        bool, typer.Option("--few", help="Put groups with few closed deals into one.")
    ] = False,
    least: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --few: groups with fewer closed deals are few [default: 5]."
        ),
    ] = None,
) -> None:
    """
    Print how many deals each group won and lost.

    It answers: who, or what kind of deal, wins more often, and is the difference real? With the range in which the true
    rate lies in 95 % of cases. Groups are those that a deal was in when it was closed.
    """
    request.show("win_loss", few=few, least=least)


@on_history(window=False)
def ramp(
    request: PastRequest,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Months count from the first_deal or the first_win of an owner [default: first_deal].",
        ),
    ] = None,
    months: Annotated[
        int | None, typer.Option(metavar="N", help="Months that are shown [default: 12].")
    ] = None,
) -> None:
    """
    Print how quickly new owners came to win deals.

    It answers: how long does a new owner take to sell as much as the others? What each won in each month since the
    first deal.
    """
    request.show("ramp", start=start, months=months)


@on_history(window=True)
def leaderboard(request: PastRequest) -> None:
    """
    Print who won most, by the owner at the closing.

    It answers: who won how much, whoever has the deals today? Owners, or the groups of --by, by what they won in the
    window. dealdb stats leaderboard ranks by whose deals they are now.
    """
    request.show("leaderboard", at="closing")


@on_history(window=True)
def trend(
    request: PastRequest,
    period: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A line for each day, week, month, quarter or year [default: month].",
        ),
    ] = None,
) -> None:
    """
    Print what was created, won and lost, period by period.

    It answers: how much came in and how much was closed, month by month? Each event counts, also of deals that were
    reopened or deleted later. dealdb stats trend counts deals as they are now.
    """
    request.show("trend", events=True, period=period)


@on_history(window=False)
def attainment(
    request: PastRequest,
    period: Annotated[
        str,
        typer.Argument(
            metavar="PERIOD",
            help="2026-Q1, 2026-03, FY2027-Q1, last-month [default: this-quarter].",
        ),
    ] = "this-quarter",
) -> None:
    """
    Print what was won in a period against the quotas.

    It answers: how much of the quota is won, and is that enough for the days gone by? Quotas come from
    dealdb quotas load FILE; wins count for the owner at the closing.
    """
    request.show("attainment", quota_period=period)


@on_history(window=True)
def activity(
    request: PastRequest,
) -> None:
    """
    Print who changed what: stage moves, pushes and so on.

    It answers: who keeps the deals up to date? It counts records, not work: mails and calls are not in it. What came by
    loads and imports is counted apart, too.
    """
    request.show("activity")


@on_history(window=True)
def late_entry(
    request: PastRequest,
    days: Annotated[
        int | None,
        typer.Option(metavar="N", help="Days after which a win was recorded late [default: 7]."),
    ] = None,
) -> None:
    """
    Print how late wins were recorded.

    It answers: can the wins of a month be believed as it ends? The days from a win to the commit that recorded it,
    where history was imported or saved with a moment of its own.
    """
    request.show("late_entry", days=days)


@on_history(window=True)
def hindsight(
    request: PastRequest,
    known: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="The day on which the period was looked at; needed."),
    ] = None,
) -> None:
    """
    Print how the wins of a period have changed since a day.

    It answers: did the figure of last quarter hold? What was won in the window as recorded by --known, and as it is
    recorded now.
    """
    if known is None:
        msg = "hindsight needs --known DATE, the day on which the period was looked at: --known 2026-10-01"
        raise ConfigError(msg)
    request.show("hindsight", known=known)
