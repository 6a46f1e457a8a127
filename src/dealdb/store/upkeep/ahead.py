"""
A log that is ahead of the collection's state: a commit was cut off between its entry and what the entry says.

Earlier versions left that behind where a right was taken from a running writer. The commit was refused, and the hashes
are what counts: so the state is moved up to the entry, and a repair then adopts what the hashes hold.
"""

from __future__ import annotations

from hashlib import sha1

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.store.history.reading import follows
from dealdb.store.keys import FORMAT, FORMAT_OF_FACTS, Keys
from dealdb.store.log.entry import Entry, Position
from dealdb.store.log.reader import position_in, read_from

_MOVE_UP = b"""
local m = redis.call('HMGET', KEYS[1], 'seq', 'hash')
local behind = redis.call('XRANGE', KEYS[2], ARGV[3], '+', 'COUNT', 2)
if (m[1] or '0') ~= ARGV[1] or (m[2] or '') ~= ARGV[2] then return 0 end
if #behind ~= 1 or behind[1][1] ~= ARGV[3] or behind[1][2][2] ~= ARGV[4] then return 0 end
redis.call('HSET', KEYS[1], 'hash', ARGV[4], unpack(ARGV, 5))
return 1
"""


def log_ahead(link: Link, keys: Keys) -> str | None:
    """
    What to say if the log continues after the commit that the state is of; None if it does not.

    Cost
    ----
    Two round trips; another where there are entries behind, since a commit may have come in between.
    """
    _, ahead = _ahead(link, keys)
    if not ahead:
        return None
    return (
        f"the log of collection {keys.collection!r} is ahead of its state: a commit was cut off in the middle, and no "
        "other can follow; run dealdb repair"
    )


def catch_up(link: Link, keys: Keys) -> bool:
    """
    Move the state up to the log's last entry, where that is one commit ahead; whether it was.

    Raises
    ------
    StoreDamaged
        If the log continues with something that dealdb did not write.

    Cost
    ----
    Two round trips; two more where the log is ahead.
    """
    position, ahead = _ahead(link, keys)
    if not ahead:
        return False
    entry = ahead[0]
    if len(ahead) > 1 or not follows(position, entry):
        raise StoreDamaged(_foreign(link, keys, position))
    fields = {"seq": str(entry.position.seq), "time": str(entry.time_ms), **_state_after(entry)}
    if not position.seq:
        fields |= {"format": FORMAT.decode(), "genesis": entry.writer}
    words = [word for pair in fields.items() for word in pair]
    seq, chain = entry.position
    done = link.call(
        "EVAL", _MOVE_UP, 2, keys.meta, keys.log,
        position.seq, position.hash, f"{seq}-0", chain, *words,
    )  # fmt: skip
    return bool(done)


def _ahead(link: Link, keys: Keys) -> tuple[Position, list[Entry]]:
    """The commit that the state is of, and the first page of the log behind it, empty where all is well."""
    position = _position(link, keys)
    behind = list(next(read_from(link, keys.log, position.seq + 1), []))
    if behind and _position(link, keys) != position:
        # a state that moved on meanwhile is that of a commit that came in between
        behind = []
    return position, behind


def _position(link: Link, keys: Keys) -> Position:
    seq, chain = link.call("HMGET", keys.meta, "seq", "hash", retry=True)
    return position_in(keys.meta, seq, chain)


def _state_after(entry: Entry) -> dict[str, str]:
    """What a commit of this kind leaves in the meta data; the number of deals is counted by a repair."""
    if entry.kind in ("schema", "pipeline"):
        version = sha1(entry.data, usedforsecurity=False).hexdigest()[:16]
        entry.ensure_readable(None)
        return {entry.kind: entry.data.decode(), f"{entry.kind}_version": version}
    n_new = sum(row >= entry.height for row in entry.rows)
    form = {"format": FORMAT_OF_FACTS.decode()} if entry.tells_of_before else {}
    return {"rows": str(entry.height + n_new), **form}


def _foreign(link: Link, keys: Keys, position: Position) -> str:
    last = f"{position.seq}-0"
    return (
        f"{link.settings.where}: the log of collection {keys.collection!r} continues after commit {position.seq} with "
        f"entries that dealdb did not write (XRANGE {keys.log} ({last} + shows them), and no commit can follow them; "
        f"DEL {keys.log} starts a new log: all deals stay, and the history since the last checkpoint is lost"
    )
