"""The commands for what changed and what is to come: ``waterfall``, ``slippage``, ``coverage``, ``forecast``."""

from __future__ import annotations

from typing import Annotated

import typer

from dealdb.cli.arguments import names
from dealdb.cli.commands.past.request import PastRequest, number, on_history
from dealdb.errors import ConfigError

_Due = Annotated[
    str | None,
    typer.Option(
        metavar="PERIOD",
        help="Only deals expected to close in it: this-quarter, 2026-Q4, or FROM,TO with TO outside.",
    ),
]
_Gross = Annotated[
    bool,
    typer.Option(
        "--gross",
        help="Count each move by itself; else only the first and the last day are compared.",
    ),
]
_Fx = Annotated[
    bool, typer.Option("--fx", help="With --to: a row for what the change of rates alone moved.")
]


@on_history(window=True, default="monday", needs=("since",))
def waterfall(
    request: PastRequest, due: _Due = None, gross: _Gross = False, fx: _Fx = False
) -> None:
    """
    Print what led from one day's open pipeline to another's.

    It answers: what changed since a day (Monday, without --since)? From the open value of then to that of now, or of
    --until: created, won, lost, pushed out and so on, which add up exactly. --deals says which deals they were.
    """
    request.show("waterfall", due=None if due is None else names(due), net=not gross, fx=fx)


@on_history(window=True, default="monday", needs=("since",))
def changed(request: PastRequest, due: _Due = None, gross: _Gross = False, fx: _Fx = False) -> None:
    """
    Print what changed since Monday, or another day.

    The same as waterfall. It answers: what came in, what was won, lost or moved since a day? On a Monday, it looks at
    the week before. --deals says which deals they were.
    """
    request.show("waterfall", due=None if due is None else names(due), net=not gross, fx=fx)


@on_history(window=True, default="this-quarter", needs=("since", "until"))
def slippage(
    request: PastRequest,
    settle: Annotated[
        str | None,
        typer.Option(
            metavar="TIME", help="Leave out dates that were set back within this time, such as 1h."
        ),
    ] = None,
) -> None:
    """
    Print which deals due in a period slipped out of it.

    It answers: how many of the deals that were due did not close? Of those that were open as the period began, and
    expected to close in it (this quarter, unless --since and --until or --in say otherwise).
    """
    request.show("slippage", settle=settle)


@on_history(window=True, default="this-quarter", needs=("since", "until"))
def coverage(
    request: PastRequest,
    target: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="What is to be won in the period; needed.")
    ] = None,
    win_rate: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Share of deals that are won, such as 0.25 [default: that of the last 365 days].",
        ),
    ] = None,
) -> None:
    """
    Print whether the open pipeline is enough for a target.

    It answers: do we have enough to reach the target? What is still to be won in the period (this quarter, unless
    --since and --until or --in say otherwise), against the open deals that are due in it, at the usual win rate.
    """
    if target is None:
        msg = "coverage needs --target AMOUNT, what is to be won in the period: --target 500000"
        raise ConfigError(msg)
    request.show(
        "coverage", target=number("--target", target), win_rate=number("--win-rate", win_rate)
    )


@on_history(window=True, default="this-quarter", needs=("since", "until"))
def forecast(
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
    Print what a period will close at, by what is open now.

    It answers: what will this quarter close at, by the deals we have and their chances? What is won so far, and what
    open deals bring that are due in the period (this quarter, unless --since and --until or --in say otherwise). dealdb
    simulate answers it from what deals did in the past.
    """
    request.show("forecast", period=period)
