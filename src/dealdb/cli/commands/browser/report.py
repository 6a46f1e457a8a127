"""The command ``report``."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import typer

from dealdb.answers.day_words import read_named_day
from dealdb.cli.arguments import names
from dealdb.cli.commands.stats import By, Where
from dealdb.cli.output.printing import busy
from dealdb.cli.output.streams import Output, note
from dealdb.cli.session import Session
from dealdb.errors import ConfigError
from dealdb.model.fiscal import time_zone


def report(
    session: Session,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="File to write: .html, .md or .xlsx; - is stdout.",
        ),
    ] = "report.html",
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="First day to look at: 2026-10-01, yesterday [default: monday]."
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Up to the day before this one.")
    ] = None,
    by: By = None,
    where: Where = None,
    as_of: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="As it stood at the end of this day [default: today]."),
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(metavar="CURRENCY", help="Convert money, by the rates of dealdb rates."),
    ] = None,
    locale: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="Numbers and days as in de-DE, fr-FR; plain [default: plain]."
        ),
    ] = None,
) -> None:
    """
    Write a sales report as one file, to be sent around.

    It says what happened since Monday (or --since), what is open, what the quarter will close at, which deals wait too
    long, who won what, why deals were lost, and what in the data would mislead. Each figure names the command that
    gives the same number. HTML is one page without scripts, which opens anywhere and prints; Markdown and XLSX have
    the same figures.
    """
    if session.output is not Output.TABLE:
        msg = f"a report is a file: leave out --{session.output}, and name it with -o report.html"
        raise ConfigError(msg)
    # not at the top: the help of a command needs none of it
    from dealdb.report import report_of
    from dealdb.report.report import kind_of

    kind = kind_of(output)
    with session.open() as db, busy("making the report ..."):

        def today() -> date:
            return datetime.now(time_zone(db.pipeline.zone)).date()

        def day(text: str | None, option: str) -> date | None:
            return None if text is None else read_named_day(text, option, today)

        made = report_of(
            db,
            since=day(since, "since"),
            until=day(until, "until"),
            by=names(by),
            where=where,
            as_of=day(as_of, "as_of"),
            to=to,
            locale="" if locale in (None, "plain") else locale or "",
        )
        size = made.save(output, kind=kind)
    if output != "-":
        note(f"{output}: {size:,} bytes, all figures of commit {made.contents.commit:,}")
