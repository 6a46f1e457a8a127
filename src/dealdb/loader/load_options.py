"""What the caller of a load or of a follow chose, and whether it makes sense."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from dealdb.errors import LoadError
from dealdb.store.commit.durability import Durability

# deals in one commit, at most
MAX_BATCH = 5000
# what happens to deals that exist
POLICY_NAMES = ("merge", "replace", "skip", "error")
# column of the ids that are made for a source without any, and what asks for ids of whole rows
ID_HEADER = "generated id"
WHOLE_ROW = "row"
# times its size that a compressed file may have unpacked: tables come to 5 to 50, gzip can do 1,000, zstd any number
MAX_EXPANSION = 200
# what happens to a row with a cell that can't be read
BAD_CELLS = ("reject", "null")
_DATE_ORDERS = ("us", "eu")
_DECIMAL_POINTS = (".", ",")
# what decides on the batches of a load and on what they do: a load is resumed with the same
_TERMS = (
    "format",
    "mapping",
    "types",
    "dates",
    "decimal_point",
    "delimiter",
    "null",
    "encoding",
    "sheet",
    "id_from",
    "at",
    "stages",
    "on_conflict",
    "bad_cells",
    "fold",
    "delete_missing",
    "batch_size",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnOptions:
    """
    What was chosen for columns; None is for what the source itself decides.

    Raises
    ------
    LoadError
        If an order of dates or a decimal point is not one.
    """

    mapping: Mapping[str, str | None] | None = None
    types: Mapping[str, str] | None = None
    dates: str | None = None
    decimal_point: str | None = None

    def __post_init__(self) -> None:
        for name, value, choices in (
            ("dates", self.dates, _DATE_ORDERS),
            ("decimal_point", self.decimal_point, _DECIMAL_POINTS),
        ):
            if value is not None and value not in choices:
                msg = f"{name} is one of {', '.join(map(repr, choices))}, not {value!r}"
                raise LoadError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadOptions:
    """
    What was chosen for a load or a follow; the names are those of ``DataLoader.load``.

    Attributes
    ----------
    id_from, fold
        Columns that make the id, and those whose names are joined, always as tuples.
    promised
        Durability that was asked for; None for the one that the database was opened with.
    columns
        What was chosen for columns, the one of generated ids included.

    Raises
    ------
    LoadError
        If an option makes no sense, or two of them make none together.
    ConfigError
        If there is no such durability.

    Examples
    --------
    >>> LoadOptions(on_conflict="skip", durability="disk").promised
    <Durability.DISK: 'disk'>
    """

    format: str | None = None
    mapping: Mapping[str, str | None] | None = None
    types: Mapping[str, str] | None = None
    dates: str | None = None
    decimal_point: str | None = None
    delimiter: str | None = None
    null: str | None = None
    encoding: str | None = None
    sheet: str | None = None
    id_from: Sequence[str] | str | None = None
    at: str | None = None
    stages: Any = None
    on_conflict: str = "merge"
    bad_cells: str = "reject"
    fold: Sequence[str] | str | None = None
    delete_missing: bool | str | pl.Expr = False
    force: bool = False
    everything: bool = False
    dry_run: bool = False
    resume: bool = False
    strict: bool = False
    rejects: str | Path | bool = True
    max_errors: int | None = None
    max_expansion: int = MAX_EXPANSION
    batch_size: int | None = None
    durability: str | None = None
    promised: Durability | None = field(init=False)
    columns: ColumnOptions = field(init=False)

    def __post_init__(self) -> None:
        self._check_numbers()
        self._check_policy()
        _check_encoding(self.encoding)
        object.__setattr__(self, "id_from", _names_of_id(self.id_from))
        object.__setattr__(self, "fold", _names_to_fold(self.fold))
        object.__setattr__(self, "promised", self._asked_durability())
        object.__setattr__(self, "columns", self._column_options())
        if self.resume and self.dry_run:
            msg = "a dry run resumes nothing: leave out dry_run or resume"
            raise LoadError(msg)

    def _asked_durability(self) -> Durability | None:
        return None if self.durability is None else Durability.of(self.durability)

    def _column_options(self) -> ColumnOptions:
        made = {} if self.id_from is None else {ID_HEADER: "id"}
        return ColumnOptions(
            mapping={**(self.mapping or {}), **made} if made else self.mapping,
            types=self.types,
            dates=self.dates,
            decimal_point=self.decimal_point,
        )

    @property
    def ids_of_whole_rows(self) -> bool:
        """Whether ids are made from whole rows, not from some of their columns."""
        return self.id_from == (WHOLE_ROW,)

    @property
    def rejects_named(self) -> bool:
        """Whether the caller has named the file of rejected rows."""
        return not isinstance(self.rejects, bool)

    @property
    def id_names(self) -> tuple[str, ...] | None:
        """Headers that the caller calls the id, or makes it of; None where ids are made of whole rows."""
        if self.ids_of_whole_rows:
            return None
        chosen = (header for header, field in (self.mapping or {}).items() if field == "id")
        return (*chosen, *(self.id_from or ()))

    def terms(self, table: object) -> dict[str, object]:
        """
        What a load that is resumed must have in common with the one before.

        Parameters
        ----------
        table
            The stages as they were read: their file may have changed meanwhile.
        """
        return {**{name: getattr(self, name) for name in _TERMS}, "stages": table}

    def _check_numbers(self) -> None:
        _check_number("batch_size", self.batch_size, least=1, most=MAX_BATCH)
        _check_number("max_errors", self.max_errors, least=0)
        _check_number("max_expansion", self.max_expansion, least=1)

    def _check_policy(self) -> None:
        if self.on_conflict not in POLICY_NAMES:
            msg = f"on_conflict is one of {', '.join(POLICY_NAMES)}, not {self.on_conflict!r}"
            raise LoadError(msg)
        if self.bad_cells not in BAD_CELLS:
            msg = f"bad_cells is 'reject' or 'null', not {self.bad_cells!r}"
            raise LoadError(msg)


def _names_of_id(id_from: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """Columns as a tuple, however they were given: a load that is resumed has to give the same."""
    if id_from is None:
        return None
    names = (id_from,) if isinstance(id_from, str) else tuple(id_from)
    if not names or not all(names):
        msg = "id_from names the columns that make the id, or 'row' for all of them; it is empty"
        raise LoadError(msg)
    return names


def _names_to_fold(fold: Sequence[str] | str | None) -> tuple[str, ...]:
    return (fold,) if isinstance(fold, str) else tuple(fold or ())


def _check_number(name: str, value: object, *, least: int, most: int | None = None) -> None:
    """Refuse what is neither None nor a whole number within the bounds."""
    if value is None:
        return
    whole = value if isinstance(value, int) and not isinstance(value, bool) else least - 1
    if whole < least or (most is not None and whole > most):
        bounds = f"from {least} up" if most is None else f"from {least} to {most}"
        msg = f"{name} is a whole number {bounds}, not {value!r}"
        raise LoadError(msg)


def _check_encoding(encoding: str | None) -> None:
    """Refuse an encoding that Python doesn't know, or that isn't one of text."""
    try:
        if encoding is not None:
            "".encode(encoding)
    except (LookupError, UnicodeError) as problem:
        msg = f"there is no encoding {encoding!r}; usual ones are utf-8, cp1252, cp1250, cp1251, cp932 and gb18030"
        raise LoadError(msg) from problem
