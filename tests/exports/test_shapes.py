"""Each shape is what it claims to be, and says what the truth says."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exports.deals import COMPANIES, KINDS, PEOPLE, Deal
from exports.files import JSON_CONTAINERS
from exports.shape import Export, make
from exports.shapes import BY_NAME, SHAPES
from exports.style import LOCALES

SEEDS = range(5)
DAYS = ("created", "expected_close", "closed")


@pytest.fixture(params=SHAPES, ids=lambda shape: shape.name)
def exports(request: pytest.FixtureRequest, tmp_path: Path) -> list[Export]:
    return [make(request.param, f"{seed}:{request.param.name}:test", tmp_path) for seed in SEEDS]


def lines_of(export: Export) -> list[list[Any]]:
    """The rows of a table, the header first, without what stands around it."""
    if export.style.container == "parquet":
        frame = pl.read_parquet(export.path)
        return [frame.columns, *map(list, frame.rows())]
    if export.style.container == "xlsx":
        frame = pl.read_excel(export.path, has_header=False, infer_schema_length=0)
        rows = [["" if cell is None else cell for cell in row] for row in frame.rows()]
    else:
        encoding = export.style.encoding
        try:
            text = export.path.read_bytes().decode(encoding)
        except UnicodeDecodeError:
            text = export.path.read_bytes().decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text), delimiter=export.style.separator))
    width = max(map(len, rows))
    full = [row for row in rows if len(row) == width and any(row)]
    head = export.headers["name" if "id" not in export.headers else "id"][0]
    start = next(number for number, row in enumerate(full) if head in row)
    return full[start:]


def records_in(value: Any) -> Iterator[dict[str, Any]]:
    """The longest list of objects in an answer."""
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        members = [list(records_in(each)) for each in value.values()]
        yield from max(members, key=len, default=[])


def ids_in(export: Export) -> set[str]:
    key = "id" if "id" in export.headers else "name"
    head = export.headers[key][0]
    if export.style.container not in JSON_CONTAINERS:
        header, *rows = lines_of(export)
        return {str(row[header.index(head)]).strip() for row in rows}
    text = export.path.read_text(encoding="utf-8")
    if export.style.container in ("jsonl", "pages"):
        answers = [json.loads(line) for line in text.splitlines()]
        lines = export.style.container == "jsonl"
        records = answers if lines else [each for page in answers for each in records_in(page)]
    else:
        records = list(records_in(json.loads(text)))
    return {str(record.get(head) or record.get("dealId") or record.get("id")) for record in records}


def test_it_parses_and_has_every_deal(exports: list[Export]) -> None:
    for export in exports:
        key = "id" if "id" in export.headers else "name"
        wanted = {str(getattr(deal, key)) for deal in export.deals}
        assert wanted <= ids_in(export), export.seed


def test_the_truth_has_all_outcomes_and_nothing_that_the_export_leaves_out(
    exports: list[Export],
) -> None:
    for export in exports:
        assert {deal.kind for deal in export.deals} == set(KINDS)
        if "currency" not in export.fields:
            assert {deal.currency for deal in export.deals} == {None}


def test_the_columns_say_the_truth(exports: list[Export]) -> None:
    for export in exports:
        told = [column.tells for column in export.shape.columns(export.style)]
        for column in export.shape.columns(export.style):
            if told.count(column.tells) > 1:
                continue
            for deal in export.deals:
                value = column.value(full(deal))
                if isinstance(value, date | None) and column.tells in DAYS:
                    day = value.date() if isinstance(value, datetime) else value
                    assert day == getattr(deal, column.tells), column.header
                if isinstance(value, str) and column.tells in ("id", "name", "owner", "company"):
                    assert value == str(getattr(deal, column.tells)), column.header


def full(deal: Deal) -> Deal:
    """The deal as it was before the export hid some of it."""
    number = deal.owner.isdigit() if deal.owner else True
    owner = PEOPLE[(int(deal.owner or 100_200) - 100_200) // 7] if number else deal.owner
    digits = bool(deal.company) and str(deal.company).isdigit()
    company = COMPANIES[(int(deal.company or 0) - 5_001) // 3] if digits else deal.company
    return replace(deal, owner=owner, company=company or COMPANIES[0])


def test_a_seed_gives_the_same_export_again(tmp_path: Path) -> None:
    for shape in SHAPES:
        files = [make(shape, f"1:{shape.name}:again", tmp_path / name).path for name in ("a", "b")]
        assert files[0].read_bytes() == files[1].read_bytes()


def test_names_of_shapes_are_unique() -> None:
    assert len(BY_NAME) == len(SHAPES)


def test_every_locale_and_dirt_is_used() -> None:
    used = {name for shape in SHAPES for name in shape.locales}
    assert used == set(LOCALES)
