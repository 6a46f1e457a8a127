"""The commands for deals in their stages: ``funnel``, ``time-in-stage``, ``ageing``, ``rotting``."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.commands.past.request import PastRequest, on_history


@on_history()
def funnel(
    request: PastRequest,
    mode: Annotated[
        str | None, typer.Option(metavar="NAME", help="reached, any or ordered [default: reached].")
    ] = None,
    cohort: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="created, or entered:STAGE [default: created]."),
    ] = None,
) -> None:
    """
    Print how many deals came how far in the pipeline.

    Of the deals created from --since to the day before --until: how many reached each open stage, which share of them
    the next one, and how many stopped there, still open or lost.
    """
    request.show("funnel", mode=mode, cohort=cohort)


@on_history()
def time_in_stage(
    request: PastRequest,
    unit: Annotated[
        str | None, typer.Option(metavar="NAME", help="deal or visit [default: deal].")
    ] = None,
    closed: Annotated[
        bool, typer.Option("--closed", help="Also the time until closed deals were reopened.")
    ] = False,
) -> None:
    """
    Print where deals get stuck: their time in each stage.

    Of the deals that left a stage from --since to the day before --until, and of those that stand there now.
    """
    request.show("time_in_stage", unit=unit, closed=closed)


@on_history(window=False)
def ageing(
    request: PastRequest,
    basis: Annotated[
        str | None, typer.Option(metavar="NAME", help="stage, created or update [default: stage].")
    ] = None,
    calendar: Annotated[
        str | None, typer.Option(metavar="NAME", help="days or weekdays [default: days].")
    ] = None,
    visits: Annotated[
        bool, typer.Option("--visits", help="Add earlier stays in the same stage.")
    ] = False,
) -> None:
    """
    Print how old open deals are, in classes of days.

    Their age in their stage, since they were created, or since their last change.
    """
    request.show("ageing", basis=basis, calendar=calendar, visits=visits)


@on_history(window=False)
def rotting(
    request: PastRequest,
    basis: Annotated[
        str | None, typer.Option(metavar="NAME", help="update, stage or created [default: update].")
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

    Stages have their days from dealdb pipeline --set NAME:open:PROBABILITY:DAYS.
    """
    request.show("rotting", basis=basis, rot_days=days, respite=respite)
