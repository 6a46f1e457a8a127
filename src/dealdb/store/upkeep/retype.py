"""
Giving a column another type.

Its texts are made those of the new type, deal by deal, while it is a column of texts; then a commit of the schema
changes the type, which holds only if nothing was committed since. So it can be interrupted and repeated, and any
reader sees values of one type.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from dealdb.errors import SchemaError, StoreError
from dealdb.model.columns import decode_column, encode_column
from dealdb.model.schema import MAX_SCALE, Field, FieldType
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers
from dealdb.store.foreign.conversion import Converted
from dealdb.store.live.columns import LiveColumns
from dealdb.store.replica.snapshot import Snapshot
from dealdb.store.upkeep.adopter import MAX_TRIES, Adopt, Adopter, batches
from dealdb.store.upkeep.repair import Audit

_SHOWN = 5


class Retype:
    """Changes of the types of one collection's columns."""

    def __init__(
        self,
        definitions: Definitions,
        audit: Audit,
        adopter: Adopter,
        live: LiveColumns,
        writers: Writers,
    ) -> None:
        self._definitions = definitions
        self._audit = audit
        self._adopter = adopter
        self._live = live
        self._writers = writers

    def retype(self, field: Field, *, clears: bool = False) -> None:
        """
        Give a column a type.

        Parameters
        ----------
        field
            As it is to be; a decimal gets the digits that its values have.
        clears
            Whether values that don't fit are cleared.

        Raises
        ------
        SchemaError
            If there is no such column, every collection has it, or values don't fit.

        Cost
        ----
        A round trip for every 200 deals whose text changes.
        """
        for _ in range(MAX_TRIES):
            self._definitions.refresh().schema.check_own(field.name)
            snapshot = self._live.snapshot()
            known = snapshot.schema[field.name]
            texts = texts_in(snapshot, known)
            wanted = with_digits(texts, field)
            if known == wanted:
                return
            table = converted_texts(texts, wanted)
            if not clears:
                check_fit(snapshot, texts, table, wanted)
            ids = changing_deals(snapshot, texts, table)
            if ids and known.type is not FieldType.TEXT:
                # texts of another type can't stand in it meanwhile
                self._definitions.retype(Field(field.name, FieldType.TEXT), seq=snapshot.seq)
            elif ids:
                if not self._rewrite(ids, field.name, table):
                    # the hashes have no such texts: other programs removed or replaced them
                    self._audit.repair()
            elif self._definitions.retype(wanted, seq=snapshot.seq):
                return
        msg = f"field {field.name!r}: other writers kept changing deals; repeat it, what is done stays done"
        raise StoreError(msg)

    def _rewrite(self, ids: Sequence[str], name: str, table: Mapping[str, str | None]) -> int:
        n = 0
        for batch in batches(ids):
            made = new_texts(self._adopter, batch, name, table)
            with self._writers.beforehand():
                n += self._adopter.mend(
                    batch, [name], [name], [Adopt.WHERE_IT_CHANGES] * len(batch), made
                )
        return n


def new_texts(
    adopter: Adopter, deals: Sequence[str], name: str, table: Mapping[str, str | None]
) -> Converted:
    """What some deals get in a column, by what their hashes have there. One round trip."""
    hashes = adopter.hashes(deals)
    olds = [hashes.get(deal, {}).get(name.encode()) for deal in deals]
    known = [(old or b"").decode(errors="replace") for old in olds]
    # what another program has written since is left to a repair
    texts = [(table[old] or False) if old in table else None for old in known]
    return Converted(sources=[name], olds=[olds], texts={name: texts})


def texts_in(snapshot: Snapshot, field: Field) -> pl.Series:
    """The values of a column as texts."""
    return encode_column(snapshot.frame[field.name], field).cast(pl.String)


def changing_deals(
    snapshot: Snapshot, texts: pl.Series, table: Mapping[str, str | None]
) -> list[str]:
    """Deals whose text becomes another one."""
    pairs = zip(snapshot.frame["id"], texts, strict=True)
    return [deal for deal, text in pairs if text is not None and table[text] != text]


def with_digits(texts: pl.Series, field: Field) -> Field:
    """The field with room for the digits after the point that its values have."""
    if field.type is not FieldType.DECIMAL:
        return field
    digits = texts.str.extract(r"^\s*-?[0-9]+\.([0-9]*?)0*\s*$").str.len_chars()
    fit = digits.filter(digits <= MAX_SCALE)
    return replace(field, scale=max(field.scale, *fit.to_list(), 0))


def converted_texts(texts: pl.Series, field: Field) -> dict[str, str | None]:
    """Text of the type by text; None for one that has none. Converting what was converted changes nothing."""
    old = texts.drop_nulls().unique()
    plain = old if field.type is FieldType.TEXT else old.str.strip_chars()
    plain = plain.str.to_lowercase() if field.type is FieldType.BOOL else plain
    if field.type is FieldType.DECIMAL:
        number = rf"^-?[0-9]{{1,20}}(?:\.[0-9]{{0,{field.scale}}}0*)?$"
        plain = plain.zip_with(plain.str.contains(number), plain.clear(plain.len()))
    values = decode_column(plain, field)
    if field.type is FieldType.FLOAT:
        values = values.zip_with(values.is_finite(), values.clear(values.len()))
    return dict(zip(old, encode_column(values, field).cast(pl.String), strict=True))


def check_fit(
    snapshot: Snapshot, texts: pl.Series, table: Mapping[str, str | None], field: Field
) -> None:
    """
    Refuse a type that not all values fit.

    Raises
    ------
    SchemaError
        With how many don't, and the first deals.
    """
    pairs = zip(snapshot.frame["id"], texts, strict=True)
    bad = [deal for deal, text in pairs if text is not None and table[text] is None]
    if bad:
        more = ", ..." if len(bad) > _SHOWN else ""
        msg = (
            f"field {field.name!r} can't become {field.describe()}: values that don't fit: {len(bad):,}, in the deals "
            f"{', '.join(map(repr, bad[:_SHOWN]))}{more}; with bad_cells='null' they are cleared"
        )
        raise SchemaError(msg, deal=bad[0], field=field.name, expected=field.describe())
