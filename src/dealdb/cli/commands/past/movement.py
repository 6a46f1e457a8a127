"""The commands for what changed and what is to come: ``waterfall``, ``slippage``, ``coverage``, ``forecast``."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.arguments import names
from dealdb.cli.commands.past.request import PastRequest, number, on_history
from dealdb.errors import ConfigError


@on_history(window=True)
def waterfall(
    request: PastRequest,
    due: Annotated[
        str | None,
        typer.Option(
            metavar="FROM,TO", help="Only deals expected to close from FROM to the day before TO."
        ),
    ] = None,
    gross: Annotated[
        bool, typer.Option("--gross", help="Each move by itself, not only both ends.")
    ] = False,
    fx: Annotated[
        bool,
        typer.Option("--fx", help="With --to: a row for what the change of rates alone moved."),
    ] = False,
) -> None:
    """
    Print what changed in the open pipeline since a day.

    From the open value of the day of --since to that of --until: created, won, lost, pushed out and so on.
    The buckets add up exactly.
    """
    request.show("waterfall", due=None if due is None else names(due), net=not gross, fx=fx)


@on_history(window=True)
def slippage(
    request: PastRequest,
    settle: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="A push that is taken back within this time, such as 1h, is none."
        ),
    ] = None,
) -> None:
    """
    Print which deals due in a period slipped out of it.

    Of the deals that were open on the day of --since and expected to close before --until.
    """
    request.show("slippage", settle=settle)


@on_history(window=True)
def coverage(
    request: PastRequest,
    target: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What is to be won in the period.")
    ] = None,
    win_rate: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Share of open deals that is won [default: that of the last year].",
        ),
    ] = None,
) -> None:
    """
    Print whether the open pipeline is enough for a target.

    The deals expected to close from --since to the day before --until, against what is left of --target.
    """
    if target is None:
        msg = "coverage needs --target AMOUNT: what is to be won in the period"
        raise ConfigError(msg)
    request.show(
        "coverage", target=number("--target", target), win_rate=number("--win-rate", win_rate)
    )


@on_history(window=True)
def forecast(
    request: PastRequest,
    period: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="day, week, month, quarter or year [default: month]."),
    ] = None,
) -> None:
    """
    Print what a period will close at, by what is open now.

    The deals won or expected to close from --since to the day before --until.
    """
    request.show("forecast", period=period)
