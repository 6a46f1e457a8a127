"""Whether each commit in the log can be read: a disk or another program may have changed what dealdb has written."""

from __future__ import annotations

from hashlib import sha256

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.schema import Schema
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.archive.segments import Segment
from dealdb.store.archive.string_keys import read_string
from dealdb.store.bounds.wall import number_in
from dealdb.store.history.reading import follows
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position
from dealdb.store.log.reader import HistoryReset, entries_in, read_from

# segments that are read to be compared with their digests
_LOOKED_AT = 8


def damage_of(link: Link, keys: Keys) -> str | None:
    """
    What to say of the first commit in the log that can't be read or is another's; None where there is none.

    What was changed to something that can be read is found by a check, which compares it with the hashes.

    Cost
    ----
    One round trip for every MiB of the log.
    """
    last: Position | None = None
    schema: Schema | None = None
    try:
        for page in read_from(link, keys.log, 0):
            for entry in page:
                if last is not None and not follows(last, entry):
                    return f"commit {entry.position.seq} does not follow commit {last.seq}"
                if last is None:
                    schema = _schema_at(link, keys, entry.position)
                last = entry.position
                schema = entry.ensure_readable(schema)
    except HistoryReset:
        # somebody has begun a new one in between
        return None
    except StoreDamaged as damaged:
        return str(damaged)
    return None


def log_is_gone(link: Link, keys: Keys) -> bool:
    """Whether there are commits and no log: another program has removed it. One round trip."""
    seq, n = link.calls([("HGET", keys.meta, "seq"), ("XLEN", keys.log)], retry=True)
    return number_in(f"seq in {keys.meta!r}", seq) > 0 and not n


def missing_commits(link: Link, keys: Keys) -> str | None:
    """
    What to say of the first commits that are neither sealed nor in the log; None where there are none.

    A log that was removed takes those with it that no checkpoint has sealed.

    Cost
    ----
    Two round trips.
    """
    # before the sealed ones: what a checkpoint cuts off meanwhile is sealed by then
    found = link.call("XRANGE", keys.log, "-", "+", "COUNT", 1, retry=True)
    try:
        firsts = [entry.position.seq for entry in entries_in(link, keys.log, found)]
    except StoreDamaged:
        # of the log itself, which whoever reads it says
        return None
    manifest = read_manifest(link, keys)
    spans = [(each.first, each.last) for each in manifest.history] if manifest else []
    spans += [(first, first) for first in firsts]
    last = 0
    for first, until in spans:
        if first > last + 1:
            return (
                f"commits {last + 1:,} to {first - 1:,} are missing: the log was removed, or a backup without history "
                "was restored"
            )
        last = max(last, until)
    return None


def sealed_damage(link: Link, keys: Keys) -> tuple[str | None, str]:
    """
    What to say of the first sealed segment that is missing or not what was sealed, if any, and what was looked at.

    Of many segments some are looked at, the oldest and the newest among them.

    Cost
    ----
    Two round trips for each of at most ``_LOOKED_AT`` segments, which it reads whole; of chunks with their deals it
    only looks whether they are there.
    """
    manifest = read_manifest(link, keys)
    history = manifest.history if manifest else ()
    step = max(1, -(-(len(history) - 1) // (_LOOKED_AT - 1)))
    chosen = [*history[:-1:step], *history[-1:]]
    for segment in chosen:
        wrong = _wrong_with(link, keys, segment)
        # another process may have merged it in between
        if wrong and _is_listed(link, keys, segment):
            return f"commits {segment.first:,} to {segment.last:,} {wrong}", ""
    if not history:
        return None, "nothing sealed yet"
    some = f"{len(chosen)} of " if len(chosen) < len(history) else ""
    of_all = f"{len(history)} {'segment' if len(history) == 1 else 'segments'}"
    return None, f"sealed up to commit {history[-1].last:,}, {some}{of_all} whole"


def _wrong_with(link: Link, keys: Keys, segment: Segment) -> str | None:
    blob = read_string(link, segment.key)
    if blob is None:
        return "are missing"
    if sha256(blob).hexdigest() != segment.digest:
        return "are not what was sealed"
    chunks = segment.columns.keys(keys) if segment.columns else []
    if chunks and link.call("EXISTS", *chunks, retry=True) < len(chunks):
        return "lack a chunk that has their deals"
    return None


def _is_listed(link: Link, keys: Keys, segment: Segment) -> bool:
    manifest = read_manifest(link, keys)
    return manifest is not None and segment in manifest.history


def _schema_at(link: Link, keys: Keys, position: Position) -> Schema | None:
    """The schema as of a checkpoint, which a trimmed log begins with; None where there is none."""
    manifest = read_manifest(link, keys)
    generations = manifest.generations if manifest else ()
    return next((each.schema for each in generations if each.position == position), None)
