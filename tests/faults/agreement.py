"""Hashes, log and meta data of a collection, read and compared as docs/protocol.md says, without any code of dealdb."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgpack
import polars as pl

Texts = dict[str, str]
Entry = dict[bytes, bytes]
# what a collection may have on a server
_OWN_KEYS = {"log", "meta", "writers", "checkpoint", "chunks", "lease", "queries"}
_OWN_PREFIXES = ("chunk:", "history:", "index:")


def hashes_of(client: Any) -> dict[str, Texts]:
    """Texts of each deal by field, ``_row`` and ``_rev`` among them."""
    return {
        key.decode()[5:]: {name.decode(): text.decode() for name, text in found.items()}
        for key in client.scan_iter("deal:*", 1_000)
        if (found := client.hgetall(key))
    }


def assert_agreement(client: Any) -> dict[str, Texts]:
    """
    See to it that hashes == fold of the log, that the chain of the log is whole, and that the meta data are its end.

    The log has to go back to the first commit, and no other program may have written to the hashes.

    Returns
    -------
    dict
        The hashes.
    """
    hashes, meta = hashes_of(client), client.hgetall("deals:meta")
    folded = _Fold()
    for entry_id, entry in client.xrange("deals:log"):
        folded.apply(entry_id, entry)
    assert int(meta.get(b"seq", 0)) == folded.seq
    assert meta.get(b"hash", b"") == folded.hash
    assert int(meta.get(b"deals", 0)) == len(folded.rows)
    expected = {
        deal["id"]: {n: t for n, t in deal.items() if n != "id"} | {"_row": str(row)}
        for row, deal in folded.rows.items()
    }
    assert len(expected) == len(folded.rows), "a deal has two rows"
    found = {
        deal: {n: t for n, t in texts.items() if n != "_rev"} for deal, texts in hashes.items()
    }
    assert found == expected
    assert {deal: int(texts["_rev"]) for deal, texts in hashes.items()} == folded.revs
    return hashes


def odd_keys(client: Any) -> list[str]:
    """Keys that no collection ``deal`` has."""
    return [key for each in client.scan_iter(count=1_000) if not _is_own(key := each.decode())]


def _is_own(key: str) -> bool:
    name = key.removeprefix("deals:")
    return key.startswith("deal:") or name in _OWN_KEYS or name.startswith(_OWN_PREFIXES)


class _Fold:
    """What the entries come to so far."""

    def __init__(self) -> None:
        self.seq, self.hash = 0, b""
        self.rows: dict[int, Texts] = {}
        self.revs: dict[str, int] = {}

    def apply(self, entry_id: bytes, entry: Entry) -> None:
        self._link(entry_id, entry)
        match entry[b"kind"]:
            case b"schema" | b"pipeline":
                return
            case b"add":
                self._add(pl.read_ipc_stream(entry[b"data"]), int(entry[b"height"]))
            case b"delete":
                for row in msgpack.unpackb(entry[b"rows"]):
                    self.revs.pop(self.rows.pop(row)["id"], None)
            case _:
                self._set(entry)

    def _link(self, entry_id: bytes, entry: Entry) -> None:
        self.seq += 1
        assert entry_id == b"%d-0" % self.seq
        said = [self.hash or entry[b"writer"], b"%d" % self.seq]
        said += [entry[b"writer"], entry[b"counter"], entry[b"time"]]
        self.hash = hashlib.sha1(b" ".join(said)).hexdigest()[:16].encode()
        assert entry[b"hash"] == self.hash

    def _add(self, deals: pl.DataFrame, height: int) -> None:
        for row, deal in enumerate(deals.to_dicts(), height):
            self.rows[row] = {name: text for name, text in deal.items() if text is not None}
            self.revs[deal["id"]] = self.seq

    def _set(self, entry: Entry) -> None:
        ids, fields, columns = msgpack.unpackb(entry[b"data"])
        for place, row in enumerate(msgpack.unpackb(entry[b"rows"])):
            given: dict[str, Any] = {
                name: column[place] for name, column in zip(fields, columns, strict=True)
            }
            if row < int(entry[b"height"]) and entry[b"kind"] == b"set" and "updated" not in given:
                given["updated"] = _stamp(int(entry[b"time"]))
            deal = {**self.rows.get(row, {}), **given, "id": ids[place]}
            self.rows[row] = {
                name: text for name, text in deal.items() if text not in (None, False)
            }
            self.revs[ids[place]] = self.seq


def _stamp(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"
