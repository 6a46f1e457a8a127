"""Making facts again that was cut off midway changes no answer, and is done by the next repair."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from polars.testing import assert_frame_equal

from dealdb import DealDatabase
from dealdb.store.archive.manifest import read_manifest
from dealdb.store.checkpoint.write import write_checkpoint
from dealdb.store.facts.rebuild import lost_pieces, state_of_facts
from dealdb.store.store import Store
from servers import Server

# dies at the n-th call of something, before it or behind it
REPAIR = """
import os, signal, sys
from dealdb import DealDatabase
from dealdb.store.facts import rebuild
from dealdb.store.ledger import keeping

url, name, at, is_done = sys.argv[1:]
n_calls = 0

def counted(call):
    def one(*given, **named):
        global n_calls
        n_calls += 1
        if n_calls == int(at) and not int(is_done):
            os.kill(os.getpid(), signal.SIGKILL)
        found = call(*given, **named)
        if n_calls == int(at):
            os.kill(os.getpid(), signal.SIGKILL)
        return found
    return one

if name == "write":
    made = keeping.FactsKeeper.__init__
    def begin(self, link, keys, base, write, *rest, **named):
        made(self, link, keys, base, counted(write), *rest, **named)
    keeping.FactsKeeper.__init__ = begin
else:
    setattr(rebuild, name, counted(getattr(rebuild, name)))
with DealDatabase.from_url(url, cache=False) as db:
    db.repair(facts=True)
"""


def pieces_of(db: DealDatabase) -> list[Store]:
    db.query.count()
    return list(db._store.pieces)


def figures(db: DealDatabase) -> list[object]:
    analytics = db.analytics
    return [
        analytics.waterfall(since="2020-01-01").frame,
        analytics.time_in_stage().frame,
        db._store.facts().of("amount").select("at", "value").sort("at", "value"),
    ]


@pytest.mark.parametrize(
    ("partitions", "name", "at", "is_done"),
    [
        (1, "take", 1, 1),
        (1, "write", 1, 1),
        (1, "publish", 1, 1),
        (1, "give_back", 1, 0),
        (4, "write", 1, 0),
        # the first partition is done by then
        (4, "publish", 2, 0),
    ],
)
def test_one_that_was_cut_off(
    server: Server, partitions: int, name: str, at: int, is_done: int
) -> None:
    with DealDatabase.from_url(server.url, cache=False, partitions=partitions) as db:
        for n in range(40):
            db.save_deal({"id": n, "amount": n, "stage": "Lead"})
        pieces = pieces_of(db)
        for piece in pieces:
            assert write_checkpoint(piece.link, piece.keys, piece._live.replica())
        for n in range(20):
            db.save_deal({"id": n, "amount": n + 1, "stage": "Won"})
        db.delete_deal(39)
        before = figures(db)
        lost = []
        for piece in pieces:
            manifest = read_manifest(piece.link, piece.keys)
            assert manifest
            assert manifest.generations[0].facts
            digest = manifest.generations[0].facts.tables["cells:amount"][0].digest
            lost.append(piece.keys.chunk(digest))
            db._store.link.call("DEL", lost[-1])
        command = [sys.executable, "-c", REPAIR, server.url, name, str(at), str(is_done)]
        done = subprocess.run(command, check=False, capture_output=True)
        assert done.returncode == -signal.SIGKILL, done.stderr
    with DealDatabase.from_url(server.url, cache=False) as db, server.client() as raw:
        pieces = pieces_of(db)
        for mine, theirs in zip(figures(db), before, strict=True):
            assert_frame_equal(mine, theirs, check_row_order=False)  # type: ignore[arg-type]
        assert not db.check().differences
        # as if a minute had passed
        raw.delete("x", *raw.keys("deals*lease"))
        db.save_deal({"id": 50, "amount": 5})
        db.repair(facts=True)
        assert db.check().ok
        for piece in pieces:
            assert lost_pieces(piece.link, piece.keys) == []
            assert state_of_facts(piece.link, piece.keys)[0]
            manifest = read_manifest(piece.link, piece.keys)
            assert manifest
            # nothing of the first one is left over
            names = {key.decode() for key in raw.smembers(piece.keys.chunks)}
            assert names == manifest.keys(piece.keys)
            there = {key.decode() for key in raw.keys(f"{piece.keys.own_prefix}chunk:*")}
            assert there == {key for key in names if ":chunk:" in key}
