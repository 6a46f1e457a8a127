"""Deals as they go in and out of a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

from dealdb.errors import StoreDamaged
from dealdb.model.jsonable import to_jsonable
from dealdb.model.schema import Schema
from dealdb.model.values import Value, decode

# of a number that a commit can have
_MAX_DIGITS = 18
Outcome: TypeAlias = Literal["inserted", "updated", "unchanged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """
    What one commit of a batch did.

    Attributes
    ----------
    seq
        Number of the commit; 0 when it changed nothing.
    inserted, updated, unchanged
        Deals, together as many as were given.
    """

    seq: int
    inserted: int
    updated: int
    unchanged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveResult:
    """
    What saving one deal did.

    Attributes
    ----------
    id
        The deal.
    rev
        Its revision afterwards: the number of the commit that changed it last.
    outcome
        ``inserted``, ``updated`` or ``unchanged``.
    """

    id: str
    rev: int
    outcome: Outcome


class DealPlace(NamedTuple):
    """
    Where a deal is kept.

    Attributes
    ----------
    key
        Of its hash.
    partition, partitions
        Number of its partition, and how many the collection has.
    slot, node
        Its slot in a cluster, and the address of the node that has it; None where there is no cluster.
    """

    key: str
    partition: int = 0
    partitions: int = 1
    slot: int | None = None
    node: str | None = None


class Deal(dict[str, Value]):
    """
    One deal: typed values by field, fields that are null left out.

    Attributes
    ----------
    rev
        Revision that was read, for ``expect_rev``; 0 for a hash that another program wrote.
    """

    def __init__(self, values: Mapping[str, Value], *, rev: int) -> None:
        super().__init__(values)
        self.rev = rev

    def to_json(self) -> str:
        """
        The deal as JSON text; decimals and dates are texts in it, as ``to_jsonable`` has them.

        Examples
        --------
        >>> from decimal import Decimal
        >>> Deal({"id": "7", "amount": Decimal("5.00")}, rev=1).to_json()
        '{"id": "7", "amount": "5.00"}'
        """
        return json.dumps(to_jsonable(self), ensure_ascii=False)


def deal_from(deal_id: str, fields: Mapping[bytes, bytes], schema: Schema) -> Deal:
    """
    Deal from its hash.

    Raises
    ------
    StoreDamaged
        If a text does not fit its field's type.
    """
    values: dict[str, Value] = {"id": deal_id}
    # in the order of the schema, whatever order the hash has; a field that no schema has is another program's text
    texts = {
        name.decode(errors="replace"): text
        for name, text in fields.items()
        if not name.startswith(b"_")
    }
    for field in schema.fields:
        text = texts.pop(field.name, None)
        if text is None or field.name == "id":
            continue
        try:
            values[field.name] = decode(text.decode(), field)
        except ValueError:
            msg = (
                f"deal {deal_id!r}, field {field.name!r}: expected {field.describe()}, "
                "found a text of another form, written by another program"
            )
            raise StoreDamaged(msg) from None
    values.update({name: text.decode(errors="replace") for name, text in texts.items()})
    rev = fields.get(b"_rev", b"0")
    if not rev.isdigit() or len(rev) > _MAX_DIGITS:
        msg = f"deal {deal_id!r}: its revision (_rev) is no number; another program wrote it"
        raise StoreDamaged(msg)
    return Deal(values, rev=int(rev))
