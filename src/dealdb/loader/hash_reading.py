"""
Hashes of another program, read as the rows of a file are: by the names of their fields and by all of their values.

Only what a field of every collection can be made of is converted, and the hash keeps its own field beside it. Any other
field stays what it is, with a type that has all of its texts as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from dealdb.errors import LoadError
from dealdb.loader.cells.column_profile import ColumnProfile
from dealdb.loader.cells.numbers import scale_of_texts
from dealdb.loader.chunk import ROWS_A_CHUNK, Chunk, RowPlace
from dealdb.loader.columns import headers
from dealdb.loader.columns.encode import encode_chunk
from dealdb.loader.columns.plan import ColumnPlan, Plan
from dealdb.loader.columns.profile import Profile
from dealdb.loader.load_options import ColumnOptions
from dealdb.model.columns import decode_column
from dealdb.model.pipeline import Kind
from dealdb.model.schema import DEFAULT_SCALE, STANDARD_NAMES, Field, FieldType, parse_type
from dealdb.store.foreign.reading import NOT_FIELDS, Derived, Given


@dataclass(frozen=True, slots=True, kw_only=True)
class HashColumns:
    """
    How the hashes are read.

    Attributes
    ----------
    fields
        Columns of the hashes' own fields, and of those that dealdb adds.
    mapping
        Field that is added by the hash field that it is made of; ``close_date`` for a date that is split.
    depends
        Hash fields that each added field is made of.
    notes
        What was decided on the way.
    plan
        How the added fields are made.
    closed_stages
        Stages in which a close date is the actual one.
    """

    fields: Sequence[Field]
    mapping: Mapping[str, str]
    depends: Mapping[str, Collection[str]]
    notes: Sequence[str]
    plan: Plan
    closed_stages: Collection[str]

    def derived(self, raw: pl.DataFrame) -> Derived:
        """The fields that are added to some hashes, given as columns of texts."""
        if not self.depends:
            return Derived({}, ())
        texts, unreadable, _ = _encoded(raw, self.plan, self.closed_stages)
        made = {
            name: _where_given(texts[name], raw, of)
            for name, of in self.depends.items()
            if name in texts
        }
        return Derived(made, unreadable)


def read_hashes(raw: pl.DataFrame, given: Given) -> HashColumns:
    """
    Decide how hashes are read, from all of them.

    Parameters
    ----------
    raw
        Columns of texts.
    given
        What is known before.

    Raises
    ------
    LoadError
        If a field that the caller maps isn't there, or its values can be read in two ways.

    Examples
    --------
    >>> from dealdb.model.pipeline import Pipeline
    >>> from dealdb.model.schema import Schema
    >>> raw = pl.DataFrame({"id": ["1"], "value": ["2500.5"], "seats": ["7"]})
    >>> found = read_hashes(raw, Given(Schema.standard(), Pipeline(), {}))
    >>> dict(found.mapping), [(field.name, field.describe()) for field in found.fields]
    ({'value': 'amount'}, [('value', 'text'), ('seats', 'int'), ('amount', 'decimal(2)')])
    """
    own = [name for name in raw.columns if name not in NOT_FIELDS]
    chosen = _chosen(given, own)
    # what was added before is not what it is made of
    rows = raw.select(name for name in own if name not in given.added or chosen.get(name))
    plan, notes = _plan(rows, given, chosen)
    added = [each for each in plan.columns if _is_added(each, chosen)]
    if any(each.field.name == headers.CLOSE_DATE for each in added):
        added += [each for each in plan.columns if each.field.name == "stage" and each not in added]
    part = replace(plan, columns=(*added, _ID))
    stages = given.pipeline.covering(_stages(rows, part)) if added else given.pipeline
    closed = [*stages.names(Kind.WON), *stages.names(Kind.LOST)]
    depends = _depends(added, plan)
    fields: Sequence[Field] = ()
    if depends:
        _, _, fields = _encoded(raw, part, closed)
    sources = set().union(*depends.values()) - {"stage"}
    return HashColumns(
        fields=(
            *(_own_field(raw[name], given, is_source=name in sources) for name in own),
            *(field for field in fields if field.name in depends and field.name not in own),
        ),
        mapping={name: _target(name, plan) for name in own if name in sources},
        depends=depends,
        notes=notes,
        plan=part,
        closed_stages=closed,
    )


# an order that is given once would not be that of what the other program writes next
_REMEDY = "what writes them has to write dates as 2026-01-31 and numbers as 1234.50"
# numbers of rows in the place of ids, which are in the keys and stay what they are
_ROW = "\0row"
_ID = ColumnPlan(header=_ROW, field=Field("id", FieldType.TEXT))


def _chosen(given: Given, own: Collection[str]) -> dict[str, str | None]:
    """Field by hash field, as far as it is settled."""
    # a field that no hash has any more is not missed
    known = [name for name in given.mapping if name in own or name in given.asked]
    stored = {name: given.mapping[name] for name in known}
    if not given.is_settled:
        return stored
    own = [name for name in own if name not in given.added]
    return {**{name: name if name in STANDARD_NAMES else None for name in own}, **stored}


def _plan(
    rows: pl.DataFrame, given: Given, chosen: Mapping[str, str | None]
) -> tuple[Plan, Sequence[str]]:
    """Plan of the columns, in which those that can be read in two ways stay texts."""
    unclear: dict[str, str] = {}
    while True:
        mapping = {_ROW: "id", **chosen, **dict.fromkeys(unclear, None)}
        profile = Profile(ColumnOptions(mapping=mapping), given.schema)
        for chunk in _chunks(rows):
            profile.add(chunk)
        try:
            plan = profile.plan()
        except LoadError as problem:
            name = next(
                (n for n in rows.columns if f"column {n!r} can be read" in str(problem)), None
            )
            if name is None:
                raise
            remedy = f"{str(problem).partition(';')[0]}; {_REMEDY}"
            if chosen.get(name) or name in unclear:
                raise LoadError(remedy) from None
            unclear[name] = f"{name!r} stays text: {remedy}"
        else:
            return plan, [*plan.notes, *unclear.values()]


def _chunks(rows: pl.DataFrame) -> Iterator[Chunk]:
    for frame in rows.with_row_index(_ROW).cast(pl.String).iter_slices(ROWS_A_CHUNK):
        yield _chunk(frame)


def _chunk(frame: pl.DataFrame) -> Chunk:
    return Chunk(frame=frame, locate=lambda numbers: [RowPlace(n, "") for n in numbers])


def _where_given(texts: pl.Series, raw: pl.DataFrame, sources: Collection[str]) -> pl.Series:
    """Texts of the hashes that have one of the fields that they are made of; nothing is said of the others."""
    there = [raw[name].is_not_null() for name in sources if name in raw.columns]
    nothing = texts.clear(texts.len())
    if not there:
        return nothing
    return texts.zip_with(pl.select(pl.any_horizontal(there)).to_series(), nothing)


def _is_added(column: ColumnPlan, chosen: Mapping[str, str | None]) -> bool:
    """Whether a column is made of a field that has another name; those that only dealdb would rename keep theirs."""
    name = column.field.name
    if name == headers.CLOSE_DATE:
        return True
    if name in ("id", column.header):
        return False
    return name in STANDARD_NAMES or chosen.get(column.header) == name


def _target(header: str, plan: Plan) -> str:
    """What a hash field was mapped to, in the words of the mapping of a load: one of two dates has its own."""
    name = str(plan.mapping[header])
    if list(plan.mapping.values()).count(name) > 1:
        dates = (one.field for one in headers.candidates_of(header))
        return next((each for each in dates if headers.public_name(each) == name), name)
    return name


def _depends(added: Sequence[ColumnPlan], plan: Plan) -> dict[str, set[str]]:
    depends: dict[str, set[str]] = {}
    for each in added:
        if each.field.name == headers.CLOSE_DATE:
            stage = {one.header for one in added if one.field.name == "stage"}
            for name in ("closed", "expected_close"):
                depends.setdefault(name, set()).update({each.header, *stage})
        elif each.field.name != each.header:
            is_named = plan.currency and each.header == plan.currency.header
            source = plan.currency.amounts if is_named and plan.currency else each.header
            depends.setdefault(each.field.name, set()).add(source)
        if each.named_currency:
            depends.setdefault("currency", set()).add(each.header)
    return depends


def _stages(rows: pl.DataFrame, plan: Plan) -> list[str]:
    source = next((each.header for each in plan.columns if each.field.name == "stage"), "stage")
    return rows[source].drop_nulls().unique().sort().to_list() if source in rows.columns else []


def _own_field(texts: pl.Series, given: Given, *, is_source: bool) -> Field:
    """A type that has all texts as they are: the hash is another program's, and keeps them."""
    known = given.schema.get(texts.name)
    if known is not None:
        return known
    text = Field(texts.name, FieldType.TEXT)
    values = texts.drop_nulls()
    if is_source or values.is_empty() or given.is_settled:
        return text
    kind = ColumnProfile().shape_of(values)
    scale = scale_of_texts(values)
    try:
        field = parse_type(
            texts.name,
            f"decimal({max(DEFAULT_SCALE, scale)})" if kind is FieldType.DECIMAL else kind,
        )
    except ValueError:
        return text
    return field if decode_column(values, field).null_count() == 0 else text


