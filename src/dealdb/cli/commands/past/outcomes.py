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
        typer.Option(metavar="NAME", help="month, quarter or year of creation [default: month]."),
    ] = None,
    measure: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="won_n, won_value or win_rate [default: won_n]."),
    ] = None,
    periods: Annotated[
        int | None,
        typer.Option(metavar="N", help="Periods after creation that are shown [default: 12]."),
    ] = None,
) -> None:
    """
    Print what was won of the deals created in each period.

    A deal counts from the period in which it was closed.
    """
    request.show("cohorts", by_period=period, measure=measure, periods=periods)


@on_history(window=True)
def losses(
    request: PastRequest,
    fold: Annotated[
        bool, typer.Option("--fold", help="Take reasons that differ in case or blanks only as one.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--events", help="Also losses of deals that were reopened.")
    ] = False,
) -> None:
    """
    Print why deals were lost, by reason or by --by.

    Of the deals lost from --since to the day before --until.
    """
    request.show("losses", fold=fold, events=events)


@on_history(window=True)
def win_loss(
    request: PastRequest,
    few: Annotated[
        bool, typer.Option("--few", help="Take groups with few closed deals together.")
    ] = False,
    least: Annotated[
        int | None,
        typer.Option(metavar="N", help="Closed deals of a group that is not small [default: 5]."),
    ] = None,
) -> None:
    """
    Print how many deals each group won and lost.

    Groups are those of the deal when it was closed.
    """
    request.show("win_loss", few=few, least=least)


@on_history(window=False)
def ramp(
    request: PastRequest,
    start: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="first_deal or first_win [default: first_deal]."),
    ] = None,
    months: Annotated[
        int | None, typer.Option(metavar="N", help="Months that are shown [default: 12].")
    ] = None,
) -> None:
    """
    Print how quickly new owners came to win deals.

    A month counts from the first deal or win of the owner.
    """
    request.show("ramp", start=start, months=months)


@on_history(window=False)
def attainment(
    request: PastRequest,
    period: Annotated[str, typer.Argument(metavar="PERIOD", help="2026-Q1, 2026-03 or FY2027-Q1.")],
) -> None:
    """
    Print what was won in a period against the quotas.

    Quotas come from dealdb quotas load FILE.
    """
    request.show("attainment", period=period)


@on_history(window=True)
def activity(
    request: PastRequest,
) -> None:
    """
    Print who changed what: stage moves, pushes and so on.

    It counts records and not work. Changes that came by loads are in the column bulk, too.
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

    Where history was imported, or saved with at, what happened and its record are apart.
    """
    request.show("late_entry", days=days)


@on_history(window=True)
def hindsight(
    request: PastRequest,
    known: Annotated[
        str | None, typer.Option(metavar="DATE", help="What was known at the end of this day.")
    ] = None,
) -> None:
    """
    Print how the wins of a period have changed since a day.

    As recorded by --known, and as recorded now.
    """
    if known is None:
        msg = "hindsight needs --known DATE: the day on which the period was looked at"
        raise ConfigError(msg)
    request.show("hindsight", known=known)
