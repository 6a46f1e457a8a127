"""What happens to deals that exist already: ``on_conflict``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import replace as replaced
from typing import TypeAlias

from dealdb.errors import ConflictError, LoadError
from dealdb.loader.stores import Store, Written
from dealdb.schema import Schema

Columns: TypeAlias = Mapping[str, Sequence[str | None]]

# set by the server with each change, so it is not for a source to clear
_OWN_CLOCK = "updated"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one batch did; together as many deals as it had."""

    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


def merge(store: Store, schema: Schema, ids: Sequence[str], columns: Columns) -> Outcome:
    """Set the fields that are given, keep the others."""
    return _outcome(store.write(schema, ids, columns))


def replace(store: Store, schema: Schema, ids: Sequence[str], columns: Columns) -> Outcome:
    """Set the fields that are given, clear the others."""
    nothing = [None] * len(ids)
    cleared = {name: nothing for name in schema if name not in ("id", _OWN_CLOCK)}
    return _outcome(store.write(schema, ids, {**cleared, **columns}))


def skip(store: Store, schema: Schema, ids: Sequence[str], columns: Columns) -> Outcome:
    """Write only deals that don't exist; two round trips more where some do."""
    left = list(range(len(ids)))
    while left:
        cells = {name: [column[place] for place in left] for name, column in columns.items()}
        try:
            written = store.write(schema, [ids[place] for place in left], cells, max_rev=0)
        except ConflictError:
            found = store.get_many([ids[place] for place in left])
            left = [place for place, deal in zip(left, found, strict=True) if deal is None]
            continue
        return replaced(_outcome(written), skipped=len(ids) - len(left))
    return Outcome(skipped=len(ids))


def refuse(store: Store, schema: Schema, ids: Sequence[str], columns: Columns) -> Outcome:
    """
    Write only where no deal exists.

    Raises
    ------
    LoadError
        If one has come into being since the load began.
    """
    try:
        return _outcome(store.write(schema, ids, columns, max_rev=0))
    except ConflictError as conflict:
        n_found = max(sum(deal is not None for deal in store.get_many(ids)), 1)
        msg = (
            f"{n_found} deals were saved by somebody else while this load ran; it stops here, and what it "
            "wrote before stays; load again with on_conflict='skip' or 'merge'"
        )
        raise LoadError(msg) from conflict


POLICIES: dict[str, Callable[[Store, Schema, Sequence[str], Columns], Outcome]] = {
    "merge": merge,
    "replace": replace,
    "skip": skip,
    "error": refuse,
}


def check_policy(name: str) -> None:
    """
    Refuse a policy that doesn't exist.

    Raises
    ------
    LoadError
        If there is none of that name.
    """
    if name not in POLICIES:
        msg = f"on_conflict is one of {', '.join(POLICIES)}, not {name!r}"
        raise LoadError(msg)


def _outcome(written: Written) -> Outcome:
    return Outcome(written.inserted, written.updated, written.unchanged)