def _encoded(
    raw: pl.DataFrame, plan: Plan, closed: Collection[str]
) -> tuple[dict[str, pl.Series], list[tuple[int, str]], Sequence[Field]]:
    """Texts by field, cells that none could be made of, and the fields as wide as they need to be."""
    absent = [each.header for each in plan.columns if each.header != _ROW]
    missing = [
        name
        for name in absent
        if name not in raw.columns and plan.mapping.get(name) and name in _real(plan)
    ]
    frame = raw.with_columns(pl.lit(None, pl.String).alias(name) for name in missing)
    frame = frame.drop(_ROW, strict=False).with_row_index(_ROW).cast(pl.String)
    unreadable: list[tuple[int, str]] = []
    while True:
        encoded = encode_chunk(_chunk(frame), plan, closed)
        bad = [(reject.line, reject.column) for reject in encoded.rejects]
        bad = [cell for cell in bad if cell[1] in frame.columns and cell[1] != _ROW]
        if not bad:
            return dict(encoded.columns), unreadable, encoded.fields
        unreadable += bad
        for name in dict.fromkeys(name for _, name in bad):
            rows = pl.Series([row for row, each in bad if each == name], dtype=pl.UInt32)
            frame = frame.with_columns(frame[name].scatter(rows, None))


def _real(plan: Plan) -> set[str]:
    """Headers of columns that the hashes have, without one that the plan adds."""
    added = plan.currency.header if plan.currency else None
    return {each.header for each in plan.columns} - {added}
