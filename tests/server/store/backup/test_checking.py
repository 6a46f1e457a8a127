"""No damaged backup is taken for a whole one, whatever happened to it; and the place is told."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import msgpack
import polars as pl
import pytest

from dealdb import BackupError, DealDatabase
from dealdb.store.backup.parts import FORMAT, FORMAT_OF_MANY, MAGIC, Part, PartReader, PartWriter
from dealdb.store.checkpoint.write import write_checkpoint
from servers import Server

TRIES = 150
HEADER = 56


@pytest.fixture(scope="module")
def whole(shared_server: Server, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("b") / "deals.backup"
    with shared_server.client() as client:
        client.flushall()
    with DealDatabase.from_url(shared_server.url, actor="ann") as db:
        db.loader.load([{"id": n, "amount": n, "stage": "won"} for n in range(50)], bar=False)
        db.query.frame()
        assert write_checkpoint(db._store.link, db._store.keys, db._store._live._replica)
        db.save_deal({"id": 7, "amount": 77, "tags": ["a"]})
        db.delete_deal(8)
        db.query.save("hot", "amount > 5")
        db.backup(path)
    return path.read_bytes()


@pytest.fixture
def check(tmp_path: Path) -> Callable[[bytes], BackupError | None]:
    """What checking such a file finds."""

    def run(blob: bytes) -> BackupError | None:
        path = tmp_path / "deals.backup"
        path.write_bytes(blob)
        try:
            DealDatabase.check_backup(path)
        except BackupError as problem:
            return problem
        return None

    return run


Check = Callable[[bytes], BackupError | None]


def parts_of(blob: bytes) -> list[tuple[Part, bytes]]:
    return [(part, payload) for part, payload, _ in PartReader(BytesIO(blob), "x").all()]


def made_of(parts: list[tuple[bytes, bytes]], **end: Any) -> bytes:
    """A file of these parts, whose checksums are all right."""
    file = BytesIO()
    writer = PartWriter(file)
    for kind, payload in parts[:-1]:
        writer.write(kind, payload)
    document = json.loads(parts[-1][1]) | {"sha256": writer.digest} | end
    writer.write(parts[-1][0], json.dumps(document).encode())
    return file.getvalue()


def contents_of(blob: bytes) -> list[tuple[bytes, bytes]]:
    return [(part.kind, payload) for part, payload in parts_of(blob)]


def test_the_whole_file_is_one(whole: bytes, check: Check) -> None:
    assert check(whole) is None
    assert check(made_of(contents_of(whole))) is None


def test_a_flipped_bit(whole: bytes, check: Check) -> None:
    chance = random.Random(15)
    parts = [part for part, _ in parts_of(whole)]
    # each byte of every header, too
    places = [part.offset + n for part in (parts[0], parts[5], parts[-1]) for n in range(HEADER)]
    places += [*range(16), *(chance.randrange(len(whole)) for _ in range(TRIES))]
    for place in places:
        blob = bytearray(whole)
        blob[place] ^= 1 << chance.randrange(8)
        found = check(bytes(blob))
        assert found is not None, place
        owner = next((p for p in reversed(parts) if p.offset <= place), None)
        if owner is not None:
            assert (found.part, found.offset) == (owner.number, owner.offset), place


def test_a_file_that_is_cut(whole: bytes, check: Check) -> None:
    chance = random.Random(16)
    ends = [part.offset for part, _ in parts_of(whole)]
    for end in [0, 1, 15, 16, *ends, *(chance.randrange(len(whole)) for _ in range(TRIES))]:
        found = check(whole[:end])
        assert found is not None, end
        if end > 16:
            assert found.offset == max(offset for offset in ends if offset <= end), end


def test_bytes_behind_the_end(whole: bytes, check: Check) -> None:
    found = check(whole + b"\0")
    assert found is not None
    assert found.offset == len(whole)


def test_parts_that_are_elsewhere(whole: bytes, check: Check) -> None:
    parts = [part for part, _ in parts_of(whole)]
    blobs = [whole[part.offset : part.start + part.size] for part in parts]
    opening = whole[: parts[0].offset]
    chance = random.Random(17)
    for _ in range(40):
        one, other = sorted(chance.sample(range(len(parts)), 2))
        swapped = [*blobs]
        swapped[one], swapped[other] = blobs[other], blobs[one]
        found = check(opening + b"".join(swapped))
        assert found is not None
        assert found.part == one
        for wrong in (blobs[:one] + blobs[one + 1 :], blobs[:other] + blobs[one:]):
            assert check(opening + b"".join(wrong)) is not None


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "not a backup of dealdb"),
        (b"id,name\n1,Acme\n" * 100, "not a backup of dealdb"),
        (MAGIC.replace(b"\r\n", b"\n") + bytes(1_000), "not a backup of dealdb"),
        (MAGIC + struct.pack(">I", FORMAT_OF_MANY + 1) + bytes(100), "format 3, and this dealdb reads.*upgrade"),
        (MAGIC + struct.pack(">I", 0) + bytes(100), "no format 0"),
        (MAGIC + struct.pack(">I", FORMAT), "cut off"),
        (MAGIC + struct.pack(">I", FORMAT_OF_MANY), "cut off"),
    ],
)  # fmt: skip
def test_what_is_no_backup(check: Check, blob: bytes, message: str) -> None:
    found = check(blob)
    assert found is not None
    assert found.code == "backup"
    with pytest.raises(BackupError, match=message):
        raise found


def test_a_folder_a_pipe_and_nothing(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe")
    for name in (".", "pipe", "none"):
        with pytest.raises(BackupError):
            DealDatabase.check_backup(tmp_path / name)


@pytest.mark.parametrize("size", [2**63, 2**40, 2**29 + 1, 10**6])
def test_a_size_that_is_a_lie(whole: bytes, check: Check, size: int) -> None:
    from hashlib import sha256

    part, _ = parts_of(whole)[3]
    header = struct.pack(">4sIQ32s", part.kind, part.number, size, part.digest)
    header += sha256(header).digest()[:8]
    blob = whole[: part.offset] + header + whole[part.start :]
    found = check(blob)
    assert found is not None
    assert (found.part, found.offset) == (3, part.offset)


# with checksums that are right: what a faulty program might write -------------------------------------


def swap(parts: list[tuple[bytes, bytes]], kind: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The file with what all parts of a kind hold changed, and referred to as changed."""
    changed = [(k, change(p) if k == kind else p) for k, p in parts]
    names = {digest(p): digest(q) for (_, p), (_, q) in zip(parts, changed, strict=True)}
    end = parts[-1][1].decode()
    for old, new in names.items():
        end = end.replace(old, new).replace(old[:32], new[:32])
    return made_of([*changed[:-1], (parts[-1][0], end.encode())])


