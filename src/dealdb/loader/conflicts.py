"""What happens to deals that exist already: ``on_conflict``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from dealdb.errors import LoadError
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
    """Write only deals that don't exist; a round trip more."""
    new = [place for place, deal in enumerate(store.get_many(ids)) if deal is None]
    if not new:
        return Outcome(skipped=len(ids))
    cells = {name: [column[place] for place in new] for name, column in columns.items()}
    written = _outcome(store.write(schema, [ids[place] for place in new], cells))
    return Outcome(written.inserted, written.updated, written.unchanged, len(ids) - len(new))


def refuse(store: Store, schema: Schema, ids: Sequence[str], columns: Columns) -> Outcome:
    """
    Write only where no deal exists; a round trip more.

    Raises
    ------
    LoadError
        If one has come into being since the load began.
    """
    n_found = sum(deal is not None for deal in store.get_many(ids))
    if n_found:
        msg = (
            f"{n_found} deals were saved by somebody else while this load ran; it stops here, and what it "
            "wrote before stays; load again with on_conflict='skip' or 'merge'"
        )
        raise LoadError(msg)
    return _outcome(store.write(schema, ids, columns))


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
