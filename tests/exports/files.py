"""Writing records as CSV, JSON, XLSX or Parquet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from exports.dirt import Record, Sheet
from exports.style import Chance, Money, Style
from exports.xlsx import workbook

# a list, a record a line, the answer of a program, and several such answers one after the other
JSON_CONTAINERS = ("json", "jsonl", "envelope", "pages")


@dataclass(frozen=True, kw_only=True)
class Form:
    """
    How a program has its records in JSON.

    Attributes
    ----------
    nest
        What becomes of each record.
    envelope
        What the list of records is wrapped in.
    more
        What an answer has in place of some of its members, when more pages follow.
    moments
        How moments are written: the keys of ``_moment``.
    texts
        Whether numbers are texts.
    """

    nest: Callable[[Record], Record] | None = None
    envelope: Callable[[list[Record]], Any] | None = None
    more: Record = field(default_factory=dict)
    moments: str = "z"
    texts: bool = False


PLAIN = Form()


def write(form: Form, sheet: Sheet, style: Style, path: Path) -> Path:
    """Write an export in the container of its style; gives the path, with its suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if style.container in JSON_CONTAINERS:
        path = path.with_suffix(".jsonl" if style.container == "jsonl" else ".json")
        path.write_text(_json(form, sheet, style), encoding="utf-8")
    elif style.container == "xlsx":
        path = path.with_suffix(".xlsx")
        workbook(path, [[_typed(cell, style) for cell in row] for row in _lines(sheet)])
    elif style.container == "parquet":
        path = path.with_suffix(".parquet")
        _parquet(sheet, style, path)
    else:
        path = path.with_suffix(".csv")
        path.write_bytes(_csv(sheet, style))
    return path


def _lines(sheet: Sheet) -> list[list[Any]]:
    lines: list[list[Any]] = [*sheet.above, list(sheet.records[0])]
    for number, record in enumerate(sheet.records):
        if number in sheet.gaps:
            lines.append([])
        lines.append(list(record.values()))
    return [*lines, *sheet.below]


def _csv(sheet: Sheet, style: Style) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=style.separator)
    writer.writerows([[_text(cell, style) for cell in row] for row in _lines(sheet)])
    try:
        return text.getvalue().encode(style.encoding)
    except UnicodeEncodeError:
        return text.getvalue().encode("utf-8-sig")


def _text(cell: Any, style: Style) -> str:
    """A cell as text in the style of the export."""
    match cell:
        case None | Money(amount=None) | Chance(share=None):
            return ""
        case Money(amount=Decimal() as amount, currency=currency):
            return style.amount(amount, currency)
        case Chance(share=Decimal() as share):
            return style.probability(share)
        case Decimal():
            return style.number(cell)
        case datetime():
            return style.moment(cell)
        case date():
            return style.day(cell)
        case _:
            return str(cell)


def _typed(cell: Any, style: Style) -> Any:
    """A cell with a type of its own, as workbooks and Parquet have it."""
    match cell:
        case Money(amount=amount, currency=currency):
            if amount is not None and style.money in ("sign before", "sign behind", "code"):
                return style.amount(amount, currency)
            return amount
        case Chance(share=None):
            return None
        case Chance(share=Decimal() as share):
            if style.chance == "text":
                return style.probability(share)
            return float(share if style.chance == "fraction" else share * 100)
        case bool() | int() | float() | Decimal() | date() | str() | None:
            return cell
        case _:
            return str(cell)


def _parquet(sheet: Sheet, style: Style, path: Path) -> None:
    records = [{key: _typed(cell, style) for key, cell in row.items()} for row in sheet.records]
    frame = pl.DataFrame(records, infer_schema_length=None)
    kind = style.one_of("decimal", "float")
    for name, dtype in frame.schema.items():
        if dtype.is_decimal():
            to = pl.Decimal(18, 2) if kind == "decimal" else pl.Float64()
            frame = frame.with_columns(pl.col(name).cast(to))
    frame.write_parquet(path)


def _moment(moment: datetime, how: str) -> Any:
    aware = moment.replace(tzinfo=UTC)
    return {
        "z": f"{moment:%Y-%m-%dT%H:%M:%S}.000Z",
        "offset": f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000",
        "colon": f"{moment:%Y-%m-%dT%H:%M:%S}+02:00",
        "space": f"{moment:%Y-%m-%d %H:%M:%S}",
        "ms": int(aware.timestamp() * 1000),
        "seconds": f"{moment:%Y-%m-%dT%H:%M:%S}Z",
        "micro": f"{moment:%Y-%m-%dT%H:%M:%S}.351337+00:00",
        "s": int(aware.timestamp()),
    }[how]


def _json_value(cell: Any, form: Form, style: Style) -> Any:
    """A cell as a JSON value; what is nested, member by member."""
    match cell:
        case dict():
            return {key: _json_value(each, form, style) for key, each in cell.items()}
        case list():
            return [_json_value(each, form, style) for each in cell]
        case datetime():
            value = _moment(cell, form.moments)
            return str(value) if form.texts else value
        case date():
            return cell.isoformat()
        case Money(amount=Decimal() as number) | (Decimal() as number):
            whole = number == number.to_integral_value()
            plain = int(number) if whole else float(number)
            return f"{number:f}" if form.texts else plain
        case Chance(share=Decimal() as share):
            number = share if style.chance == "fraction" else share * 100
            text = f"{number.normalize():f}"
            return text if form.texts else json.loads(text)
        case Money() | Chance():
            return None
        case _:
            return cell


def _json(form: Form, sheet: Sheet, style: Style) -> str:
    nest = form.nest or (lambda record: record)
    records = [_json_value(nest(record), form, style) for record in sheet.records]
    if style.container == "jsonl":
        return "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    envelope = form.envelope or (lambda each: {"data": each})
    if style.container == "pages":
        half = len(records) // 2
        pages = [{**envelope(records[:half]), **form.more}, envelope(records[half:])]
        return "".join(json.dumps(page, ensure_ascii=False) + "\n" for page in pages)
    whole: Any = records
    if style.container == "envelope":
        whole = {**envelope(records), **(form.more if sheet.more else {})}
    return json.dumps(whole, ensure_ascii=False, indent=int(style.one_of("2", "0")) or None)
