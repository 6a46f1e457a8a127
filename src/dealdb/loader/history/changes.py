"""What every form of history is made into first: changes of one shape, with the names and texts of the source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.columns.headers import find_header, map_headers, unknown_header
from dealdb.loader.history.rows.history_table import ROW
from dealdb.model.schema import STANDARD_NAMES, FieldType, Schema

# texts of the source: ``old`` is the value before, ``old_label`` and ``label`` are what ids are called, ``begin`` is
# when the deal began, by the source's own words
COLUMNS = (
    "id", "at", "name", "value", "old", "op", "who", "source", "key", "label", "old_label", "begin",
)  # fmt: skip
# of a row that shows a deal as one that is deleted by then
GONE = "gone"
# one date of a source that is the actual day of closed deals and the planned one of open ones
CLOSE_DATE = "close_date"
# open, won, lost or deleted beside a stage
STATUS = "\0status"
# a name whose moment is the beginning of the deal, whatever the value
CREATION = "\0creation"
# how mark and name of a program stand in the source of a fact
AUTOMATIC = "automatic"
# where facts of plain tables are from that don't say it
NO_SOURCE = "import"
LATE = "late"


class Style(StrEnum):
    """What the rows of a form say: values, values with those before them, or whole states."""

    VALUES = "values"
    CHANGES = "changes"
    SNAPSHOTS = "snapshots"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """
    Changes of a source, not yet checked.

    Attributes
    ----------
    frame
        ``ROW`` and ``COLUMNS``, all but the first as text.
    crm
        Whose history it is: what facts are said to come from.
    style
        What its rows say.
    fields
        Field by name in the source, None for what is left out; others become fields of their own.
    types
        What the source itself says of the type of fields, by name; it says nothing of others.
    stage_ids
        Whether stages are ids that need a label.
    percent
        Whether probabilities count to 100 whatever they are.
    flagged
        ``ROW``, ``is_closed`` and ``is_won``: what the flags of a row say; None where only its stage says so.
    creates
        Whether the first row of a deal is its creation.
    n_stubs
        Rows that only say which form the source has.
    n_ignored
        Rows that say nothing of a field.
    n_suspect
        What the source is known to get wrong: deals of which it may not have all.
    notes
        What was found on the way.
    """

    frame: pl.DataFrame
    crm: str
    style: Style
    fields: Mapping[str, str | None] = field(default_factory=dict)
    types: Mapping[str, FieldType] = field(default_factory=dict)
    stage_ids: bool = False
    percent: bool = False
    flagged: pl.DataFrame | None = None
    creates: bool = False
    n_stubs: int = 0
    n_ignored: int = 0
    n_suspect: int = 0
    notes: tuple[str, ...] = ()


def shaped(frame: pl.DataFrame) -> pl.DataFrame:
    """Frame with all columns of changes, in order; those that it lacks are null."""
    lacking = [
        pl.lit(None, dtype=pl.String).alias(name) for name in COLUMNS if name not in frame.columns
    ]
    return frame.with_columns(lacking).select(
        ROW, *(pl.col(name).cast(pl.String) for name in COLUMNS)
    )


def fields_of(
    names: Iterable[str], core: Mapping[str, str | None], mapping: Mapping[str, str | None]
) -> dict[str, str | None]:
    """
    Field for each name of a source: as the caller chose, as its program means it, else one of its own.

    Raises
    ------
    LoadError
        If the mapping has a name that the source lacks.

    Examples
    --------
    >>> fields_of(["dealstage", "Lost Reason", "Tier"], {"dealstage": "stage"}, {"Tier": "rank"})
    {'dealstage': 'stage', 'Lost Reason': 'loss_reason', 'Tier': 'rank'}
    """
    names = list(dict.fromkeys(names))
    known = list(dict.fromkeys([*names, *core]))
    chosen: dict[str, str | None] = {}
    for name, target in mapping.items():
        found = find_header(name, known)
        if found is None:
            raise LoadError(f"mapping: {unknown_header(name, names)}")
        chosen[found] = target
    said = {**core, **chosen}
    others = [name for name in names if name not in said]
    # a name that elsewhere stands for a field yields to the one that its program has for it
    taken = {field for field in said.values() if field in STANDARD_NAMES} | {"id", "updated"}
    if CLOSE_DATE in said.values():
        taken |= {"closed", "expected_close"}
    others_only = [name for name in others if name not in taken]
    own = map_headers([*sorted(taken), *others_only], None, Schema.standard())
    own = {name: "expected_close" if own[name] == CLOSE_DATE else own[name] for name in own}
    return {name: said[name] if name in said else own[name] for name in names}


def melted(frame: pl.DataFrame, names: list[str], beside: list[str]) -> pl.DataFrame:
    """
    A row for each cell of some columns, with the header as ``name``.

    Examples
    --------
    >>> frame = pl.DataFrame({"id": ["1"], "stage": ["Demo"], "amount": ["5"]})
    >>> melted(frame, ["stage", "amount"], ["id"]).rows()
    [('1', 'stage', 'Demo'), ('1', 'amount', '5')]
    """
    # a column may have either name
    cells = frame.unpivot(names, index=beside, variable_name="\0name", value_name="\0value")
    return cells.rename({"\0name": "name", "\0value": "value"})
