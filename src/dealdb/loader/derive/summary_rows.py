"""
Rows of totals and averages, and remarks, as reports and spreadsheets have them among or below their deals.

They are rejected: a deal called Total would count everything twice, and "Confidential - do not distribute" is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import polars as pl

from dealdb.loader.cells.numbers import decimals
from dealdb.loader.chunk import Chunk, Reject, RowPlace
from dealdb.loader.columns.headers import map_headers
from dealdb.loader.derive.derived_source import DerivedSource

# code of their rejects
SUMMARY_ROW = "summary-row"
# in English, German, Spanish, French, Italian, Dutch and Portuguese; what follows may be a number of records
_WORDS = (
    r"(?:(?:grand|sub|report|overall|page|running)[\s-]*)?totals?(?:\s+(?:général|general|geral|generale|amount|value))?"
    r"|sums?|average|avg|mean|count|records|summe|zwischensumme|gesamt(?:summe|betrag|ergebnis|wert)?|insgesamt"
    r"|teilergebnis|ergebnis|durchschnitt|mittelwert|suma(?:\s+total)?|promedio|media|sous-total|somme|moyenne|totaux"
    r"|totale(?:\s+(?:generale|complessivo))?|subtotale|somma|(?:eind|sub)?totaal|som|gemiddelde|soma|média|Σ"
)
_SUMMARY = rf"^(?i:{_WORDS})\s*(?:\([^)]*\))?\s*(?:[:=]\s*.*)?$"
# a remark has so many words, and stands in a table of so many columns, of which it fills one
_REMARK = r"\S\s+\S+\s+\S|:\s*\S+\s+\S|:$"
_FEWEST_COLUMNS = 4
_OF_SHEETS = ("csv", "tsv", "xlsx")
_REJECTED = "expected a deal, not a row that sums up others or a remark"


class WithoutSummaries(DerivedSource):
    """A source without its rows of totals, which become rejects."""

    def _begin(self) -> Callable[[Chunk], Chunk]:
        # what a program writes with types has no totals, and any text may be an id there
        if self.format not in _OF_SHEETS:
            return lambda chunk: chunk
        seen: Counter[str] = Counter()
        return lambda chunk: self._without(chunk, seen)

    def _without(self, chunk: Chunk, seen: Counter[str]) -> Chunk:
        frame = chunk.frame
        header = self._label(frame.columns)
        if header is None:
            return chunk
        labels = frame[header].str.strip_chars()
        summary = labels.str.contains(_SUMMARY).fill_null(value=False)
        alone = summary | _remarks(labels, seen)
        rows = {row for row in summary.arg_true().to_list() if _only_numbers(frame, row, header)}
        if frame.width >= _FEWEST_COLUMNS and "id" not in chunk.encoded:
            rows |= {row for row in alone.arg_true().to_list() if _is_alone(frame, row)}
        return _set_aside(chunk, sorted(rows), header) if rows else chunk

    def _label(self, headers: Sequence[str]) -> str | None:
        """Column whose cells say that a row is a total: the id, or the first one where rows have none."""
        fields = map_headers(headers, self._chosen(headers), self._schema)
        ids = [header for header, field in fields.items() if field == "id"]
        return next(iter([*ids, *headers]), None)


def _remarks(labels: pl.Series, seen: Counter[str]) -> pl.Series:
    """Which labels read like a remark, if not most of those seen so far do: then ids or names look like that."""
    remark = labels.str.contains(_REMARK).fill_null(value=False)
    seen.update(remarks=int(remark.sum()), rows=remark.len())
    return remark if 2 * seen["remarks"] <= seen["rows"] else ~remark & remark


def _only_numbers(frame: pl.DataFrame, row: int, label: str) -> bool:
    """Whether a row has numbers, and nothing else: a deal has a name, a stage or an owner."""
    others = [cell for header, cell in frame.row(row, named=True).items() if header != label]
    cells = pl.Series([cell for cell in others if cell and cell.strip(" -")], dtype=pl.String)
    cells = cells.filter(~cells.str.strip_chars().str.contains(_SUMMARY))
    points = (decimals(cells, point, percent=True).is_not_null() for point in ".,")
    return bool(cells.len() and (next(points) | next(points)).all())


def _is_alone(frame: pl.DataFrame, row: int) -> bool:
    """Whether a row has one cell only: a deal has a stage or an owner beside its name."""
    return sum(bool(cell and cell.strip()) for cell in frame.row(row)) == 1


def _set_aside(chunk: Chunk, rows: Sequence[int], header: str) -> Chunk:
    keep = [row for row in range(chunk.frame.height) if row not in set(rows)]
    rejects = [
        Reject(
            line=place.line,
            column=header,
            value=chunk.frame[header][row],
            code=SUMMARY_ROW,
            message=_REJECTED,
            raw=place.raw,
            offset=place.offset,
        )
        for row, place in zip(rows, chunk.locate(rows), strict=True)
    ]

    def locate(wanted: Sequence[int]) -> list[RowPlace]:
        return chunk.locate([keep[row] for row in wanted])

    return replace(
        chunk,
        frame=chunk.frame[keep],
        locate=locate,
        rejects=[*chunk.rejects, *rejects],
        shape=None if chunk.shape is None else chunk.shape[keep],
    )
