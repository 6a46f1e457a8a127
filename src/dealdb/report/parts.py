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
    """One figure: a column of a row of the evidence; without a row, of a currency that none of its deals has."""

    evidence: Evidence
    row: int | None
    key: str

    @property
    def value(self) -> Any:
        """What stands there."""
        frame = self.evidence.frame
        if frame is None:
            return None
        if self.row is None:
            # sums and counts of no deals are 0, shares and means are not
            kind = frame.schema[self.key]
            return None if kind.is_float() else Decimal(0) if kind.is_decimal() else 0
        return frame[self.key][self.row]


@dataclass(frozen=True, slots=True)
class ThenAndNow:
    """A figure of one currency, and what it was before; None where it is not known."""

    now: Cell | None
    before: Cell | None = None
    currency: str | None = None


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
    sheet
        What a sheet with it alone is called; its title where it has no name of its own.
    """

    title: str
    evidence: Evidence
    keys: Sequence[str]
    rows: Sequence[int]
    labels: Mapping[str, str] = field(default_factory=dict)
    beside: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    total: int = 0
    sheet: str = ""

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
    """Figures of each currency beside those of before; where no deal had it, they are 0."""
    sides = [now, before or {}]
    known = {currency for side in sides for currency in _known(side)}
    # among deals with a currency, those of a table in which none has one are the ones without
    without = NONE if known - {None} else None
    rows = [
        {without if each is None else each: cell for each, cell in _known(side).items()}
        for side in sides
    ]
    order = dict.fromkeys([*rows[0], *rows[1]]) or {None: None}
    return [
        ThenAndNow(
            now=_cell(rows[0], sides[0], currency),
            before=_cell(rows[1], sides[1], currency),
            currency=currency,
        )
        for currency in order
        if any(sides)
    ]


def _known(cells: Mapping[str | None, Cell]) -> dict[str | None, Cell]:
    """Cells without that of a table without deals, which says of no currency that it has 0."""
    return {currency: cell for currency, cell in cells.items() if currency or cell.value}


def _cell(
    own: Mapping[str | None, Cell], side: Mapping[str | None, Cell], currency: str | None
) -> Cell | None:
    if currency in own or not side:
        return own.get(currency)
    if None in side and side[None] not in own.values():
        # the row of a table without deals is that of any currency
        return side[None]
    first = next(iter(side.values()))
    return Cell(first.evidence, None, first.key)


# columns that most tables need not: what is not there is not told
_SPARE = (
    *("value", "blank", "weighted", "commit", "best", "omitted"),
    *("overdue", "rotting", "lost", "company"),
)


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
    sheet: str = "",
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
    title, sheet, labels
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
            sheet=sheet or title,
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


def _shows_something(chart: Chart) -> bool:
    """Whether any of its marks is more than 0."""
    marks = chart.marks
    if "value" not in marks.columns or not marks.schema["value"].is_numeric():
        return not marks.is_empty()
    return bool((marks["value"].fill_null(0) != 0).any())


def section_of(
    key: str,
    title: str,
    *evidence: Evidence,
    answer: str | None = None,
    charts: Sequence[Chart] | None = None,
    tables: Sequence[ReportTable] = (),
    notes: Sequence[str] = (),
    unsaid: Sequence[str] = (),
) -> ReportSection:
    """
    A section whose answer and charts are those of its evidence where it has no others; what lacks is said.

    Parameters
    ----------
    key, title, answer, charts, tables
        As of ``ReportSection``.
    evidence
        What its figures are read from, the first one first.
    notes
        Further ones than those of the evidence.
    unsaid
        Words of notes that are left out: the answer or a table says them, or they are of a column that is not shown.
    """
    lacking = [each.why for each in evidence if each.why]
    told = evidence[0].answer if answer is None else answer
    drawn = [each.chart for each in evidence if each.chart] if charts is None else charts
    warnings = [bounded(warning) for each in evidence for warning in each.warnings]
    said = [each for each in warnings if not any(words in each for words in unsaid)]
    return ReportSection(
        key=key,
        title=title,
        answer=bounded(told or " ".join(lacking) or "There is nothing to tell."),
        evidence=evidence,
        charts=[chart for chart in drawn if _shows_something(chart)],
        tables=tables,
        notes=[*_told_once(said), *notes],
    )


def _told_once(notes: Sequence[str]) -> list[str]:
    """Notes without those that say the same of fewer deals, as a list of some deals does."""
    found: dict[str, str] = {}
    for note in notes:
        what, _, number = note.rpartition(": ")
        key = what if _is_count(number) else note
        if key not in found or _count(number) > _count(found[key].rpartition(": ")[2]):
            found[key] = note
    return list(found.values())


def _is_count(text: str) -> bool:
    return bool(text) and all(each.isdigit() or not each.isalnum() for each in text)


def _count(text: str) -> int:
    # with the marks between thousands of whatever language
    return int("".join(filter(str.isdigit, text)) or 0)
