"""The judge: what is right, asked, told and silent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dealdb.loader.report import LoadReport
from exports.judge import Judge, Verdict, a_judge, is_told, words_of
from exports.shape import Column, Export, Shape, Stages, make
from exports.style import Chance, Money, Style

STAGES = Stages(
    ("Lead", "Qualified", "Demo", "Proposal", "Negotiation"), "Closed Won", "Closed Lost"
)


def columns(style: Style, id_header: str = "id", owner: str = "owner") -> list[Column]:
    return [
        Column(id_header, lambda d: d.id, "id"),
        Column("name", lambda d: d.name, "name"),
        Column(owner, lambda d: d.owner, "owner"),
        Column("stage", lambda d: STAGES.of(d, style), "outcome"),
        Column("amount", lambda d: Money(d.amount, d.currency), "amount"),
        Column("currency", lambda d: d.currency, "currency"),
        Column("probability", lambda d: Chance(d.probability), "probability"),
        Column("created", lambda d: d.created, "created"),
        Column("close_date", lambda d: d.last_day, "close"),
    ]


PLAIN = Shape(name="plain", columns=columns)


@pytest.fixture
def judge() -> Iterator[Judge]:
    with a_judge() as judge:
        yield judge


@pytest.fixture
def export(tmp_path: Path) -> Export:
    return make(PLAIN, "1:plain:0", tmp_path)


def test_what_is_read_as_it_was_written_is_right(judge: Judge, export: Export) -> None:
    assert judge.judge(export).verdict is Verdict.RIGHT


def test_another_truth_is_silently_wrong(judge: Judge, export: Export) -> None:
    changes: dict[str, dict[str, Any]] = {
        "owner": {"owner": "Nobody"},
        "outcome": {"kind": "none"},
        "amount": {"amount": Decimal("0.5")},
        "currency": {"currency": "XXX"},
        "probability": {"probability": Decimal("0.33")},
        "created": {"created": None},
        "ids": {"id": "other"},
    }
    first, *rest = export.deals
    for kind, change in changes.items():
        judgement = judge.judge(replace(export, deals=[replace(first, **change), *rest]))
        assert (judgement.verdict, judgement.silent) == (Verdict.SILENT, (kind,))


def test_a_deal_too_many_is_counted(judge: Judge, export: Export) -> None:
    assert judge.judge(replace(export, deals=export.deals[1:])).silent == ("deals",)


def test_one_question_is_answered(judge: Judge, tmp_path: Path) -> None:
    shape = replace(PLAIN, columns=lambda style: columns(style, id_header="Zahl"))
    assert judge.judge(make(shape, "1:asks:0", tmp_path)).verdict is Verdict.ASKED


def test_what_can_not_be_answered_is_refused(judge: Judge, export: Export) -> None:
    export.path.write_bytes(b"PK\x03\x04 is no workbook")
    path = export.path.rename(export.path.with_suffix(".xlsx"))
    assert judge.judge(replace(export, path=path)).verdict is Verdict.REFUSED


def test_a_column_that_nobody_reads_is_silent(judge: Judge, tmp_path: Path) -> None:
    shape = replace(
        PLAIN,
        columns=lambda style: [
            replace(each, header="Glaube") if each.header == "probability" else each
            for each in columns(style)
        ],
    )
    judgement = judge.judge(make(shape, "1:probability:0", tmp_path))
    assert (judgement.verdict, judgement.silent) == (Verdict.SILENT, ("probability",))


def report(*notes: str, **reasons: int) -> LoadReport:
    return LoadReport(
        source="x", format="csv", notes=notes, reasons=reasons, rejected=sum(reasons.values())
    )


@pytest.mark.parametrize(
    ("kind", "note"),
    [
        ("owner", "no column is the owner"),
        ("currency", "several currencies, and no column for them"),
        ("deals", "left out: 3 deleted records"),
        ("expected_close", "no column has close dates"),
        ("counts", "stages whose outcome is not known: 3"),
    ],
)
def test_a_note_about_the_field_is_a_word(export: Export, kind: str, note: str) -> None:
    said = report(note)
    assert is_told(kind, export, said, words_of(said))
    assert not is_told("probability", export, said, words_of(said))


@pytest.mark.parametrize(
    "note",
    [
        "decimal commas in 'amount'",
        "day first in dates of 'created'",
        "'probability' counts from 0 to 100",
        "close dates split by outcome into 'closed' and 'expected_close'",
        "times of day dropped in 'created': 3; its field is a date",
        "sheet 'Deals'",
    ],
)
def test_how_a_file_was_read_is_not_a_word(export: Export, note: str) -> None:
    assert words_of(report(note)) == ()


def test_rejected_rows_are_a_word_for_their_deals(export: Export) -> None:
    said = report(**{"amount: not-a-number": 2})
    assert is_told("deals", export, said, words_of(said))
    assert is_told("amount", export, said, words_of(said))
    assert not is_told("owner", export, said, words_of(said))
