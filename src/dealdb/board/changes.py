"""Changes that pages send: JSON in, one commit in the name of who is signed in, and what to tell of a conflict."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dealdb.board.kanban.options import NOT_BY_LANE, lanes_column
from dealdb.board.pages.deal import deal_id
from dealdb.board.pages.health import check
from dealdb.board.parts.cells import shown
from dealdb.board.parts.form import check_numbers
from dealdb.board.parts.paths import deal_path
from dealdb.errors import (
    AccessDenied,
    ConflictError,
    DealNotFound,
    QueryError,
    SchemaError,
)
from dealdb.model.names import unknown
from dealdb.model.values import encode
from dealdb.store.history.feed_start import vector_in

if TYPE_CHECKING:
    from dealdb.board.page_request import PageRequest
    from dealdb.model.schema import Schema

# what a change answers: a status of HTTP, and an object
Told = tuple[int, dict[str, Any]]
BoardChange = Callable[["PageRequest", dict[str, Any]], Told]
_CONFLICT = 409
# more entries than this say no more
_MOST_TOLD = 20


def read_body(body: bytes) -> dict[str, Any]:
    """
    The object that a page sent; numbers with all their digits.

    Raises
    ------
    QueryError
        If it is none.

    Examples
    --------
    >>> read_body(b'{"expect_rev": 7, "changes": {"amount": 12.50}}')["changes"]
    {'amount': Decimal('12.50')}
    """
    try:
        found = json.loads(body, parse_float=Decimal)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        msg = "a change is a JSON object"
        raise QueryError(msg)
    return found


def save(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Change a deal: ``{"expect_rev": 7, "changes": {"stage": "Won"}}``; null clears a field.

    Raises
    ------
    AccessDenied
        If the board is read-only.
    SchemaError, QueryError
        If a value does not fit its field, or there is no such field.
    DealNotFound
        If there is no such deal.
    """
    deal = deal_id(asked)
    expected, changes = _revision(body), _changes(asked, body)
    try:
        with asked.db.acting_as(asked.actor):
            result = asked.db.save_deal({**changes, "id": deal}, expect_rev=expected)
    except ConflictError as conflict:
        return _conflict(asked, conflict, changes)
    return 200, {"id": deal, "rev": result.rev, "outcome": result.outcome}


