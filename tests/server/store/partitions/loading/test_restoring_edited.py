"""Backups of partitions that somebody put together by hand, with checksums that are right: none is restored."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dealdb import DealDatabase
from dealdb.errors import BackupError
from dealdb.store.backup.contents import pack_done
from dealdb.store.backup.parts import (
    DONE,
    END,
    FORMAT,
    FORMAT_OF_MANY,
    HEAD,
    MANY,
    PartReader,
    PartWriter,
)
from servers import Server

Piece = list[tuple[bytes, bytes]]


def pieces_of(server: Server, path: Path, name: str, n: int, n_more: int = 0) -> list[Piece]:
    """Parts of each partition of a backup of a collection of 40 deals."""
    with DealDatabase.from_url(server.url, collection=name, partitions=n) as db:
        db.loader.load([{"id": n, "name": f"n{n}"} for n in range(40)], bar=False)
        for number in range(n_more):
            db.save_deal({"id": number, f"more{number}": "x"})
        db.backup(path, overwrite=True)
    pieces: list[Piece] = []
    for part, payload, _ in PartReader(io.BytesIO(path.read_bytes()), "b").all():
        if part.kind == HEAD:
            pieces.append([])
        if part.kind not in (MANY, DONE):
            pieces[-1].append((part.kind, payload))
    return pieces


def made_of(pieces: list[Piece], *, form: int = FORMAT_OF_MANY) -> bytes:
    """A file of them, with checksums of its own."""
    file = io.BytesIO()
    writer = PartWriter(file, form)
    if form == FORMAT_OF_MANY:
        many = {"program": "by hand", "collection": "aaa", "partitions": len(pieces)}
        writer.write(MANY, json.dumps(many).encode())
    for kind, payload in (part for piece in pieces for part in piece):
        found: dict[str, Any] = json.loads(payload) if kind == END else {}
        told = json.dumps({**found, "sha256": writer.digest}).encode()
        writer.write(kind, told if kind == END else payload)
    if form == FORMAT_OF_MANY:
        writer.write(DONE, pack_done(writer.digest))
    return file.getvalue()


EDITS: dict[str, tuple[Callable[[list[Piece], list[Piece], list[Piece]], list[Piece]], str]] = {
    "exchanged": (lambda a, b, _: [*a[:2], b[2], a[3]], "partition 2 is of another collection"),
    "ahead": (lambda a, _, __: [a[0], *a[5:8]], "partition 1 has fields that the first one has not"),
    "doubled": (lambda a, _, __: [a[0], a[1], a[1], a[3]], "in the place of partition 2"),
    "swapped": (lambda a, _, __: [a[0], a[2], a[1], a[3]], "in the place of partition 1"),
    "head last": (lambda a, _, __: [*a[1:4], a[0]], "in the place of partition 0"),
    "missing": (lambda a, _, __: a[:3], "no collection has 3 partitions"),
    "half": (lambda a, _, __: a[:2], "partition 0 is one of 4, not of 2"),
    "twice": (lambda a, _, __: [*a[:4], *a[:4]], "partition 0 is one of 4, not of 8"),
    "of eight": (lambda _, __, e: e[:4], "partition 0 is one of 8, not of 4"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS)
def test_partitions_that_do_not_go_together_are_refused(
    server: Server, tmp_path: Path, edit: str
) -> None:
    path = tmp_path / "b"
    mine = pieces_of(server, path, "aaa", 4)
    # the same collection later, with more fields
    mine += pieces_of(server, path, "aaa", 4, 5)
    change, why = EDITS[edit]
    others = pieces_of(server, path, "bbb", 4), pieces_of(server, path, "eee", 8)
    path.write_bytes(made_of(change(mine, *others)))
    for n in (4, 8):
        with DealDatabase.from_url(server.url, collection="copy", partitions=n) as copy:
            with pytest.raises(BackupError, match=why):
                copy.restore(path)
            with server.client() as raw:
                assert raw.keys("cop*") == []


def test_a_partition_is_no_collection_of_one_piece(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "b"
    mine = pieces_of(server, path, "aaa", 4)
    path.write_bytes(made_of(mine))
    assert DealDatabase.check_backup(path).partitions == 4
    path.write_bytes(made_of(mine[:1], form=FORMAT))
    with pytest.raises(BackupError, match="partition 0 is one of 4, not of 1"):
        DealDatabase.check_backup(path)
