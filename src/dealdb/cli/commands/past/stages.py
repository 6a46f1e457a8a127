"""The commands for deals in their stages: ``funnel``, ``time-in-stage``."""

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
    Print how many deals came how far, and what became of the others.

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
    closed: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--closed", help="Also the time until closed deals were reopened.")
    ] = False,
) -> None:
    """
    Print where deals get stuck: how long they stay in each stage.

    Of the deals that left a stage from --since to the day before --until, and of those that stand there now.
    """
    request.show("time_in_stage", unit=unit, closed=closed)
