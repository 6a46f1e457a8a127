"""Whether each commit in the log can be read: a disk or another program may have changed what dealdb has written."""

from __future__ import annotations

from dealdb.connection import Link
from dealdb.errors import StoreDamaged
from dealdb.model.schema import Schema
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.history.reading import follows
from dealdb.store.keys import Keys
from dealdb.store.log.entry import Position
from dealdb.store.log.reader import HistoryReset, read_from


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


def _schema_at(link: Link, keys: Keys, position: Position) -> Schema | None:
    """The schema as of a checkpoint, which a trimmed log begins with; None where there is none."""
    manifest = read_manifest(link, keys)
    generations = manifest.generations if manifest else ()
    return next((each.schema for each in generations if each.position == position), None)
