"""The command ``pipeline``: the stages and the calendar."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

import typer

from dealdb.cli.arguments import names
from dealdb.cli.commands.stats import AsOf, By, Where, figures_of, print_metric
from dealdb.cli.output.printing import TableFile, print_facts, save_rows, table_file
from dealdb.cli.output.streams import Output
from dealdb.cli.session import At, Parquet, Session, Xlsx
from dealdb.errors import ConfigError
from dealdb.model.pipeline import Kind, Pipeline, Stage


def pipeline(
    session: Session,
    by: By = None,
    where: Where = None,
    as_of: AsOf = None,
    at: At = None,
    set_to: Annotated[
        str | None,
        typer.Option(
            "--set",
            metavar="STAGES",
            help=(
                "Define the stages: NAME:KIND[:PROBABILITY[:ROT_DAYS[:CATEGORY]]],...; "
                "a NAME with commas in quotes."
            ),
        ),
    ] = None,
    force: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--force", help="With --set: also leave out stages that deals are in.")
    ] = False,
    closes: Annotated[
        bool | None,
        typer.Option(
            "--closes/--no-closes",
            help="Whether saving a deal as won or lost sets its closing date, and reopening it clears that.",
        ),
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="NAME", help="Time zone, such as Europe/Berlin.")
    ] = None,
    week_start: Annotated[
        int | None, typer.Option(metavar="DAY", help="First day of weeks: 1 Monday to 7 Sunday.")
    ] = None,
    fiscal_start: Annotated[
        int | None,
        typer.Option(metavar="MONTH", help="First month of fiscal quarters and years, 1 to 12."),
    ] = None,
    fiscal_name: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Whether a fiscal year is called by the year of its end or of its start: end or start.",
        ),
    ] = None,
    fiscal_pattern: Annotated[
        str | None,
        typer.Option(
            metavar="WEEKS",
            help="Fiscal periods of whole weeks: 4-4-5, 4-5-4 or 5-4-4; none ends it.",
        ),
    ] = None,
    fiscal_year_end: Annotated[
        str | None,
        typer.Option(
            metavar="RULE",
            help="With WEEKS: last saturday of january, nearest saturday to january.",
        ),
    ] = None,
    renamed: Annotated[
        list[str] | None,
        typer.Option(
            metavar="OLD=NEW",
            help="A stage's old name, for the past; OLD= forgets it. May be repeated.",
        ),
    ] = None,
    calendar: Annotated[  # noqa: FBT002 a flag
        bool, typer.Option("--calendar", help="Print zone, weeks and fiscal years.")
    ] = False,
    parquet: Parquet = None,
    xlsx: Xlsx = None,
) -> None:
    """
    Print the stages with their deals, or define them.

    KIND is open, won or lost; CATEGORY is pipeline, bestcase, commit or omitted; the order is the order of the stages.
    To leave out a stage that deals are in takes --force: these deals then count as open, whatever the stage is called.
    What is not given stays as it is. At first it is --closes, UTC, weeks from Monday and years from January.
    """
    options = {"by": names(by), "where": where, "as_of": as_of}
    file = table_file(parquet, xlsx)
    settings = {
        "zone": zone,
        "week_start": week_start,
        "fiscal_start": fiscal_start,
        "fiscal_name": fiscal_name,
        "fiscal_pattern": fiscal_pattern,
        "fiscal_year_end": fiscal_year_end,
    }
    given = {name: value for name, value in settings.items() if value is not None}
    sets_calendar = bool(given or renamed)
    if force and set_to is None:
        msg = "--force belongs to --set, which defines the stages"
        raise ConfigError(msg)
    if set_to is None and closes is None and not sets_calendar:
        with session.reading(at) as db:
            if calendar:
                _show(db.pipeline, session, file)
                return
            print_metric(figures_of(db.analytics, "pipeline", options), session.output, file)
        return
    if at or any(options.values()):
        name = "--set" if set_to is not None else "--closes" if closes is not None else "a calendar"
        means = "defines the stages for" if set_to is not None else "is for"
        msg = f"{name} {means} all deals: leave out --by, --where, --as-of and --at"
        raise ConfigError(msg)
    stages = None if set_to is None else parse_stages(set_to)
    with session.open() as db:
        now = db.pipeline
        wanted = replace(
            now,
            stages=now.stages if stages is None else stages.stages,
            closes=now.closes if closes is None else closes,
            renamed=_with_names(now.renamed, renamed or []),
            **_without_pattern(given),
        )
        db.set_pipeline(wanted, force=force)
        found = db.pipeline
    if sets_calendar or calendar:
        _show(found, session, file)
        return
    rows = [{**asdict(stage), "kind": str(stage.kind)} for stage in found]
    save_rows(rows, ["name", "kind", "probability", "rot_days", "category"], session.output, file)


def _show(pipeline: Pipeline, session: Session, file: TableFile | None) -> None:
    """Print what a pipeline says besides its stages."""
    if file is not None:
        msg = "the calendar is a few facts: leave out --parquet and --xlsx"
        raise ConfigError(msg)
    settings = pipeline.settings()
    if session.output is Output.TABLE:
        settings["renamed"] = [f"{old}={new}" for old, new in settings["renamed"].items()] or "-"
        settings = {name: "-" if value is None else value for name, value in settings.items()}
    print_facts(settings, session.output)


def _without_pattern(given: dict[str, Any]) -> dict[str, Any]:
    """Settings as they are to be: ``none`` ends a pattern, and with it the rule for its years."""
    if given.get("fiscal_pattern") == "none":
        return {**given, "fiscal_pattern": None, "fiscal_year_end": None}
    return given


def _with_names(known: Mapping[str, str], words: list[str]) -> dict[str, str]:
    """Old names of stages with new ones, after those of ``--renamed``."""
    names = dict(known)
    for word in words:
        old, sign, new = word.partition("=")
        if not sign or not old:
            msg = f"--renamed takes OLD=NEW, not {word!r}"
            raise ConfigError(msg)
        if new:
            names[old] = new
        else:
            names.pop(old, None)
    return names


def parse_stages(text: str) -> Pipeline:
    """
    Pipeline from the text of ``--set``, as ``Pipeline.to_text`` writes it.

    Raises
    ------
    ConfigError
        If a stage is not ``NAME:KIND[:PROBABILITY[:ROT_DAYS[:CATEGORY]]]``.
    SchemaError
        If a probability or a number of days is out of range, or a name occurs twice.

    Examples
    --------
    >>> [stage.name for stage in parse_stages("Lead:open:0.1:30,Won:won")]
    ['Lead', 'Won']
    >>> [stage.name for stage in parse_stages('"Lead, cold":open,Won:won')]
    ['Lead, cold', 'Won']
    """
    return Pipeline(tuple(_parse_stage(item.strip()) for item in _STAGE.findall(text)))


# a name in quotes may have commas and colons; anything else ends at the next comma
_STAGE = re.compile(r'(?:^|(?<=,))(?:\s*"(?:[^"]|"")*"(?=\s*:))?[^,]*')
_QUOTED = re.compile(r'"(?:[^"]|"")*"(?=:)')


def _parse_stage(text: str) -> Stage:
    quoted = _QUOTED.match(text)
    name, rest = (quoted[0], text[quoted.end() :]) if quoted else text.partition(":")[::2]
    if quoted:
        name, rest = name[1:-1].replace('""', '"'), rest.removeprefix(":")
    kind, probability, rot_days, category = (*rest.split(":"), "", "", "", "")[:4]
    if rest.count(":") > 3 or kind not in set(Kind):
        msg = f"{text!r} is not NAME:KIND[:PROBABILITY[:ROT_DAYS[:CATEGORY]]] with KIND open, won or lost"
        raise ConfigError(msg)
    try:
        chance = Decimal(probability) if probability else None
        days = int(rot_days) if rot_days else None
    except (InvalidOperation, ValueError):
        msg = f"{text!r}: PROBABILITY is a number from 0 to 1, ROT_DAYS a whole number"
        raise ConfigError(msg) from None
    return Stage(name, Kind(kind), chance, days, category or None)