def digest(blob: bytes) -> str:
    from hashlib import sha256

    return sha256(blob).hexdigest()


def head_with(**changes: object) -> Callable[[bytes], bytes]:
    return lambda payload: json.dumps(json.loads(payload) | changes).encode()


def parquet(frame: pl.DataFrame) -> bytes:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def ipc(payload: bytes, change: Callable[[pl.DataFrame], pl.DataFrame]) -> bytes:
    buffer = BytesIO()
    change(pl.read_ipc(payload)).write_ipc(buffer)
    return buffer.getvalue()


def _row_of_a_save(row: bytes) -> pl.Expr:
    """Rows of the commits, of which those that save a deal have another."""
    return pl.when(pl.col("kind") == "set").then(pl.lit(row)).otherwise("rows").alias("rows")


FAULTS: dict[str, tuple[bytes, Callable[[bytes], bytes]]] = {
    "head no JSON": (b"HEAD", lambda _: b"{"),
    "head deep JSON": (b"HEAD", lambda _: b"[" * 100_000),
    "head of other fields": (b"HEAD", lambda _: b"{}"),
    "head with texts for numbers": (b"HEAD", head_with(rows="50")),
    "head with more rows": (b"HEAD", head_with(rows=2**50)),
    "head with negative rows": (b"HEAD", head_with(rows=-1)),
    "head with other deals": (b"HEAD", head_with(deals=50)),
    "head with another commit": (b"HEAD", head_with(hash="0" * 16)),
    "head of another genesis": (b"HEAD", head_with(genesis="0" * 16)),
    "head without history": (b"HEAD", head_with(history=False)),
    "head without commits": (b"HEAD", head_with(seq=0)),
    "columns no Parquet": (b"COLU", lambda _: b"PAR1" + b"x" * 50 + b"PAR1"),
    "columns empty": (b"COLU", lambda _: b""),
    "columns cut": (b"COLU", lambda payload: payload[: len(payload) // 2]),
    "columns garbled": (b"COLU", lambda p: p[:40] + bytes(255 - b for b in p[40:80]) + p[80:]),
    "columns of too many rows": (b"COLU", lambda _: parquet(pl.DataFrame({"values": range(51)}))),
    "columns of two columns": (b"COLU", lambda _: parquet(pl.DataFrame({"values": range(50), "b": 1}))),
    "columns of structures": (b"COLU", lambda _: parquet(pl.DataFrame({"values": [{"a": 1}] * 50}))),
    "history no Arrow": (b"HIST", lambda _: b"ARROW1" + b"x" * 50),
    "history empty": (b"HIST", lambda _: b""),
    "history of other rows": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit(b"\x91\x05").alias("rows")))),
    "history of another deal": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(_row_of_a_save(b"\x91\x05")))),
    "history of no rows": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit(b"\xc1").alias("rows")))),
    "history of garbled changes": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit(b"\xc1").alias("data")))),
    "history of other kinds": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit("x").alias("kind")))),
    "history without a column": (b"HIST", lambda p: ipc(p, lambda f: f.drop("hash"))),
    "history without a commit": (b"HIST", lambda p: ipc(p, lambda f: f.filter(pl.col("seq") != 3))),
    "history without the last": (b"HIST", lambda p: ipc(p, lambda f: f.head(f.height - 1))),
    "history of another time": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.col("time_ms") + 1))),
    "history backwards": (b"HIST", lambda p: ipc(p, lambda f: f.reverse())),
    "history of texts": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit("x").alias("seq")))),
    "history of nulls": (b"HIST", lambda p: ipc(p, lambda f: f.with_columns(pl.lit(None).alias("writer")))),
    "last commit no msgpack": (b"LAST", lambda _: b"\xc1"),
    "last commit of another kind": (b"LAST", lambda _: msgpack.packb([1, 2, 3])),
    "last commit is another": (b"LAST", lambda p: msgpack.packb([1, *msgpack.unpackb(p)[1:]])),
    "end no JSON": (b"END.", lambda _: b"[]"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_contents_that_are_wrong(whole: bytes, check: Check, fault: str) -> None:
    kind, change = FAULTS[fault]
    parts = contents_of(whole)
    if kind == b"END.":
        file = BytesIO()
        writer = PartWriter(file)
        for each in parts[:-1]:
            writer.write(*each)
        writer.write(kind, change(parts[-1][1]))
        found = check(file.getvalue())
    else:
        found = check(swap(parts, kind, change))
    assert found is not None


@pytest.mark.parametrize(
    "end",
    [
        {"generation": None},
        {"history": []},
        {"revisions": []},
        {"revisions": ["0" * 32]},
        {"history": [["0" * 64, 1, 5, None]]},
        {"history": None},
        {"sha256": "0" * 64},
    ],
)
def test_an_end_that_is_wrong(whole: bytes, check: Check, end: dict[str, object]) -> None:
    assert check(made_of(contents_of(whole), **end)) is not None


def test_a_part_that_is_missing(whole: bytes, check: Check) -> None:
    parts = contents_of(whole)
    for number in range(len(parts) - 1):
        assert check(made_of(parts[:number] + parts[number + 1 :])) is not None, number
