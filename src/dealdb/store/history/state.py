"""
Whether the state of a collection is that of its log, and making it again from the history where it is not.

The state is the hash ``deals:meta``. The scripts of commits believe it; readers follow the log, so that nobody sees
that it is gone, until a change is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from hashlib import sha1

from dealdb.connection import Link
from dealdb.errors import ServerRefused, StoreDamaged
from dealdb.model.pipeline import Pipeline
from dealdb.model.schema import Schema
from dealdb.store.archive.string_keys import is_wrong_type
from dealdb.store.bounds.wall import Reading, number_in, time_in
from dealdb.store.hashes import as_dict, scan_hashes
from dealdb.store.history.as_of import replica_at
from dealdb.store.history.reading import read_history
from dealdb.store.keys import FORMAT, FORMAT_OF_FACTS, FORMATS, Keys
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import position_in, read_from
from dealdb.store.replica.replica import Replica

logger = logging.getLogger(__name__)
_NUMBERS = ("rows", "deals", "future", "forgotten", "swept")
# of a revision
_MOST_DIGITS = 18
# only while the log ends with the commit that it was made from
_WRITE = b"""
local last = redis.call('XRANGE', KEYS[2], ARGV[1], '+', 'COUNT', 2)
if #last ~= 1 or last[1][1] ~= ARGV[1] or last[1][2][2] ~= ARGV[2] then return 0 end
if redis.call('TYPE', KEYS[1])['ok'] ~= 'hash' then redis.call('DEL', KEYS[1]) end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], 'pipeline', 'pipeline_version') end
redis.call('HDEL', KEYS[1], 'future', 'swept')
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
return 1
"""


def trouble_of(link: Link, keys: Keys) -> str | None:
    """
    What to say where the state is gone, damaged, or not that of the log; None where all is well.

    A log that is ahead of it is not meant: ``upkeep/ahead`` looks for that.

    Cost
    ----
    Three round trips; some more where the log does not end with the commit of the state.
    """
    found = _found(link, keys)
    if found is None:
        return f"{keys.meta!r} is of another type"
    if found.get(b"format", FORMAT) not in FORMATS:
        # a newer one, or a restore, which say so themselves
        return None
    try:
        last = _last(link, keys, found)
    except StoreDamaged:
        # of the log itself, which whoever reads it says
        return None
    if not found:
        return _gone([keys]) if last else None
    try:
        position = _checked(keys, found)
    except StoreDamaged as damaged:
        return str(damaged).partition("; dealdb doctor")[0]
    return _difference(keys, found, position, last)


def _difference(
    keys: Keys, found: Mapping[bytes, bytes], position: Position, last: Entry | None
) -> str | None:
    """What to say where a state is not that after the last entry of the log."""
    if last is None or last.position.seq > position.seq:
        return None
    if last.position != position:
        seqs = f"commit {position.seq}, and the log ends with commit {last.position.seq}"
        return f"{keys.meta!r} is of {seqs}"
    try:
        rows, known = int(found[b"rows"]), _rows_after(last)
    except StoreDamaged:
        # of the log itself, which whoever reads it says
        return None
    return None if rows == known else f"{keys.meta!r} says {rows:,} rows, and the log {known:,}"


def mend(link: Link, keys: Keys) -> bool:
    """
    Make the state again from the history, if it is damaged; whether it was.

    Raises
    ------
    StoreDamaged
        If it is, and the history is not there to make it of.

    Cost
    ----
    As of ``trouble_of``; where it is damaged, a read of the newest checkpoint and of the history since then, and of all
    hashes.
    """
    trouble = trouble_of(link, keys)
    if trouble is None:
        return False
    last = _last(link, keys, {})
    if last is None:
        raise _beyond_repair(link, trouble)
    try:
        replica = replica_at(link, keys, last.position.seq)
    except StoreDamaged as damaged:
        where = link.settings.where
        msg = f"{where}: the state of the collection is damaged ({trouble}), and so is its history: {damaged}"
        raise StoreDamaged(msg) from damaged
    if replica.position != last.position or _last_revision(link, keys) > last.position.seq:
        # the log has lost commits that the hashes have
        raise _beyond_repair(link, trouble)
    genesis, form = _beginning(link, keys, last.position.seq)
    fields = _fields_of(replica, genesis) | {"format": form.decode()}
    words = [word for pair in fields.items() for word in pair]
    done = link.call(
        "EVAL", _WRITE, 2, keys.meta, keys.log,
        f"{last.position.seq}-0", last.position.hash, fields.get("pipeline", ""), *words,
    )  # fmt: skip
    if done:
        logger.warning("the state of %r was made again from its log: %s", keys.collection, trouble)
    return bool(done)


def state_gone(link: Link, of: Iterable[Keys]) -> StoreDamaged:
    """Error for states that are gone, of collections or partitions that have commits."""
    return damaged_state(link, _gone(of))


def _gone(of: Iterable[Keys]) -> str:
    return f"{', '.join(repr(keys.meta) for keys in of)} is gone, and there are commits"


def damaged_state(link: Link, trouble: str) -> StoreDamaged:
    """Error for a state that is damaged."""
    return StoreDamaged(
        f"{link.settings.where}: the state of the collection is damaged: {trouble}; "
        "dealdb repair makes it again from the log"
    )


def _beyond_repair(link: Link, trouble: str) -> StoreDamaged:
    return StoreDamaged(
        f"{link.settings.where}: the state of the collection is damaged: {trouble}; its log is not there to make it "
        "again: restore a backup"
    )


def _found(link: Link, keys: Keys) -> Mapping[bytes, bytes] | None:
    try:
        return as_dict(link.call("HGETALL", keys.meta, retry=True))
    except ServerRefused as refusal:
        if not is_wrong_type(refusal):
            raise
        return None


def _checked(keys: Keys, found: Mapping[bytes, bytes]) -> Position:
    """The commit of a state, all of which can be read."""
    for number in _NUMBERS:
        number_in(f"{number} in {keys.meta!r}", found.get(number.encode()))
    time_in(f"time in {keys.meta!r}", found.get(b"time"))
    with Reading(f"the schema or pipeline in {keys.meta!r}"):
        Schema.from_json(found[b"schema"])
        if b"pipeline" in found:
            Pipeline.from_json(found[b"pipeline"])
        for name, version in ((b"schema", b"schema_version"), (b"pipeline", b"pipeline_version")):
            if found.get(version) != (_version(found[name]) if name in found else None):
                msg = "the version of another one"
                raise ValueError(msg)
        # the script takes a field that is not there for that of no commit
        position = position_in(keys.meta, found[b"seq"], found[b"hash"])
        if not position.seq or not {b"format", b"rows", b"time"} <= found.keys():
            msg = "of no commit"
            raise ValueError(msg)
    return position


def _version(text: bytes) -> bytes:
    return sha1(text, usedforsecurity=False).hexdigest()[:16].encode()


def _last(link: Link, keys: Keys, found: Mapping[bytes, bytes]) -> Entry | None:
    """The last entry of the log: first looked for where the state says that it is."""
    seq = found.get(b"seq", b"")
    starts = [int(seq)] if seq.isdigit() and len(seq) <= _MOST_DIGITS else []
    for start in (*starts, 0):
        last = None
        for page in read_from(link, keys.log, start):
            last = page[-1]
        if last is not None:
            return last
    return None


def _rows_after(entry: Entry) -> int:
    if entry.kind in ("schema", "pipeline", "delete"):
        return entry.height
    return max(entry.height, max(entry.rows, default=-1) + 1)


def _last_revision(link: Link, keys: Keys) -> int:
    """Highest number of a commit that a hash says to be of."""
    found = (
        fields.get(b"_rev", b"") for hashes in scan_hashes(link, keys) for fields in hashes.values()
    )
    return max((int(rev) for rev in found if rev.isdigit() and len(rev) <= _MOST_DIGITS), default=0)


def _beginning(link: Link, keys: Keys, until: int) -> tuple[str, bytes]:
    """Name of the writer of the first commit, empty where the history up to ``until`` is not there; and its format."""
    genesis, form = "", FORMAT
    try:
        for entry in read_history(link, keys, until=until):
            genesis = genesis or entry.writer
            if entry.tells_of_before:
                return genesis, FORMAT_OF_FACTS
    except StoreDamaged:
        # what is missing may have been of the newer format
        return genesis, FORMAT_OF_FACTS
    return genesis, form


def _fields_of(replica: Replica, genesis: str) -> dict[str, str]:
    """State that is that of a replica."""
    replica.need(["id"])
    deals = replica.height - replica.columns["id"].null_count() if replica.columns else 0
    seq = str(replica.position.seq)
    fields = {
        "seq": seq,
        "hash": replica.position.hash.decode(),
        "time": str(replica.time_ms),
        "rows": str(replica.height),
        "deals": str(deals),
        "schema": replica.schema.to_json(),
        # a writer of before may have been forgotten: it has to take a new name
        "forgotten": seq,
        "adopted": "1",
    }
    if genesis:
        fields["genesis"] = genesis
    if replica.pipeline:
        fields["pipeline"] = replica.pipeline.to_json()
    versions = {
        f"{name}_version": _version(fields[name].encode()).decode()
        for name in ("schema", "pipeline")
        if name in fields
    }
    return fields | versions
