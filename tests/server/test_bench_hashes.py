"""The benchmarks compare like with like."""

from __future__ import annotations

from benchmarks import deals, raw
from benchmarks.deals import Deals
from benchmarks.servers import Server as MeasuredServer

from dealdb import DealDatabase
from servers import Server


def _hashes(server: MeasuredServer, given: Deals) -> list[dict[str, str]]:
    read = server.client.pipeline(transaction=False)
    for id_ in given.frame["id"]:
        read.hgetall(f"deal:{id_}")
    return [
        {name.decode(): text.decode() for name, text in found.items() if name != b"_rev"}
        for found in read.execute()
    ]


def test_raw_load_writes_the_very_same_hashes(server: Server) -> None:
    with MeasuredServer(server.url) as measured:
        for make in (deals.plain, deals.wide, deals.dirty):
            given = make(400)
            measured.empty()
            with DealDatabase.from_url(server.url) as db:
                db.loader.load(given.frame, bar=False)
            ours = _hashes(measured, given)
            measured.empty()
            raw.send(measured, raw.hset_batches(given), len(given))

            assert ours == _hashes(measured, given)
            assert all("_row" in each for each in ours)
