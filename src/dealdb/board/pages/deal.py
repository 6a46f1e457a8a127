"""A deal: its fields in a form, and its history; a new deal; what it was at a moment of the past."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from dealdb.board.page_request import PageRequest
from dealdb.board.pages.page import BoardPage, Shown
from dealdb.board.parts.cells import shown
from dealdb.board.parts.entries import history_entries
from dealdb.board.parts.form import form_fields
from dealdb.board.parts.offers import offers
from dealdb.board.parts.paths import BY_ID, data_path, deal_link, deal_path
from dealdb.errors import DealNotFound
from dealdb.model.moments import read_moment

if TYPE_CHECKING:
    from dealdb.database import DealDatabase

# fields whose known values are offered
_OFFERED = ("owner", "source", "currency", "loss_reason")
_MOST_NEAR = 5
# comparing letter by letter takes 5 µs an id
_MOST_COMPARED = 20_000
# entries of the history
_MOST_ENTRIES = 100


def deal_id(asked: PageRequest) -> str:
    """The id that an address means."""
    name = asked.names["id"]
    return asked.option("id", "") or "" if name == BY_ID else name


def show(asked: PageRequest) -> Shown:
    """A deal as it is, or as it was."""
    deal = deal_id(asked)
    past = asked.option("as_of")
    source = asked.db if past is None else asked.db.as_of(past)
    found = source.get_deal(deal) if deal else None
    schema = source.schema
    if not deal:
        raise DealNotFound(deal)
    history = asked.db.deal_history(deal)
    if found is None and history.is_empty():
        raise DealNotFound(deal)
    entries, earlier = history_entries(history, asked.db.schema, asked.locale, _MOST_ENTRIES)
    values = dict(found) if found is not None else {}
    return Shown(
        for_template={
            "title": values.get("name") or deal,
            "deal": deal,
            "values": {
                name: shown(values.get(name), asked.locale) for name in schema if name in values
            },
            "is_there": found is not None,
            "rev": getattr(found, "rev", None),
            "address": deal_link(asked, deal),
            "path": deal_path(deal),
            "past": past,
            "is_day": past is not None and not isinstance(read_moment(past, "as_of"), datetime),
            "inputs": form_fields(list(schema.fields), values, source.pipeline, asked.locale),
            "kinds": {stage.name: str(stage.kind) for stage in source.pipeline},
            "offers": offers(asked.db.query, _OFFERED, schema),
            "entries": entries,
            "earlier": earlier,
            "data_link": asked.base + data_path(deal),
        },
        data=lambda: {
            "deal": values or None,
            "rev": getattr(found, "rev", None),
            "history": history.to_dicts(),
        },
        table=history,
    )


def show_new(asked: PageRequest) -> Shown:
    """An empty form."""
    schema = asked.db.schema
    given: Mapping[str, Any] = {"stage": asked.option("stage")}
    return Shown(
        for_template={
            "inputs": form_fields(list(schema.fields), given, asked.db.pipeline, asked.locale),
            "offers": offers(asked.db.query, _OFFERED, schema),
        }
    )


def near_ids(db: DealDatabase, deal: str) -> list[str]:
    """Ids that are written nearly so."""
    known = db.query.find(columns=["id"])["id"]
    # of several the first by id, in whatever order they were saved
    alike = known.filter(known.str.to_lowercase() == deal.lower())
    # of an empty id all are longer forms
    longer = known.filter(known.str.starts_with(deal)) if deal else known.head(0)
    near = dict.fromkeys([*alike.sort().head(_MOST_NEAR), *longer.sort().head(_MOST_NEAR)])
    if near or len(known) > _MOST_COMPARED:
        return list(near)[:_MOST_NEAR]
    return difflib.get_close_matches(deal[:80], known.to_list(), n=_MOST_NEAR, cutoff=0.7)


NEW_DEAL = BoardPage(
    path="/deals/new",
    title="New deal",
    template="new_deal.html",
    show=show_new,
    in_menu=False,
    has_filter=False,
)
DEAL = BoardPage(
    path="/deals/{id}",
    title="Deal",
    template="deal.html",
    show=show,
    in_menu=False,
    has_filter=False,
)