def move(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Move a deal to a stage: ``{"stage": "Won", "seq": 7}``, where 7 is the commit that the page shows.

    A deal that was changed after that commit is a conflict. In a collection of partitions it is named by its
    ``"token"``. ``"expect_rev"`` in place of ``"seq"`` names the revision
    of the deal itself; ``"loss_reason"`` is saved with the stage. ``"by": "owner", "lane": "Ann"``, with a stage or
    without, moves it to a lane: null is the lane of those without a value.

    Raises
    ------
    AccessDenied, DealNotFound
        As for ``save``.
    QueryError
        If there is no such stage, lanes by that column are not for moving, or the body can't be understood.
    """
    refuse_if_read_only(asked)
    deal, changes = deal_id(asked), _moved(asked, body)
    try:
        expected = _revision(body) if "expect_rev" in body else _shown_revision(asked, deal, body)
        with asked.db.acting_as(asked.actor):
            result = asked.db.save_deal({**changes, "id": deal}, expect_rev=expected)
    except ConflictError as conflict:
        return _conflict(asked, conflict, changes)
    return 200, {"id": deal, "rev": result.rev, "outcome": result.outcome}


def _moved(asked: PageRequest, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a move changes."""
    stage, schema = body.get("stage"), asked.db.schema
    known = [each.name for each in asked.db.pipeline]
    changes: dict[str, Any] = {}
    if "stage" in body or "by" not in body:
        if not isinstance(stage, str) or stage not in known:
            raise QueryError(unknown("stage", str(stage)[:80], known))
        changes["stage"] = stage
    if "by" in body:
        by, lane = lanes_column(str(body["by"])[:200], schema), body.get("lane")
        if by in NOT_BY_LANE:
            msg = f"a card can't be moved to a lane of another {by}: change it on the page of the deal"
            raise QueryError(msg)
        if lane is not None and not isinstance(lane, str):
            msg = "a lane is a text, or null for the deals without a value"
            raise QueryError(msg)
        changes[by] = lane
    if (reason := _text(body, "loss_reason")) and "loss_reason" in schema:
        changes["loss_reason"] = reason
    return changes


def create(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Save a new deal: ``{"changes": {"id": "42", "stage": "Lead"}}``.

    Raises
    ------
    AccessDenied, SchemaError, QueryError
        As for ``save``; a deal that is there already is a conflict.
    """
    changes = _changes(asked, body, new=True)
    try:
        with asked.db.acting_as(asked.actor):
            result = asked.db.save_deal(changes, expect_rev=0)
    except ConflictError as conflict:
        msg = f"there is a deal with the id {conflict.deal!r} already; nothing was saved"
        return _CONFLICT, {"code": conflict.code, "message": msg, "field": "id"}
    told = {"id": result.id, "rev": result.rev, "outcome": result.outcome}
    return 200, told | {"path": deal_path(result.id)}


def delete(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Delete a deal: ``{"expect_rev": 7}``.

    Raises
    ------
    AccessDenied
        If the board is read-only.
    DealNotFound
        If there is no such deal.
    """
    refuse_if_read_only(asked)
    deal = deal_id(asked)
    try:
        with asked.db.acting_as(asked.actor):
            was_there = asked.db.delete_deal(deal, expect_rev=_revision(body))
    except ConflictError as conflict:
        return _conflict(asked, conflict, {})
    if not was_there:
        raise DealNotFound(deal)
    return 200, {"id": deal, "outcome": "deleted"}


def save_query(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Save a query by name: ``{"name": "hot", "where": "amount > 5", "sort": ["-amount"], "columns": ["id"]}``.

    Raises
    ------
    AccessDenied, QueryError
        If the board is read-only, or the query can't be understood or have that name.
    """
    refuse_if_read_only(asked)
    name, where = _text(body, "name"), _text(body, "where")
    sort, columns = _texts(body, "sort"), _texts(body, "columns")
    with asked.db.acting_as(asked.actor):
        asked.db.query.save(name, where or None, sort=sort, columns=columns)
    return 200, {"name": name}


def forget_query(asked: PageRequest, body: dict[str, Any]) -> Told:
    """
    Remove a saved query: ``{"name": "hot"}``.

    Raises
    ------
    AccessDenied, QueryError
        If the board is read-only, or there is no such query.
    """
    refuse_if_read_only(asked)
    name = _text(body, "name")
    if not asked.db.query.forget(name):
        msg = f"no saved query {name[:80]!r}"
        raise QueryError(msg)
    return 200, {"name": name}


def refuse_if_read_only(asked: PageRequest) -> None:
    """
    Refuse any change on a board that is read-only.

    Raises
    ------
    AccessDenied
        Always there.
    """
    if asked.read_only:
        msg = "this board is read-only: nothing can be changed here"
        raise AccessDenied(msg)


def _text(body: Mapping[str, Any], name: str) -> str:
    """A text that a change has; empty where it has none."""
    found = body.get(name)
    if found is not None and not isinstance(found, str):
        msg = f"{name} is a text"
        raise QueryError(msg)
    return (found or "").strip()


def _texts(body: Mapping[str, Any], name: str) -> list[str] | None:
    """A list of texts that a change has; None where it has none."""
    found = body.get(name)
    if found is not None and not (
        isinstance(found, list) and all(isinstance(each, str) for each in found)
    ):
        msg = f"{name} is a list of texts"
        raise QueryError(msg)
    return found or None


def _revision(body: Mapping[str, Any]) -> int:
    found = body.get("expect_rev")
    if isinstance(found, int) and not isinstance(found, bool) and found > 0:
        return found
    msg = "a change names the revision of the deal that it is made to, in expect_rev"
    raise QueryError(msg)


def _shown_revision(asked: PageRequest, deal: str, body: Mapping[str, Any]) -> int:
    """The revision of a deal that a page has shown as of a commit: the present one, unless it is newer."""
    seq = _shown_commit(asked, deal, body)
    found = asked.db.get_deal(deal)
    if found is None and not asked.db.deal_history(deal).height:
        raise DealNotFound(deal)
    now = 0 if found is None else found.rev
    if found is None or now > seq:
        raise ConflictError(deal, expected_rev=seq, actual_rev=now)
    return now


def _shown_commit(asked: PageRequest, deal: str, body: Mapping[str, Any]) -> int:
    """Number of the last commit that a page shows, in the partition of a deal."""
    place = asked.db.place_of(deal)
    if place.partitions > 1:
        vector = vector_in(str(body.get("token")))
        if vector is None or len(vector) != place.partitions:
            msg = "a move names the commits that the page shows, in token: the collection has partitions"
            raise QueryError(msg)
        return vector[place.partition][0]
    seq = body.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool) or seq < 1:
        msg = "a move names the commit that the page shows, in seq"
        raise QueryError(msg)
    return seq


def _changes(asked: PageRequest, body: Mapping[str, Any], *, new: bool = False) -> dict[str, Any]:
    refuse_if_read_only(asked)
    changes = body.get("changes")
    if not isinstance(changes, dict) or not changes:
        msg = "a change has an object of fields and their values, in changes"
        raise QueryError(msg)
    schema = asked.db.schema
    for name in changes:
        # a name that was mistyped would be a new column for all deals
        if name not in schema or (name == "id" and not new):
            raise QueryError(unknown("field", name, [each for each in schema if each != "id"]))
    if new and not str(changes.get("id") or "").strip():
        raise SchemaError("a deal needs an id", field="id", expected="non-empty text")
    check_numbers(changes, schema, asked.locale)
    return changes


def _conflict(asked: PageRequest, conflict: ConflictError, mine: Mapping[str, Any]) -> Told:
    """Who changed what meanwhile, and the values of now beside those that were not saved."""
    deal = conflict.deal
    history = asked.db.deal_history(deal)
    meanwhile = history.filter(history["seq"] > conflict.expected_rev)
    found = asked.db.get_deal(deal)
    if found is None and history.is_empty():
        raise DealNotFound(deal)
    if found is not None and mine and _has_all(found, mine, asked.db.schema):
        # two people who say the same have nothing to decide
        return 200, {"id": deal, "rev": found.rev, "outcome": "unchanged"}
    # whoever changed a deal before it was deleted did not delete it
    seen = meanwhile if found is not None else meanwhile.tail(1)
    who = [each or "somebody" for each in seen["who"].unique(maintain_order=True)]
    schema, locale = asked.db.schema, asked.locale
    touched = set(meanwhile["field"]) - {"updated"}
    # a field that was dropped since is in the history, and no longer in the schema
    changed = [name for name in schema if name in touched]
    names = [name for name in schema if name in changed or name in mine]
    now = dict(found) if found is not None else {}
    return _CONFLICT, {
        "code": conflict.code,
        "message": _told(deal, who, changed, is_there=found is not None),
        "id": deal,
        "rev": found.rev if found is not None else None,
        "who": who[:_MOST_TOLD],
        "fields": [
            {
                "name": name,
                "now": shown(now.get(name), locale),
                "yours": shown(mine[name], locale) if name in mine else None,
                "changed": name in changed,
            }
            for name in names
        ],
    }


def _has_all(found: Mapping[str, Any], mine: Mapping[str, Any], schema: Schema) -> bool:
    """Whether a deal has each of these values already, as they would be saved."""

    def saved(name: str, value: object) -> str | None:
        return None if value is None else encode(value, schema[name])

    return all(saved(name, value) == saved(name, found.get(name)) for name, value in mine.items())


def _told(deal: str, who: list[str], changed: list[str], *, is_there: bool) -> str:
    people = ", ".join(who[:_MOST_TOLD]) or "another program"
    if not is_there:
        return f"{deal} was deleted meanwhile by {people}; nothing was saved"
    fields = ", ".join(changed[:_MOST_TOLD]) or "a field"
    return f"{deal} was changed meanwhile by {people}: {fields}; nothing was saved"


# by path below the board's address
CHANGES: dict[str, BoardChange] = {
    "/deals/new": create,
    "/deals/{id}/delete": delete,
    "/deals/{id}/move": move,
    "/deals/{id}": save,
    "/saved": save_query,
    "/saved/forget": forget_query,
    "/check": check,
}
