"""The commands for deals in their stages: ``funnel``, ``time-in-stage``, ``ageing``, ``rotting``."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.commands.past.request import PastRequest, on_history


@on_history()
def funnel(
    request: PastRequest,
    mode: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="reached: a skipped stage counts as passed; any: it doesn't; ordered: all stages in order "
            "[default: reached].",
        ),
    ] = None,
    cohort: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Which deals: created in the window, or entered:STAGE for those that came into it first "
            "[default: created].",
        ),
    ] = None,
) -> None:
    """
    Print how many deals came how far in the pipeline.

    It answers: where on the way do we lose deals? Of the deals created in the window: how many reached each open stage,
    which share of them the next one, and how many stopped there, still open or lost.
    """
    request.show("funnel", mode=mode, cohort=cohort)


@on_history()
def time_in_stage(
    request: PastRequest,
    unit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="deal: all stays of a deal in a stage together; visit: each by itself [default: deal].",
        ),
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Also the time until closed deals were reopened.")
    ] = False,
) -> None:
    """
    Print where deals get stuck: their time in each stage.

    It answers: where do deals get stuck? How long those stayed that left a stage in the window, and for how long others
    have been standing there.
    """
    request.show("time_in_stage", unit=unit, closed=closed)


@on_history(window=False)
def ageing(
    request: PastRequest,
    basis: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Age since they entered their stage, were created, or had their last update: stage, created, update "
            "[default: stage].",
        ),
    ] = None,
    calendar: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="days, or weekdays: Mondays to Fridays only [default: days]."
        ),
    ] = None,
    visits: Annotated[
        bool, typer.Option("--visits", help="Add earlier stays in the same stage.")
    ] = False,
) -> None:
    """
    Print how old open deals are, in classes of days.

    It answers: how old is what is open? Their age in their stage, since they were created, or since their last change.
    """
    request.show("ageing", basis=basis, calendar=calendar, visits=visits)


@on_history(window=False)
def rotting(
    request: PastRequest,
    basis: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Days since the last update, since they entered their stage, or since they were created: "
            "update, stage, "
            "created [default: update].",
        ),
    ] = None,
    days: Annotated[
        int | None,
        typer.Option(metavar="N", help="Days after which a deal rots, whatever its stage says."),
    ] = None,
    respite: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="A date that keeps a deal from rotting until then."),
    ] = None,
) -> None:
    """
    Print open deals that nobody has touched for too long.

    It answers: which deals does nobody look after? A stage says how many days are allowed:
    dealdb pipeline --set NAME:open:PROBABILITY:DAYS,... --deals lists the deals.
    """
    request.show("rotting", basis=basis, rot_days=days, respite=respite)
