"""Whether the server still has what it has acknowledged: it may have been emptied, or set back to an older state."""

from __future__ import annotations

from typing import NamedTuple

from dealdb.connection import Link
from dealdb.errors import LoadReset
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.bounds.wall import number_in
from dealdb.store.commit.definitions import Definitions
from dealdb.store.commit.writers import Writers, lost_commits
from dealdb.store.history.reading import is_known
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position
from dealdb.store.log.reader import position_in


class Seen(NamedTuple):
    """
    What one look at a collection has found.

    Attributes
    ----------
    schema, pipeline
        Those in force.
    position
        The last commit.
    n_deals
        Deals that exist.
    """

    schema: Schema
    pipeline: Pipeline
    position: Position
    n_deals: int


def look(keys: Keys, definitions: Definitions) -> Seen:
    """A collection as it is now. One round trip."""
    seq, chain, n_deals = definitions.refresh_with("seq", "hash", "deals")
    return Seen(
        definitions.schema,
        definitions.pipeline,
        position_in(keys.meta, seq, chain),
        number_in(f"deals in {keys.meta!r}", n_deals),
    )


def newest(link: Link, keys: Keys) -> Position:
    """The last commit of a collection. One round trip."""
    seq, chain = link.call("HMGET", keys.meta, "seq", "hash", retry=True)
    return position_in(keys.meta, seq, chain)


def confirm(link: Link, keys: Keys, writers: Writers, since: Position) -> Position:
    """
    The last commit of a collection, after the server was found to have all of a load.

    Parameters
    ----------
    since
        Last commit when the load began.

    Raises
    ------
    LoadReset
        If ``since`` or the last commit of this thread is no longer in the history.

    Cost
    ----
    Three round trips; more where a checkpoint has sealed ``since`` meanwhile.
    """
    here = newest(link, keys)
    known = here == since or is_known(link, keys, since)
    if not (known and writers.has_kept_last()):
        raise LoadReset(lost_commits(link.settings.where, keys))
    return here
