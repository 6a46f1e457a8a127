"""What a report is made of: headline figures, tables and sections, all of which point into their evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import polars as pl

from dealdb.analytics.options import NONE
from dealdb.charts import Chart, Unit
from dealdb.report.evidence import Evidence, bounded


@dataclass(frozen=True, slots=True)
class Cell:
    """One figure: a column of a row of the evidence."""

    evidence: Evidence
    row: int
    key: str

    @property
    def value(self) -> Any:
        """What stands there."""
        frame = self.evidence.frame
        return None if frame is None else frame[self.key][self.row]

    @property
    def currency(self) -> str | None:
        """Of money, where deals name one."""
        frame = self.evidence.frame
        return None if frame is None else self.evidence.money_in(frame.row(self.row, named=True))


@dataclass(frozen=True, slots=True)
class ThenAndNow:
    """A figure of one currency, and what it was before; None where there is none."""

    now: Cell | None
    before: Cell | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Headline:
    """
    A figure at the top, of each currency, with what it was before.

    Attributes
    ----------
    label
        For people.
    unit
        Of its values.
    values
        One for each currency.
    than
        What the values before are of; empty where it has none.
    """

    label: str
    unit: Unit
    values: Sequence[ThenAndNow]
    than: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTable:
    """
    Rows of evidence, in an order, with the columns that people need.

    Attributes
    ----------
    title
        Above it; empty where the section has no other.
    evidence
        Whose rows.
    keys
        Columns.
    rows
        Which rows, by their numbers.
    labels
        What columns are called where it is not what their metric calls them.
    beside
        Columns that are no figures, such as the names of deals, by the label behind which they stand.
    total
        Of how many rows these are some.
    """

    title: str
    evidence: Evidence
    keys: Sequence[str]
    rows: Sequence[int]
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    total: int = 0

    @property
    def frame(self) -> pl.DataFrame:
        """The rows of the evidence, which has some where there is a table."""
        if self.evidence.frame is None:
            msg = f"a table of {self.evidence.name}, which has no rows"
            raise ValueError(msg)
        return self.evidence.frame

    @property
    def left_out(self) -> int:
        """Rows that are not shown."""
        return max(0, self.total - len(self.rows))


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityNote:
    """
    Deals that make figures mislead.

    Attributes
    ----------
    text
        What is odd about them, with their number.
    effect
        What it does to the figures.
    evidence
        The deals.
    sums
        What they are worth, by currency.
    """

    text: str
    effect: str
    evidence: Evidence
    sums: Mapping[str | None, Decimal]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """
    A part of the report under one heading.

    Attributes
    ----------
    key
        Short name, for links.
    title
        The question that it answers.
    answer
        In sentences.
    evidence
        What its figures are read from.
    charts, tables
        In this order.
    notes
        What to know before believing it.
    quality
        Deals that make figures mislead.
    """

    key: str
    title: str
    answer: str
    evidence: Sequence[Evidence] = ()
    charts: Sequence[Chart] = ()
    tables: Sequence[ReportTable] = ()
    notes: Sequence[str] = ()
    quality: Sequence[QualityNote] = ()


def cells_of(evidence: Evidence, key: str, **only: Any) -> dict[str | None, Cell]:
    """The cells of a column by currency, in rows with some values."""
    return {
        evidence.money_in(row): Cell(evidence, number, key)
        for number, row in enumerate(evidence.rows)
        if key in row and all(row[name] == value for name, value in only.items())
    }


def compared(
    now: Mapping[str | None, Cell], before: Mapping[str | None, Cell] | None = None
) -> list[ThenAndNow]:
    """Figures of each currency beside those of before."""
    before = before or {}
    now, before = _beside(now, before), _beside(before, now)
    return [ThenAndNow(now.get(each), before.get(each)) for each in dict.fromkeys([*now, *before])]


def _beside(
    cells: Mapping[str | None, Cell], others: Mapping[str | None, Cell]
) -> Mapping[str | None, Cell]:
    """
    Cells by the currencies of others.

    Metrics name no currency where no deal does, and where there is no deal: what is nothing is so in every currency.
    """
    if [*cells] != [None] or not others or None in others:
        return cells
    if not cells[None].value:
        return dict.fromkeys(others, cells[None])
    return {NONE: cells[None]} if NONE in others else cells


# columns that most tables need not: what is not there is not told
_SPARE = ("blank", "weighted", "commit", "best", "overdue", "rotting", "lost", "company")


def _says_nothing(rows: pl.DataFrame, key: str) -> bool:
    """Whether a column is best left out: one currency, which its money names, or nothing but zeros."""
    values = rows[key]
    if key == "currency":
        return values.n_unique() == 1 and values[0] is not None
    if values.null_count() == len(values):
        return True
    if key == "company":
        return "name" in rows.columns and rows["name"].null_count() == 0
    return key in _SPARE and values.dtype.is_numeric() and not (values.fill_null(0) != 0).any()


def table_of(
    evidence: Evidence,
    keys: Sequence[str],
    *,
    title: str = "",
    most: int = 20,
    rows: Sequence[int] | None = None,
    labels: Mapping[str, str] | None = None,
    beside: Mapping[str, Mapping[Any, Any]] | None = None,
) -> list[ReportTable]:
    """
    A table of evidence, or none where it has no rows.

    Parameters
    ----------
    evidence
        Whose rows.
    keys
        Columns; those that it lacks are left out.
    title, labels
        As of ``ReportTable``.
    most
        Rows, at most.
    rows
        Which rows; all by default.
    beside
        Columns from elsewhere: values by the id of the row.
    """
    frame = evidence.frame
    chosen = list(range(frame.height) if frame is not None and rows is None else rows or ())
    if frame is None or not chosen:
        return []
    shown = chosen[:most]
    kept = [key for key in keys if key in frame.columns and not _says_nothing(frame[shown], key)]
    ids = [frame["id"][row] for row in shown] if beside else []
    return [
        ReportTable(
            title=title,
            evidence=evidence,
            keys=kept,
            rows=shown,
            labels=labels or {},
            beside={
                name: [known.get(each) for each in ids] for name, known in (beside or {}).items()
            },
            total=len(chosen),
        )
    ]


def section_of(
    key: str,
    title: str,
    *evidence: Evidence,
    answer: str | None = None,
    charts: Sequence[Chart] | None = None,
    tables: Sequence[ReportTable] = (),
) -> ReportSection:
    """
    A section whose answer and charts are those of its evidence where it has no others; what lacks is said.

    Parameters
    ----------
    key, title, answer, charts, tables
        As of ``ReportSection``.
    evidence
        What its figures are read from, the first one first.
    """
    lacking = [each.why for each in evidence if each.why]
    told = evidence[0].answer if answer is None else answer
    drawn = [each.chart for each in evidence if each.chart] if charts is None else charts
    notes = [bounded(warning) for each in evidence for warning in each.warnings]
    return ReportSection(
        key=key,
        title=title,
        answer=bounded(told or " ".join(lacking) or "There is nothing to tell."),
        evidence=evidence,
        charts=[chart for chart in drawn if not chart.marks.is_empty()],
        tables=tables,
        notes=list(dict.fromkeys(notes)),
    )
