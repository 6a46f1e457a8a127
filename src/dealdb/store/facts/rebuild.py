"""Whether the facts that checkpoints have kept are whole, and making them again from the log."""

from __future__ import annotations

import logging
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from dealdb.connection import Link
from dealdb.errors import StoreDamaged, StoreError
from dealdb.store.archive.digest import is_whole
from dealdb.store.archive.manifest import Generation, Manifest, read_manifest
from dealdb.store.archive.string_keys import read_string
from dealdb.store.checkpoint.lease import give_back, take
from dealdb.store.checkpoint.write import publish, remove_orphans, write_checkpoint
from dealdb.store.history.reading import read_history
from dealdb.store.keys import Keys
from dealdb.store.ledger.keeping import FactsKeeper
from dealdb.store.ledger.kept import has_facts, read_tables
from dealdb.store.log.reader import has_position
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
# each failed try means that another process has written a checkpoint
_MAX_TRIES = 5
_PAUSE_S = 0.5


def lost_pieces(link: Link, keys: Keys) -> list[str]:
    """
    Keys of facts that the newest checkpoint has kept and that are missing or damaged.

    Cost
    ----
    A read of all that is kept: a round trip for each field, and for each piece of one that is damaged.
    """
    lost: list[str] = []
    for _ in range(_MAX_TRIES):
        manifest = read_manifest(link, keys)
        lost = _lost_of(link, keys, manifest)
        # else a checkpoint of the meantime has taken them away
        if not lost or read_manifest(link, keys) == manifest:
            break
    return lost


def _lost_of(link: Link, keys: Keys, manifest: Manifest | None) -> list[str]:
    newest = manifest.generations[0] if manifest else None
    if newest is None or not has_facts(newest) or newest.facts is None:
        return []
    lost = []
    for name, pieces in newest.facts.tables.items():
        if read_tables(link, keys, newest, [name]) is None:
            digests = [piece.digest for piece in pieces]
            found = [d for d in digests if not is_whole(d, read_string(link, keys.chunk(d)))]
            # where each is what its digest says, another program has made them all
            lost += [keys.chunk(digest) for digest in found or digests]
    return list(dict.fromkeys(lost))


def state_of_facts(link: Link, keys: Keys) -> tuple[bool, str]:
    """
    Whether the newest checkpoint has kept the facts of all commits before it, and what to say of it.

    Cost
    ----
    As of ``lost_pieces``.
    """
    manifest = read_manifest(link, keys)
    if manifest is None:
        return True, "no checkpoint yet, so none are kept: metrics on history read the log"
    newest = manifest.generations[0]
    if newest.facts is None or not has_facts(newest):
        found = "none are kept: the first metric on history in each process reads the whole log"
        return False, found
    lost = lost_pieces(link, keys)
    if lost:
        return False, f"missing or damaged, so the log is read instead: {', '.join(lost)}"
    return True, f"kept up to commit {newest.position.seq}, in {newest.facts.n_pieces} pieces"


def rebuild_facts(link: Link, keys: Keys, replica: Callable[[], Replica]) -> int:
    """
    Keep the facts of the newest checkpoint once more, made from the log; how many changes of deals there are.

    Parameters
    ----------
    replica
        The state as of now, for a checkpoint where there is none.

    Raises
    ------
    StoreDamaged
        If the history is not there from the first commit on.
    StoreError
        If other processes write checkpoints all the while.

    Cost
    ----
    A read of the whole history; where there is no checkpoint, that of one.
    """
    owner = secrets.token_hex(8)
    for _ in range(_MAX_TRIES):
        if _checkpointed(link, keys) is None:
            write_checkpoint(link, keys, replica(), owner=owner)
        if take(link, keys, owner):
            try:
                found = _rebuilt(link, keys, owner)
            finally:
                with suppress(StoreError):
                    give_back(link, keys, owner)
            if found is not None:
                return found
        time.sleep(_PAUSE_S)
    msg = (
        f"{link.settings.where}: other processes write checkpoints of {keys.collection!r} all the while, so that "
        "its facts can't be made again; try once more"
    )
    raise StoreError(msg)


def _checkpointed(link: Link, keys: Keys) -> tuple[Manifest, bytes] | None:
    """The manifest in force and its text; None where the log does not continue its newest checkpoint."""
    text = read_string(link, keys.checkpoint) or b""
    manifest = Manifest.from_bytes(text)
    if manifest is None or not has_position(link, keys.log, manifest.generations[0].position):
        return None
    return manifest, text


def _rebuilt(link: Link, keys: Keys, owner: str) -> int | None:
    """How many changes are kept now; None where another process was quicker."""
    found = _checkpointed(link, keys)
    if found is None:
        return None
    manifest, text = found
    newest, written = manifest.generations[0], set[str]()

    def write(blobs: dict[str, bytes]) -> None:
        # it takes longer than the lease lasts, where the history is large
        take(link, keys, owner)
        sets = [("SET", key, blob) for key, blob in blobs.items()]
        link.calls([("SADD", keys.chunks, *blobs), *sets], retry=True)
        written.update(blobs)

    keeper = FactsKeeper(link, keys, None, write)
    last = newest.position.seq
    deque(keeper.noted(read_history(link, keys, until=last, as_frames=True)), maxlen=0)
    facts = keeper.kept(last)
    if facts is None:
        msg = (
            f"{link.settings.where}: the facts of {keys.collection!r} can't be made again: a commit can't be read; "
            "dealdb doctor names it"
        )
        raise StoreDamaged(msg)
    older = tuple(replace(each, facts=None) for each in manifest.generations[1:])
    generations: tuple[Generation, ...] = (replace(newest, facts=facts), *older)
    new = replace(manifest, generations=generations)
    if not publish(link, keys, new, text, written, generations[-1].position.seq):
        return None
    remove_orphans(link, keys)
    logger.info(
        "facts of %r made again; changes: %d, commit: %d",
        *(keys.collection, facts.rows_of("touches"), last),
    )
    return facts.rows_of("touches")
