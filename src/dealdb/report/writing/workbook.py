"""A report as a workbook: a sheet with the figures at the top, and one for each table, with all digits."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.drawing.movement import SIGNED
from dealdb.answers.people import words_of
from dealdb.formats.locale import PLAIN
from dealdb.formats.workbook import texts_in
from dealdb.model.decimals import EXACT
from dealdb.report.contents import ReportContents
from dealdb.report.parts import ReportSection, ReportTable
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
    if n := texts_in(found):
        found["Report"] = _with_line(found["Report"], _on_texts(n))
    return found


def _on_texts(n: int) -> str:
    if n == 1:
        return "1 number has more digits than a spreadsheet keeps: it is a text, and counts in no sum of a sheet."
    return f"{n:,} numbers have more digits than a spreadsheet keeps: they are texts, and count in no sum of a sheet."


def _with_line(lines: pl.DataFrame, text: str) -> pl.DataFrame:
    return lines.vstack(pl.DataFrame({lines.columns[0]: [text]}))


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
    """Figures at the top: money, counts and shares, each with its own digits."""
    rows = [
        {
            "figure": headline.label,
            "currency": pair.currency,
            "now": now,
            "before": before,
            "change": _change(now, before),
            "compared with": headline.than,
        }
        for headline in contents.headlines
        for pair in headline.values
        for now, before in [
            [None if each is None else each.value for each in (pair.now, pair.before)]
        ]
    ]
    schema = {
        "figure": pl.String(),
        "currency": pl.String(),
        "now": pl.Object(),
        "before": pl.Object(),
        "change": pl.Object(),
        "compared with": pl.String(),
    }
    return pl.DataFrame(rows, schema=schema)


def _change(now: Any, before: Any) -> int | float | Decimal | None:
    if now is None or before is None:
        return None
    if isinstance(now, int):
        return now - int(before)
    if isinstance(now, float):
        # 0.3 less 0.1 is 0.2, and not what floats leave of it
        return float(Decimal(repr(now)) - Decimal(repr(before)))
    return EXACT.subtract(now, before)


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
        "what": pl.String(), "deals": pl.Int64(), "currency": pl.String(), "value": pl.Object(),
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
