"""A report as a workbook: a sheet with the figures at the top, and one for each table, with all digits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.drawing.movement import SIGNED
from dealdb.answers.people import words_of
from dealdb.formats.locale import PLAIN
from dealdb.report.contents import ReportContents
from dealdb.report.parts import Cell, ReportSection, ReportTable
from dealdb.report.writing.cells import (
    headings,
    is_step,
    moment_text,
    title_of,
    top_of,
    zone_sentence,
)


def sheets_of(contents: ReportContents) -> dict[str, pl.DataFrame]:
    """
    The sheets of the workbook, by name.

    Raises
    ------
    MissingExtra
        If the extra ``xlsx`` is not installed, when they are written.
    """
    found = {"Report": _brief(contents), "Figures": _figures(contents)}
    for section in contents.sections:
        found |= {table.sheet: _frame(table, contents.zone) for table in section.tables}
    found["Data quality"] = _quality(contents)
    found["Commands"] = _commands(contents)
    return found


def _brief(contents: ReportContents) -> pl.DataFrame:
    lines = [
        title_of(contents),
        *contents.brief,
        contents.compared_with,
        *(line for section in contents.sections for line in _told(section)),
        f"All figures are of commit {contents.commit}, as of {moment_text(contents, PLAIN)}. {zone_sentence(contents)}",
        *contents.remarks,
    ]
    return pl.DataFrame({"sales report": lines}, schema={"sales report": pl.String})


def _told(section: ReportSection) -> Iterator[str]:
    """What a section says, and which of its rows no sheet has."""
    yield f"{section.title} {section.answer}"
    # what all of it rests on comes at the end
    yield from () if section.quality else section.notes
    for table in section.tables:
        if table.left_out:
            yield f"{table.sheet} has {len(table.rows)} of {table.total:,} rows; the commands give all."


def _figures(contents: ReportContents) -> pl.DataFrame:
    """Figures at the top; money, counts and shares have columns of their own, so that each is exact."""
    rows = [
        {
            "figure": headline.label,
            "currency": pair.currency,
            "now": _number(pair.now),
            "before": _number(pair.before),
            "change": _change(_number(pair.now), _number(pair.before)),
            "compared with": headline.than,
        }
        for headline in contents.headlines
        for pair in headline.values
    ]
    number = pl.Decimal(38, 6)
    schema = {
        "figure": pl.String(),
        "currency": pl.String(),
        "now": number,
        "before": number,
        "change": number,
        "compared with": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema)


def _number(cell: Cell | None) -> Decimal | None:
    value: Any = None if cell is None else cell.value
    if value is None:
        return None
    return Decimal(repr(value)) if isinstance(value, float) else Decimal(value)


def _change(now: Decimal | None, before: Decimal | None) -> Decimal | None:
    return None if now is None or before is None else now - before


def _frame(table: ReportTable, zone: str) -> pl.DataFrame:
    frame = table.frame
    rows = frame[list(table.rows)]
    columns: list[pl.Series] = []
    for key in table.keys:
        column = rows.select(SIGNED)["value"] if is_step(table, key) else rows[key]
        columns.append(_in_words(table.evidence.name, _in_zone(column, zone)))
        if key == "id":
            columns += [
                pl.Series(name, [None if each is None else str(each) for each in values], pl.String)
                for name, values in table.beside.items()
            ]
    names: list[str] = []
    for name, _ in headings(table):
        names.append(name if name not in names else f"{name} {len(names)}")
    return pl.DataFrame([each.alias(name) for each, name in zip(columns, names, strict=True)])


def _in_words(metric: str, column: pl.Series) -> pl.Series:
    """What people call the codes of a column of texts."""
    if column.dtype != pl.String:
        return column
    words = [None if each is None else words_of(metric, column.name, each) for each in column]
    return pl.Series(column.name, words, pl.String)


def _in_zone(column: pl.Series, zone: str) -> pl.Series:
    """Moments as the clocks of a zone show them, which is what a sheet can have."""
    if not isinstance(column.dtype, pl.Datetime):
        return column
    moments = column if column.dtype.time_zone else column.dt.replace_time_zone("UTC")
    return moments.dt.convert_time_zone(zone).dt.replace_time_zone(None)


def _quality(contents: ReportContents) -> pl.DataFrame:
    rows = [
        {
            "what": note.text,
            "deals": note.evidence.frame.height if note.evidence.frame is not None else 0,
            "currency": currency,
            "value": value,
            "effect": note.effect,
            "command": note.evidence.typed,
        }
        for section in contents.sections
        for note in section.quality
        for currency, value in note.sums.items() or [(None, None)]
    ]
    schema = {
        "what": pl.String(), "deals": pl.Int64(), "currency": pl.String(), "value": pl.Decimal(38, 2),
        "effect": pl.String(), "command": pl.String(),
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema)


def _commands(contents: ReportContents) -> pl.DataFrame:
    parts = [("The figures at the top", top_of(contents))]
    parts += [(section.title, list(section.evidence)) for section in contents.sections]
    rows = [
        {
            "section": title,
            "command": evidence.typed,
            "rests on": evidence.basis,
            "definition": (evidence.definition or ("",))[0],
            "to know": "; ".join(evidence.warnings) or evidence.why,
        }
        for title, asked in parts
        for evidence in asked
    ]
    names = ("section", "command", "rests on", "definition", "to know")
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String()))
