"""
Schemas of a collection of partitions while a field is being dropped, renamed or retyped.

The head's schema says so from before the first partition loses it until all have lost it. Meanwhile a partition keeps
what it has of the field, and what has lost it doesn't get it again: else a deal that is saved could bring it back where
it was removed already, while values live on where it was not yet.
"""

from __future__ import annotations

from dataclasses import replace

from dealdb.errors import SchemaError
from dealdb.model.leaving import Leaving
from dealdb.model.schema import Field, FieldType, Schema, parse_type, widen


def type_after(leaving: Leaving) -> Field | None:
    """What a field is that has got its new type; None for one that gets none."""
    return None if leaving.type is None else parse_type(leaving.name, leaving.type)


def marked(schema: Schema, leaving: Leaving) -> Schema:
    """
    Schema of the next version, by which a field begins to leave.

    Raises
    ------
    SchemaError
        If there is no such field, every collection has it, or the one that its values go to doesn't hold them.
    """
    name = leaving.name
    schema.check_own(name)
    if leaving.into is not None:
        after = schema.with_fields([replace(schema[name], name=leaving.into)])
    elif leaving.type is not None:
        # what every type can become, and be made of
        after = schema.retyped(Field(name, FieldType.TEXT))
    else:
        after = schema
    version = schema.version + 1
    return replace(
        after, version=version, leaving=(*schema.leaving, leaving._replace(since=version))
    )


def left(schema: Schema, leaving: Leaving) -> Schema:
    """Schema of the next version, by which a field has left."""
    after = without(schema, leaving)
    return replace(stayed(after, leaving), version=schema.version + 1)


def without(schema: Schema, leaving: Leaving) -> Schema:
    """A schema, of the same version, that has lost what leaves."""
    field = type_after(leaving)
    after = schema.without(leaving.name) if field is None else schema.retyped(field)
    return replace(after, version=schema.version)


def stayed(schema: Schema, leaving: Leaving) -> Schema:
    """Schema of the next version, by which a field leaves no more."""
    rest = tuple(each for each in schema.leaving if each != leaving)
    return replace(schema, version=schema.version + 1, leaving=rest)


def schema_for(own: Schema, head: Schema) -> Schema:
    """
    What a partition is to have.

    Parameters
    ----------
    own, head
        What it has, and what the head has.
    """
    leaving = {each.name: each for each in head.leaving}
    fields = [
        field if field.name not in leaving else _kept(own.get(field.name), field, leaving)
        for field in head.fields
    ]
    return replace(head, fields=tuple(filter(None, fields)), leaving=())


def _kept(own: Field | None, head: Field, leaving: dict[str, Leaving]) -> Field | None:
    """What a partition keeps of a field that leaves."""
    field = type_after(leaving[head.name])
    if field is None:
        return own and head
    return field if own in (None, field) else head


def covers(head: Schema, own: Schema) -> bool:
    """Whether the head has all fields of a partition, each so that it holds the values of the partition's."""
    return own.version == head.version or holds_all(head, own)


def holds_all(wide: Schema, narrow: Schema) -> bool:
    """Whether a schema has all fields of another one, each so that it holds the values of the other's."""
    return all(field.name in wide and holds(wide[field.name], field) for field in narrow.fields)


def has_lost(own: Schema, leaving: Leaving) -> bool:
    """Whether a partition other than the head has lost what leaves."""
    return own.get(leaving.name) == type_after(leaving)


def holds(wide: Field, narrow: Field) -> bool:
    """Whether a field has the values of another one with the same texts."""
    return holding_both(narrow, wide) == wide


def holding_both(one: Field, other: Field) -> Field:
    """Narrowest field that has the values of two of one name, with the same texts."""
    try:
        return widen(one, other)
    except SchemaError:
        return Field(one.name, FieldType.TEXT)


def refuse_leaving(schema: Schema, own: Schema, fields: list[Field]) -> None:
    """
    Refuse fields that leave, and that a partition has lost, or is not to have otherwise.

    Raises
    ------
    SchemaError
        If there is one.
    """
    names = {field.name: field for field in fields}
    for leaving in schema.leaving:
        field = names.get(leaving.name)
        if field and not (field.name in own and holds(own[field.name], field)):
            msg = (
                f"field {field.name!r} is {leaving.what} in all partitions; save it when that is done (dealdb repair "
                "goes on with it where a process died)"
            )
            raise SchemaError(msg, field=field.name)
