"""
Whether the cells of a column fit the field that its header stands for.

A header alone is not enough: ``CLOSED`` is a flag in Bitrix24 and a date elsewhere, ``Revenue`` in Dynamics says who
has entered the amount. So a column yields where its cells don't fit and those of another candidate do.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as filled

import polars as pl

from dealdb.loader.cells.fitting import Look, counts, counts_of_few, simple_texts
from dealdb.loader.columns.aliases import WEAK, Candidate, key_of
from dealdb.loader.columns.deal_ids import BLANKS
from dealdb.loader.columns.headers import (
    CLOSE_DATE,
    LOST_DATE,
    WON_DATE,
    candidates_of,
    currency_of,
    public_name,
)

# different ones that are looked at: who keeps more deals than this in a sheet has an id
_MOST_NUMBERED = 200_000
# fields in which a name is better than an id
_NAMES = ("company", "owner", "source", "loss_reason")
_DATES = ("created", "updated", "expected_close", "closed", CLOSE_DATE, WON_DATE, LOST_DATE)
_NUMBERS = ("amount", "probability")
_JUDGED = frozenset((*_DATES, *_NUMBERS, *_NAMES, "currency", "name", "id"))
_LOOKS = {
    **dict.fromkeys(_DATES, Look.DAY),
    **dict.fromkeys(_NUMBERS, Look.NUMBER),
    "currency": Look.CURRENCY,
    "name": Look.NAME,
    "id": Look.CODE,
    "stage": Look.STAGE,
}
# the outcome in Dynamics, and elsewhere the state in an address
_STATE_CODE = "statecode"
# names at the beginning of a list, which are what everybody would take
_OBVIOUS = 4
# looked at before the others
_FIRST_ROWS = 64


@dataclass(slots=True)
class _Cells:
    """Cells of a column that are not empty, and those of them that fit a field, or are true or false."""

    n: int = 0
    fit: int = 0
    flags: int = 0
    # what the cells of a column that may number the deals say, and the rows without such a cell
    different: set[str] = filled(default_factory=set)
    blank: int = 0

    @property
    def is_good(self) -> bool:
        return self.n > 0 and 2 * self.fit >= self.n

    @property
    def tells_apart(self) -> bool:
        """Whether each row has another cell, and all of them may be numbers of deals."""
        n_looked_at = min(self.n, _MOST_NUMBERED)
        return self.blank == 0 < self.n == self.fit and len(self.different) >= n_looked_at

    def add(self, n: int, fit: int, flags: int) -> None:
        """Take in some more cells."""
        self.n += n
        self.fit += fit
        self.flags += flags

    def add_numbers(self, frame: pl.DataFrame, header: str) -> None:
        """Take in some more cells of a column that may number the deals."""
        cells = frame[header].str.strip_chars(BLANKS)
        is_row = frame.select(pl.any_horizontal(pl.all().str.strip_chars() != "")).to_series()
        blank = cells.is_null() | (cells == "")
        self.blank += int((blank & is_row.fill_null(value=False)).sum())
        if len(self.different) < _MOST_NUMBERED:
            self.different.update(cells.filter(~blank).to_list())


class Fits:
    """What the cells seen so far say about the fields that their columns could be."""

    def __init__(self) -> None:
        self._cells: dict[tuple[str, str], _Cells] = {}
        self._rivals: dict[str, list[str]] = {}
        self._has_id = False
        # whether the name of a column of amounts says their currency
        self._is_named = False

    def of(self, headers: Collection[str], taken: Collection[str | None]) -> None:
        """Take in the headers of a source without those that the caller has mapped, and the fields that these are."""
        ranked: dict[str, list[tuple[float, str]]] = {}
        for header in headers:
            for one in candidates_of(header):
                if one.field in _JUDGED or (one.field == "stage" and key_of(header) == _STATE_CODE):
                    ranked.setdefault(one.field, []).append((_place(header, one), header))
        # the sort is stable: of equals the first column of the source comes first
        self._rivals = {
            field: [header for _, header in sorted(found, key=lambda pair: pair[0])]
            for field, found in ranked.items()
        }
        self._is_named = any(currency_of(h) for h in self._rivals.get("amount", ()))
        # by its name alone
        named = [h for h in self._rivals.get("id", ()) if _place_of(h, "id") < WEAK]
        self._has_id = bool(named) or "id" in taken
        if self._has_id:
            self._rivals.pop("id", None)
        for field, rivals in self._rivals.items():
            for header in rivals:
                self._cells.setdefault((header, field), _Cells())

    def add(self, frame: pl.DataFrame) -> None:
        """Count the cells of some more rows."""
        pairs = [pair for pair in self.open_pairs() if pair[0] in frame.columns]
        # the first cells of most columns leave nothing open that the others could tell
        self._count(frame.head(_FIRST_ROWS), pairs)
        rest = frame.slice(_FIRST_ROWS)
        if not rest.is_empty():
            still_open = set(self.open_pairs())
            self._count(rest, [pair for pair in pairs if pair in still_open])
        for header, field in pairs:
            if field == "id" and not _is_name(header):
                self._cells[header, field].add_numbers(frame, header)

    def _count(self, frame: pl.DataFrame, pairs: Sequence[tuple[str, str]]) -> None:
        left = [pair for pair in pairs if not self._count_few(frame, *pair)]
        if not left:
            return
        # all in one go: of a few cells each expression on its own would cost more than the cells
        found = frame.select(
            counts(frame, header, self._look(header, field)).alias(f"{header}\0{field}")
            for header, field in left
        )
        for pair, counted in zip(left, found.row(0), strict=True):
            self._cells[pair].add(*counted)

    def _count_few(self, frame: pl.DataFrame, header: str, field: str) -> bool:
        """Count cells without a query, if they are few and simple; whether they are."""
        texts = simple_texts(frame[header]) if frame.height <= _FIRST_ROWS else None
        if texts is None:
            return False
        self._cells[header, field].add(*counts_of_few(texts, self._look(header, field)))
        return True

    def _look(self, header: str, field: str) -> Look:
        """What the cells of a column should look like."""
        if self._has_rival_name(field):
            return Look.SURE_CURRENCY
        if field == "id" and not _is_name(header):
            return Look.NUMBERED
        return _LOOKS.get(field, Look.NOT_AN_ID)

    def open_pairs(self) -> Iterator[tuple[str, str]]:
        """Columns with a field that they may still turn out not to be."""
        for field, rivals in self._rivals.items():
            for header in rivals:
                if field == "id" or self._is_open(header, field):
                    yield header, field

    def _is_open(self, header: str, field: str) -> bool:
        """Whether more cells may tell: one that fits is enough where nothing else would be the field."""
        has_rivals = len(self._rivals[field]) > 1 or self._has_rival_name(field)
        return has_rivals or not self._cells[header, field].fit

    def _has_rival_name(self, field: str) -> bool:
        """Whether there is a currency without this column, so that it has to hold real ones."""
        return field == "currency" and self._is_named

    def unfit(self) -> frozenset[tuple[str, str]]:
        """Columns with a field that they are not."""
        return frozenset(
            (header, field)
            for field, rivals in self._rivals.items()
            for header in self._yielding(field, rivals)
        )

    def no_ids(self) -> list[str]:
        """Columns that could number the deals, but for rows that have the same number, or none."""
        return [
            header
            for header in self._rivals.get("id", ())
            if not _is_name(header)
            and (seen := self._cells[header, "id"]).n
            and not seen.tells_apart
        ]

    def notes(self, mapping: Mapping[str, str | None]) -> Iterator[str]:
        """Which column a field was taken from, where it was not the obvious one."""
        for field, rivals in self._rivals.items():
            if field == "id":
                yield from self._notes_on_numbers(rivals, mapping)
            if field in ("id", "name"):
                continue
            filled = [header for header in rivals if self._cells[header, field].n]
            taken = next((header for header in rivals if mapping.get(header) == field), None)
            if taken is None:
                yield from self._notes_on_misfits(field, filled, mapping)
                continue
            others = [
                header
                for header in filled
                if header != taken and not _is_other(mapping.get(header), header)
            ]
            yielded = [header for header in others if rivals.index(header) < rivals.index(taken)]
            unclear = [] if self._is_obvious(taken, field) or field in _NAMES else others
            if yielded or unclear:
                shown = ", ".join(map(repr, yielded or unclear))
                yield f"{public_name(field)} from {taken!r}, not from {shown}"
            elif _place_of(taken, field) >= WEAK:
                yield f"{field} from {taken!r}"

    def _notes_on_misfits(
        self, field: str, filled: Sequence[str], mapping: Mapping[str, str | None]
    ) -> Iterator[str]:
        has_closing = not {CLOSE_DATE, WON_DATE, LOST_DATE}.isdisjoint(mapping.values())
        for header in filled:
            seen = self._cells[header, field]
            # that a flag is not the date of closing is obvious beside one
            is_flag = field == "closed" and has_closing and seen.flags == seen.n
            is_other = _is_other(mapping.get(header), header)
            if (header, field) in self.unfit() and not is_flag and not is_other:
                name = public_name(field)
                yield f"{header!r} was not taken for {name}: its cells don't fit"

    def _notes_on_numbers(
        self, rivals: Sequence[str], mapping: Mapping[str, str | None]
    ) -> Iterator[str]:
        for header in rivals:
            if mapping.get(header) == "id" and not _is_name(header):
                yield f"ids from {header!r}; if it only counts the rows, make them from other columns with id_from"

    def _is_obvious(self, header: str, field: str) -> bool:
        return _place_of(header, field) < _OBVIOUS

    def _yielding(self, field: str, rivals: Sequence[str]) -> Sequence[str]:
        """Columns whose cells say that they are not this field."""
        if field == "id":
            return [header for header in rivals if not self._is_code(header)]
        if field == "name":
            # Bitrix24 calls the amount OPPORTUNITY, and Frappe the id name; elsewhere these are names
            cells = {header: self._cells[header, field] for header in rivals}
            money = [h for h, seen in cells.items() if seen.n and not seen.fit and _is_money(h)]
            return money if self._has_id else [*money, *filter(self._is_code, rivals)]
        good = [header for header in rivals if self._cells[header, field].is_good]
        if good:
            return rivals[: rivals.index(good[0])]
        return [header for header in rivals if self._is_misfit(header, field)]

    def _is_code(self, header: str) -> bool:
        """Whether a column of names has what programs call records by, or one of numbers those of the deals."""
        seen = self._cells.get((header, "id"))
        if seen is None or _place_of(header, "id") < WEAK:
            return False
        return 0 < seen.n == seen.fit if _is_name(header) else seen.tells_apart

    def _is_misfit(self, header: str, field: str) -> bool:
        """Whether no cell fits, although there is no better column for the field."""
        seen = self._cells[header, field]
        if self._has_rival_name(field):
            return seen.n > 0
        if field in _NAMES or not seen.n or seen.fit:
            return False
        # a column that has the very name of the field was meant to be it, and its rows are rejected
        return seen.flags == seen.n or key_of(header) != key_of(str(public_name(field)))


def _place(header: str, one: Candidate) -> float:
    # a header that is the very name of a field comes before all others
    return -1.0 if header == one.field else one.place


def _place_of(header: str, field: str) -> float:
    return next((one.place for one in candidates_of(header) if one.field == field), 0.0)


def _is_other(target: str | None, header: str) -> bool:
    """Whether a column is another field that its header stands for as well, or a date, which may go to either."""
    return target in _DATES or any(one.field == target for one in candidates_of(header))


def _is_name(header: str) -> bool:
    return any(one.field == "name" for one in candidates_of(header))


def _is_money(header: str) -> bool:
    return any(one.field == "amount" for one in candidates_of(header))
