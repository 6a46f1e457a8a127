"""What is in a backup file, apart from the blobs: where it was taken, and which blob is what."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgpack

from dealdb.store.archive.manifest import Generation
from dealdb.store.archive.segments import Segment
from dealdb.store.archive.unpacking import CHUNK_ROWS
from dealdb.store.log.entry import Entry, Position

# of the deals' revisions, next to the columns: no field can have that name
REVISIONS = "_rev"


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """
    The first part.

    Attributes
    ----------
    program
        What wrote the file.
    collection
        What it was taken from.
    taken
        When, milliseconds since 1970, UTC.
    genesis
        Where the chain of hashes begins; empty for a collection without commits.
    seq, hash, time
        The commit that it ends with.
    rows, deals
        Rows that were given out, and deals.
    history
        Whether the whole history is in it.
    queries
        Saved queries.
    mapping
        Which fields were made of which hash fields of another program, JSON as in ``deals:meta``; empty if none was.
    """

    program: str
    collection: str
    taken: int
    genesis: str
    seq: int
    hash: str
    time: int
    rows: int
    deals: int
    history: bool
    queries: Mapping[str, str]
    mapping: str = ""

    def to_json(self) -> bytes:
        """What the part holds."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, payload: bytes) -> Head:
        """Inverse of ``to_json``; ``ValueError`` or ``TypeError`` for anything else."""
        head = cls(**json.loads(payload))
        numbers = (head.taken, head.seq, head.time, head.rows, head.deals)
        texts = (
            head.program,
            head.collection,
            head.genesis,
            head.hash,
            head.mapping,
            *head.queries,
            *head.queries.values(),
        )
        _check(all(type(n) is int and n >= 0 for n in numbers), "a number in its head is not one")
        _check(all(type(text) is str for text in texts), "a text in its head is not one")
        _check(type(head.history) is bool, "its head does not say whether it has the history")
        return head

    @property
    def position(self) -> Position:
        """The commit that it ends with."""
        return Position(self.seq, self.hash.encode())

    @property
    def n_chunks(self) -> int:
        """Chunks that each column has."""
        return -(-self.rows // CHUNK_ROWS)

    def rows_of(self, number: int) -> int:
        """Rows of a chunk."""
        return min(self.rows - number * CHUNK_ROWS, CHUNK_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """
    The last part.

    Attributes
    ----------
    sha256
        Of all bytes before it.
    generation
        The state, with the digests of the columns' chunks as a manifest has them; None without commits.
    revisions
        SHA-256 of the chunks of the deals' revisions.
    history
        The segments as a manifest has them, oldest first; without keys, which are given to them when they are restored.
    """

    sha256: str
    generation: Generation | None
    revisions: tuple[str, ...]
    history: tuple[Segment, ...]

    def to_json(self) -> bytes:
        """What the part holds."""
        return _json(
            {
                "sha256": self.sha256,
                "generation": self.generation.to_document() if self.generation else None,
                "revisions": self.revisions,
                "history": [each.to_document()[1:] for each in self.history],
            }
        )

    @classmethod
    def from_json(cls, payload: bytes) -> End:
        """Inverse of ``to_json``; one of ``UNREADABLE`` for anything else."""
        document: dict[str, Any] = json.loads(payload)
        found = document["generation"]
        return cls(
            sha256=document["sha256"],
            generation=Generation.from_document(found) if found else None,
            revisions=tuple(document["revisions"]),
            history=tuple(Segment.from_document(["", *each]) for each in document["history"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Many:
    """
    The first part of a file of several partitions.

    Attributes
    ----------
    program
        What wrote the file.
    collection
        What it was taken from.
    partitions
        How many there are: behind this part come the parts of each, from its head to its end.
    """

    program: str
    collection: str
    partitions: int

    def to_json(self) -> bytes:
        """What the part holds."""
        return _json(asdict(self))

    @classmethod
    def from_json(cls, payload: bytes) -> Many:
        """Inverse of ``to_json``; ``ValueError`` or ``TypeError`` for anything else."""
        many = cls(**json.loads(payload))
        texts = (many.program, many.collection)
        _check(all(type(text) is str for text in texts), "a text in its head is not one")
        n = many.partitions
        _check(type(n) is int and n > 1, "it has no partitions")
        _check(n.bit_count() == 1, f"no collection has {n} partitions")
        return many


def pack_done(sha256: str) -> bytes:
    """The last part of a file of several partitions: the SHA-256 of all bytes before it."""
    return _json({"sha256": sha256})


def unpack_done(payload: bytes) -> str:
    """Inverse of ``pack_done``; one of ``UNREADABLE`` for anything else."""
    found: str = json.loads(payload)["sha256"]
    return found


# what reading something that is not a document may raise
UNREADABLE = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)


def pack_entry(entry: Entry) -> bytes:
    """A commit as the part of the last one holds it."""
    words = [*entry.position, *entry[1:9]]
    packed: bytes = msgpack.packb(words)
    return packed


def unpack_entry(payload: bytes) -> Entry:
    """Inverse of ``pack_entry``; one of ``UNREADABLE`` for anything else."""
    seq, chain, time_ms, writer, counter, actor, kind, height, rows, data = msgpack.unpackb(payload)
    _check(
        all(type(n) is int for n in (seq, time_ms, counter, height)),
        "the last commit has no numbers",
    )
    _check(all(type(text) is str for text in (writer, actor, kind)), "the last commit has no texts")
    _check(all(type(blob) is bytes for blob in (chain, rows, data)), "the last commit has no data")
    return Entry(Position(seq, chain), time_ms, writer, counter, actor, kind, height, rows, data)


def _check(holds: bool, problem: str) -> None:  # noqa: FBT001 what is checked
    if not holds:
        raise ValueError(problem)


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()
